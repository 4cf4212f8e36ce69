/*
 * Turns raw tapes into tapes on a thread of its own, one after the other, so that recording goes on
 * meanwhile; long ones while they are being written.
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
/*
 * Begins with a raw tape that is still being written, on a thread that takes only what time nobody
 * else wants, so that little is left to do when the program ends. NULL: not this one; give it to
 * finish_add() when it is closed.
 */
struct finish_job;
struct finish_job *finish_follow(const char *raw_path);
/* It is closed now, and these are its names; `job` is not the caller's any more. */
void finish_closed(struct finish_job *job, const char *raw_path, const char *tape_path);
/* Takes a closed raw tape. The paths are copied. */
void finish_add(const char *raw_path, const char *tape_path);
/* Raw tapes that wait or are being worked on. */
uint32_t finish_waiting(void);
/* Waits for all and returns what there was. Shows progress on stderr where `progress`. */
struct finish_totals finish_end(bool progress);

#endif
