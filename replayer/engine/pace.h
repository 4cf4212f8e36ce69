/*
 * Waiting for the moment at which an operation is due (timetable.h), and what of the run's time was
 * such waiting.
 *
 * A thread that waits sleeps, and spins for the last PACE_SPIN_NS, since a sleep ends late; with
 * more threads than cores it does not spin. In memory mode it wakes from time to time to let the
 * sampler look, since an allocator may give memory back meanwhile.
 *
 * Time during which no thread was at work, because each waited for its moment or for one that did,
 * or had none to do, is nobody's: threads_run() takes it out of the timed time. With one lane that
 * is all the time waited. What remains is comparable with a run that is not paced, but not the
 * same: the processor's caches are cold after a pause, for the allocator as for the replay.
 */
#ifndef HEAPTAPE_REPLAYER_PACE_H
#define HEAPTAPE_REPLAYER_PACE_H

#include "replayer/engine/replay.h"

#define PACE_SPIN_NS   UINT64_C(20000)
#define PACE_LATE_NS   UINT64_C(1000000) /* an operation later than that is counted as late */
#define PACE_LOOK_NS   UINT64_C(1000000) /* memory mode: sleeps are cut to this or longer */
#define PACE_LOOKS_MAX 64                /* memory mode: looks in one wait */

/* The run is paced. Without this the calls below must not be made. */
void pace_open(void);
/* A window is about to run, the first of which starts the clock. */
void pace_window(uint64_t now_ns);
/* What the clock has come to. */
uint64_t pace_clock_ns(uint64_t now_ns);
/* A thread sets to work; it has none, or waits for another. Any thread. */
void pace_enter(void);
void pace_leave(void);
/* Blocks until the moment has come. By a thread that is at work. */
void pace_wait(const struct replay *replay, struct replay_thread *self,
               const struct plan_side *moment);
/* Time of this window during which nobody was at work. While none runs. */
uint64_t pace_idle_ns(void);

#endif
