/*
 * The real threads of the replay and the run of a window.
 *
 * What is timed. With one lane: from before its first operation to after its last. With several:
 * from the moment when all threads that begin with the window stand ready and are let go, to the
 * moment when the last thread has done its last operation. The time of a run is the sum over its
 * windows, wall time, not a sum over threads; the processor time of the same stretches stands
 * beside it (timed_cpu_ns). Making threads, waking those that begin with a window and joining them
 * is outside; letting a lane begin in the middle of a window (a futex wake) and what the allocator
 * does at a thread's exit while others still run is inside.
 *
 * Where the run is paced, time in which nobody was at work (pace.h) is taken out of both.
 *
 * A thread of the replay is made by pthread_create, since allocators hang on what libc does for a
 * thread's life. libc asks the heap for one block a thread (its table of thread-local blocks);
 * thread_tls.c sees to it that it is not the allocator that answers.
 */
#ifndef HEAPTAPE_REPLAYER_THREADS_H
#define HEAPTAPE_REPLAYER_THREADS_H

#include "replayer/engine/lanes.h"
#include "replayer/engine/replay.h"
#include "replayer/engine/window.h"

/*
 * `lanes` NULL: a tape of one lane, run by the calling thread alone. `own_stacks`: threads get
 * stacks that the engine has mapped now, so that libc maps and gives back nothing for them later
 * (memory mode).
 */
void threads_open(struct replay *replay, struct lanes *lanes, bool own_stacks);
/* Makes the threads that the planned window needs and joins those that have ended. */
void threads_prepare(struct window *window);
/* Runs the window. Adds to engine_result's timed_ns, timed_cpu_ns, pace_idle_ns and faults. */
void threads_run(struct window *window);
/* Waits until those that end with the window have: what the allocator does then is done. */
void threads_settle(void);
/* Joins all that have ended; threads that have not stay parked. Adds up counts into engine_result.
 */
void threads_close(void);

#endif
