/*
 * The call sites of a tape in words. Sites whose innermost frames are the same, as far as one
 * looks, count as one: the lowest number stands for all. One thread.
 */
#ifndef HEAPTAPE_ANALYSIS_SITE_NAMES_H
#define HEAPTAPE_ANALYSIS_SITE_NAMES_H

#include <stddef.h>
#include <stdint.h>
#include "traces/reader.h"
#include "traces/sites.h"

struct site_names {
    struct tape_sites *sites;
    uint32_t highest; /* number of a site; 0: the tape has none */
    uint64_t depth;   /* frames that are looked at */
    uint32_t *same;   /* by site: the one that stands for it */
};

/* Reads them without the events; the reader stands anywhere then. TAPE_NO_MEMORY, or as the
 * reader. site_names_end() in any case. */
enum tape_status site_names_read(struct site_names *names, struct tape_reader *reader,
                                 uint64_t depth, struct tape_error *error);
void site_names_end(struct site_names *names);

/* Frames of the site that are looked at. */
size_t site_names_frames(const struct site_names *names, uint32_t site);
/* The frame in words, 0 the innermost: "function file.c:12", or "library+0x1234" where names are
 * missing. */
void site_names_frame(const struct site_names *names, uint32_t site, size_t frame, char *text,
                      size_t bytes);
/* All of them, innermost first, joined by " < "; "(not known)" where there is none. */
void site_names_stack(const struct site_names *names, uint32_t site, char *text, size_t bytes);

#define SITE_NAMES_FRAME 1088 /* bytes for a frame's words */

#endif
