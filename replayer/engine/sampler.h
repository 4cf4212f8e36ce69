/*
 * Memory mode's series: R, U, H and P on a grid of operations and on a grid of time, in at most
 * ENGINE_SERIES_MAX points: where they are full, every second one goes and both grids get twice as
 * wide, so that a run of any length fits. The points at which R, H and P were highest stay.
 *
 * Cost. A point costs 2 us, or 6 where the caches have gone cold meanwhile, and all of them
 * together at most a hundredth of the time, but for some 600 on the grid of operations, which are
 * always taken (of a shorter tape: one each 16 operations): runs of less than about half a second
 * spend more than a hundredth. What was spent, readings between windows included, is
 * engine_result->sampling_ns.
 *
 * Where the figures come from:
 * - R, U: what the replayed calls add up to (memory_loop.c).
 * - H: "data" of /proc/self/statm: private writable mappings and brk, exact; what is only reserved
 *   (PROT_NONE) is not in it.
 * - P: "resident" of /proc/self/statm where this kernel counts it exactly, which is tried out at
 *   the start; elsewhere (counters kept per thread or core) corrected by Rss of
 *   /proc/self/smaps_rollup: at the peak of R, and as often as a 200th of the time allows, since
 * the kernel looks at every page for it.
 * - Huge pages: AnonHugePages of smaps_rollup, at the first peak of R, and where R peaks again or P
 *   is a 16th higher than when they were read last, if the share of time allows. Between two
 *   windows in which the engine's own anonymous memory has changed they get lost: unknown from
 *   there on.
 * - Faults: getrusage(), all threads, samples' own reading apart.
 * - System calls: system_calls.h.
 *
 * H and P are differences to the baseline taken before the first operation. But the memory that the
 * allocator had mapped by then to give blocks from is in H (without it H could be less than R),
 * while what it had made resident by then is told apart (startup_resident_bytes). What the engine
 * maps itself between two windows is measured likewise and taken out, so that its own memory never
 * shows; and what it and libc would fault in while the replay runs is there before (warm.h).
 *
 * Threads: sampler_check() and sampler_mark() may be called by any replay thread; the rest by one
 * thread while no window runs.
 */
#ifndef HEAPTAPE_REPLAYER_SAMPLER_H
#define HEAPTAPE_REPLAYER_SAMPLER_H

#include <stdint.h>
#include "replayer/engine/proc.h"
#include "replayer/engine/replay.h"

/*
 * Opens what it reads; `operations` is the expected number of operations (0: not known), `startup`
 * what the allocator had before the engine did anything.
 */
void sampler_open(struct replay *replay, uint64_t operations, struct proc_footprint startup);
/* The engine's own work between windows: nothing that happens in between counts. */
void sampler_pause(void);
void sampler_resume(void);
/* Samples if either grid is due. Cheap where not. */
void sampler_check(void);
/* Samples if the grid of time is due, for a thread that has nothing to do meanwhile (pace.h): this
 * is not time of the run's. */
void sampler_check_idle(void);
/*
 * Samples whatever the grids say, after the operation that the plan has marked (PLAN_SIDE_* in
 * `flags`): R has a peak, or the program paused there, or there is a chance for a snapshot, or one
 * was asked for (snapshot.h).
 */
void sampler_mark(const struct plan_op *op, unsigned flags);
/* The last sample, of the last pause, and peaks and series into engine_result. */
void sampler_close(void);
/* How many operations apart sampler_check() should be called for a tape of so many. */
uint32_t sampler_stride(uint64_t operations);

#endif
