/*
 * Recorded time by event, of a tape of any length in bounded memory: every stride-th event's time,
 * the stride doubled whenever the points are used up, and the two ends of every pause: a stretch
 * without an event that takes at least a TAPE_CLOCK_PAUSE-th of all time so far. Between two points
 * time is taken to pass evenly.
 */
#ifndef HEAPTAPE_TRACES_CLOCK_H
#define HEAPTAPE_TRACES_CLOCK_H

#include <stddef.h>
#include <stdint.h>
#include "traces/event.h"

#define TAPE_CLOCK_POINTS 4096
#define TAPE_CLOCK_PAUSE  256
/* At most TAPE_CLOCK_PAUSE pauses are that long, of two points each. */
_Static_assert(TAPE_CLOCK_POINTS / 2 + 2 * TAPE_CLOCK_PAUSE + 2 < TAPE_CLOCK_POINTS,
               "dropping every other point makes room");

struct tape_clock_point {
    uint64_t event, time_ns;
};

/* Zeroed: no event yet. */
struct tape_clock {
    uint64_t stride;   /* events from one point of the grid to the next; a power of two */
    uint64_t next;     /* event of the grid's next point */
    uint64_t patience; /* ns without an event that are looked at: at most a pause now */
    uint64_t events;   /* added so far */
    uint64_t last_ns;  /* time of the last of them */
    uint32_t count;    /* points; the last event need not be one */
    struct tape_clock_point points[TAPE_CLOCK_POINTS];
};

/* The next event, where it is a point of the grid or may end a pause. */
void tape_clock_point(struct tape_clock *clock, uint64_t time_ns);
/* The next events of the tape: mostly one look for all of them. */
void tape_clock_add_events(struct tape_clock *clock, const struct tape_event *events, size_t count);
/* Nanoseconds at which the event with this index was recorded; the last one's from there on. */
double tape_clock_at(const struct tape_clock *clock, double event);

/* The next event of the tape, recorded at `time_ns`; one that goes back, in a damaged tape, is
 * taken to be at the time of the one before. */
static inline void tape_clock_add(struct tape_clock *clock, uint64_t time_ns)
{
    uint64_t passed = time_ns > clock->last_ns ? time_ns - clock->last_ns : 0;
    if (__builtin_expect(clock->events == clock->next || passed >= clock->patience, 0))
        tape_clock_point(clock, clock->last_ns + passed);
    clock->events++;
    clock->last_ns += passed;
}

#endif
