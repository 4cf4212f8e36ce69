/*
 * The marks that the recorded program set (recorder/heaptape.h), as a tape carries them.
 */
#ifndef HEAPTAPE_TRACES_MARKS_H
#define HEAPTAPE_TRACES_MARKS_H

#include <stddef.h>
#include <stdint.h>
#include "traces/reader.h"

struct tape_mark {
    uint64_t event;   /* index of the first event after it */
    uint64_t time_ns; /* as events have it */
    uint32_t lane;
    uint32_t bytes;   /* of its text */
    const char *text; /* not ended by NUL */
};

/* What tape_reader_on_extra() gives; hands on each mark of it, in order. Other kinds are passed
 * over, and so is what makes no sense. */
void tape_marks_each(const struct tape_extra *extra,
                     void (*callback)(const struct tape_mark *mark, void *context), void *context);

#endif
