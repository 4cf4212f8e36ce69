/*
 * One line on stderr that is drawn anew at each step, with the time that is left; nothing at all
 * where stderr is no terminal. Not thread-safe.
 */
#ifndef HEAPTAPE_REPLAYER_DRIVER_PROGRESS_H
#define HEAPTAPE_REPLAYER_DRIVER_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool shown;
    unsigned done, all; /* steps */
    uint64_t began_ns;
};

void progress_begin(struct progress *progress, unsigned all);
/* A step begins: its name. */
void progress_step(struct progress *progress, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* It has ended; `all` may have changed since the beginning. */
void progress_done(struct progress *progress);
/* Clears the line: before anything else is printed. */
void progress_clear(const struct progress *progress);

#endif
