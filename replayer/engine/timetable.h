/*
 * When an operation is due (--pace=recorded or a factor). Recorded times are coarse (traces/event.h
 * and FORMAT.md), and looking at a clock costs more than an operation, so only some operations are
 * held back, each with the moment that it may not be run before: the first of a thread in a window,
 * and after that every one that was recorded TIMETABLE_STEP_NS or more (of replay) after the last
 * such, or comes TIMETABLE_OPERATIONS later. What comes between follows without looking.
 *
 * A moment counts from the tape's first event and is divided by the speed. Moments are absolute: a
 * replay that is late goes on at once until it has caught up, whatever made it late (the allocator,
 * the planning of the next window), and how late it was is told (result.h).
 *
 * In the plan a moment is a PLAN_WAIT for a thread that nobody runs, PLAN_CLOCK, and stands in the
 * side table; so the loops of a run that is not paced know nothing of it.
 */
#ifndef HEAPTAPE_REPLAYER_TIMETABLE_H
#define HEAPTAPE_REPLAYER_TIMETABLE_H

#include <stdbool.h>
#include <stdint.h>
#include "replayer/engine/window.h"

#define TIMETABLE_STEP_NS    UINT64_C(100000)
#define TIMETABLE_OPERATIONS 1024

struct timetable {
    double speed;      /* 0: no pace, nothing is to be planned */
    uint64_t first_ns; /* recorded time of the first event */
    bool begun;
    uint32_t window_number;
    struct {
        uint32_t window; /* in which its latest moment stands; 0: none yet */
        uint32_t side;   /* where */
    } threads[WINDOW_THREADS];
};

/* `speed` as settings have it. */
void timetable_open(struct timetable *timetable, double speed);
/* A window begins. */
void timetable_window(struct timetable *timetable);
/* An operation for the event recorded at `time_ns` is about to be put in the thread's queue. */
void timetable_event(struct timetable *timetable, struct window *window, uint32_t thread,
                     uint64_t time_ns);

#endif
