/*
 * The call sites of a tape: who asked for its blocks. Read from the text that the tape carries
 * (FORMAT.md, "Call sites"); kept in the heap, a few hundred bytes a frame. One thread.
 */
#ifndef HEAPTAPE_TRACES_SITES_H
#define HEAPTAPE_TRACES_SITES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "traces/reader.h"

struct tape_frame {
    const char *function; /* "" where not known */
    const char *file;     /* of the source, likewise */
    const char *object;   /* path of the executable or library, likewise */
    uint64_t offset;      /* in the object; an address where there is none */
    uint32_t line;        /* 0: not known */
};

struct tape_sites;

/* NULL: no memory. */
struct tape_sites *tape_sites_new(void);
void tape_sites_free(struct tape_sites *sites);
/* What tape_reader_on_extra() gives; other kinds are passed over, and so is what makes no sense.
 * False: no memory. */
bool tape_sites_take(struct tape_sites *sites, const struct tape_extra *extra);
/* The highest number of a site, 0 where there are none. */
uint32_t tape_sites_highest(const struct tape_sites *sites);
/* The frames of a site, innermost first; returns how many there are, 0 for an unknown site. */
size_t tape_sites_frames(const struct tape_sites *sites, uint32_t site,
                         const uint32_t **ret_frames);
/* NULL: no such frame. */
const struct tape_frame *tape_sites_frame(const struct tape_sites *sites, uint32_t frame);
/* "function file.c:12", or "library+0x1234" where names are missing; "?" for NULL. */
void tape_frame_describe(const struct tape_frame *frame, char *text, size_t bytes);

#endif
