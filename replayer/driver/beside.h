/*
 * What the recorded program had resident beside its heap, from the tape's samples: code, stacks,
 * mappings of its own, such as the arenas of an interpreter. Where this rises and falls, the
 * process's peak need not be where the heap's is, so what another allocator does to it is looked
 * for at every moment:
 *
 *     beside(t)  = sample's resident(t) - replayed resident(t), both on the recorded allocator
 *     process(A) = max over t of beside(t) + replayed resident of A(t)
 *
 * Between two samples it is taken to change evenly. The last sample repeats the one before it
 * and is left out.
 */
#ifndef HEAPTAPE_REPLAYER_DRIVER_BESIDE_H
#define HEAPTAPE_REPLAYER_DRIVER_BESIDE_H

#include <stddef.h>
#include "replayer/engine/result.h"
#include "traces/event.h"

struct beside_point {
    double operation;
    double
        bytes; /* resident; since beside_begin() beside the heap. Below 0 where replay held more */
};

struct beside {
    struct beside_point *points;
    size_t count; /* 0: not known */
};

/* The samples of the tape at `path`; none where it cannot be read or was recorded elsewhere than on
 * libc. Free it with beside_end(). */
void beside_read(struct beside *beside, const char *path);
/* Takes the replay on the recorded allocator out of the samples. */
void beside_begin(struct beside *beside, const struct engine_result *recorded);
/* process(A) of this replay; its own peak where nothing is known. */
double beside_peak(const struct beside *beside, const struct engine_result *result);
void beside_end(struct beside *beside);

#endif
