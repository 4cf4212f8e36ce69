/*
 * Memory mode's snapshots of the heap: every live block with its address, the allocator's mappings,
 * and which of their pages are resident. Raw structs of result.h to the descriptor that the driver
 * hands over.
 *
 * When. The plan marks some 512 events (PLAN_SIDE_SNAPSHOT) at which, with several lanes, all stand
 * still: chances. At 64 of them, evenly spread over the operations, one is taken if all snapshots
 * so far and this one stay within 1/250 of the time or 300 ms, at every eighth of those in any
 * case; at the others where P is a 16th above what it was at any before, likewise if it can be
 * afforded. And one at every new peak of R that the plan marks (the last is the peak's), one after
 * the event that was asked for, and one at the end. SNAPSHOT_BYTES_MAX bounds the file: those that
 * would go beyond are left out (and counted), the end's last of all.
 *
 * The thread that is at the chance takes it; the others wait. None of the memory that it uses
 * shows: its tables are resident before the baseline is taken.
 */
#ifndef HEAPTAPE_REPLAYER_SNAPSHOT_H
#define HEAPTAPE_REPLAYER_SNAPSHOT_H

#include "replayer/engine/replay.h"
#include "replayer/engine/window.h"

#define SNAPSHOT_CHANCES   512
#define SNAPSHOT_BYTES_MAX ((uint64_t)1 << 30)

/* Right at the start, before the engine maps anything. -1: no snapshots, and nothing below does
 * anything. */
void snapshot_open(int fd, struct replay *replay);
/* Before the sampler's baseline. `events`: of the tape. */
void snapshot_begin(uint64_t events);
/* A window has ended, after the sampler's pause; the next begins, before the sampler's opening or
 * resuming. */
void snapshot_pause(void);
void snapshot_resume(const struct window *window);
/* Whether snapshot_chance() may take one, for which it needs a sample. */
bool snapshot_may_be_due(uint64_t operation, uint64_t time_ns);
/* At a mark of the plan: takes one if it is due. `sample`: of this moment. Returns what it took,
 * ns. */
uint64_t snapshot_chance(const struct plan_op *op, const struct engine_sample *sample);
/* R has a peak (PLAN_SIDE_SAMPLE in `flags`), or one was asked for (PLAN_SIDE_ASKED). */
uint64_t snapshot_now(const struct plan_op *op, unsigned flags, const struct engine_sample *sample);
/* After the last operation, with the last sample. */
uint64_t snapshot_end(const struct engine_sample *sample);
/* The block of this operation begins or ends. */
static inline void snapshot_birth(struct replay *replay, uint32_t slot, const struct plan_op *op)
{
    const struct window_origin *origin = &replay->origins[op - replay->ops];
    replay->births[slot] = (replay->first_event + origin->event + 1) | (uint64_t)origin->lane
                                                                           << ENGINE_BIRTH_LANE;
}

#endif
