/*
 * Snapshots for blame, from a replay of its own: `heaptape replay --memory --snapshots` beside this
 * program, into a file that is gone when the program ends. Not thread-safe.
 */
#ifndef HEAPTAPE_ANALYSIS_BLAME_TAKE_H
#define HEAPTAPE_ANALYSIS_BLAME_TAKE_H

#include <stdint.h>

#define BLAME_TAKE_OPTIONS 16

struct blame_take {
    const char *tape;
    const char *options[BLAME_TAKE_OPTIONS]; /* of replay, handed on; NULL at the end */
    uint64_t event;                          /* of the tape; HEAP_NO_EVENT: none is asked for */
};

/* The file's path; ends the program with the replay's status where that fails. */
const char *blame_take(const struct blame_take *take);

#endif
