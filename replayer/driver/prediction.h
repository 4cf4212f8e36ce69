/*
 * What replay says that the real program's peak would be on another allocator:
 *
 *     predicted(A) = real(libc) + replayed(A) - replayed(libc)
 *
 * real is the program's own peak resident, replayed the peak of the replay with what the allocator
 * had made resident at its start counted in. What the program holds beside its heap (code, stacks,
 * its own mappings) is in real(libc) and taken to stay. Where a program started others and several
 * tapes were recorded, replayed is the largest of them, as real is the peak of the largest process.
 */
#ifndef HEAPTAPE_REPLAYER_DRIVER_PREDICTION_H
#define HEAPTAPE_REPLAYER_DRIVER_PREDICTION_H

#include "replayer/driver/allocators.h"
#include "replayer/driver/engine_run.h"

struct prediction {
    double *replayed_bytes; /* by allocator of the list; NAN where not known */
    size_t count;
    char source[64]; /* where from, for people; empty for nowhere */
};

/* All unknown. */
void prediction_begin(struct prediction *prediction, size_t count);
/*
 * From FOLDER/results.json. False where there is none; a file that is there but no results ends the
 * tool with 3. Warns where it was recorded from another program.
 */
bool prediction_read(struct prediction *prediction, const char *folder,
                     const struct allocator_list *list, const char *program);
/* By replaying the tapes in memory mode. False where it was interrupted. */
bool prediction_replay(struct prediction *prediction, char **tapes, unsigned count,
                       const struct allocator_list *list, const struct engine_settings *settings);
/* NAN where any part is unknown. `libc` is its index in the list. */
double prediction_of(const struct prediction *prediction, size_t allocator, size_t libc,
                     double real_libc_bytes);

#endif
