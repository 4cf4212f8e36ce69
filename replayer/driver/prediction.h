/*
 * What replay says that the real program would take on another allocator:
 *
 *     predicted(A) = real(libc) + replayed(A) - replayed(libc)
 *
 * of its peak resident and of its processor time.
 *
 * Peak resident: real is the program's own, replayed the peak of the replay with what the allocator
 * had made resident at its start counted in. What the program holds beside its heap (code, stacks,
 * its own mappings) is in real(libc) and taken to stay; where tapes are replayed here, replayed is
 * the peak of the heap and of what the samples on the tape show beside it, together (beside.h).
 * Where a program started others and several tapes were recorded, replayed is the largest of them,
 * as real is the peak of the largest process.
 *
 * Processor time: that of all tapes' replays in time mode together, their page faults among it, as
 * fast as it goes. What a heap's layout does to the program's own code is not in it.
 */
#ifndef HEAPTAPE_REPLAYER_DRIVER_PREDICTION_H
#define HEAPTAPE_REPLAYER_DRIVER_PREDICTION_H

#include "replayer/driver/allocators.h"
#include "replayer/driver/engine_run.h"

struct prediction {
    double *replayed_bytes;       /* by allocator of the list; NAN where not known */
    double *replayed_cpu_seconds; /* likewise; known where tapes were replayed here */
    size_t count;
    unsigned timed_tapes; /* whose processor time is in */
    char source[64];      /* where from, for people; empty for nowhere */
};

/* All unknown. */
void prediction_begin(struct prediction *prediction, size_t count);
/*
 * From FOLDER/results.json. False where there is none; a file that is there but no results ends the
 * tool with 3. Warns where it was recorded from another program.
 */
bool prediction_read(struct prediction *prediction, const char *folder,
                     const struct allocator_list *list, const char *program);
/*
 * By replaying the tapes: once each in memory mode as `settings` say, `cpu_runs` times in time mode
 * as fast as it goes, of which the median counts. False where it was interrupted.
 */
bool prediction_replay(struct prediction *prediction, char **tapes, unsigned count,
                       const struct allocator_list *list, const struct engine_settings *settings,
                       unsigned cpu_runs);
/* NAN where any part is unknown. `libc` is its index in the list. */
double prediction_of(const struct prediction *prediction, size_t allocator, size_t libc,
                     double real_libc_bytes);
double prediction_cpu_of(const struct prediction *prediction, size_t allocator, size_t libc,
                         double real_libc_seconds);

#endif
