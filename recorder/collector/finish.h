/*
 * Turns raw tapes into tapes on a thread of its own, one after the other, so that recording goes on
 * meanwhile.
 */
#ifndef HEAPTAPE_RECORDER_FINISH_H
#define HEAPTAPE_RECORDER_FINISH_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include "traces/window.h"

struct finish_options {
    bool keep_raw;   /* leave the raw tapes beside the tapes */
    bool with_sites; /* look up names for call sites */
    struct window_limit start, stop;
    const char *start_text, *stop_text; /* as the user wrote them, NULL: not at all */
};

struct finish_tape {
    char path[PATH_MAX];
    uint64_t peak_resident, peak_requested; /* bytes, while it was recorded */
    bool window_begun;
};

struct finish_totals {
    uint64_t events, bytes; /* on the tapes written */
    uint32_t tapes, failed;
    uint64_t live_twice, foreign_frees; /* see traces/resolve.h */
    double cpu_seconds;
    struct finish_tape largest; /* of which most was resident */
};

void finish_begin(struct finish_options options);
/* Takes a closed raw tape. The paths are copied. */
void finish_add(const char *raw_path, const char *tape_path);
/* Raw tapes that wait or are being worked on. */
uint32_t finish_waiting(void);
/* Waits for all and returns what there was. Shows progress on stderr where `progress`. */
struct finish_totals finish_end(bool progress);

#endif
