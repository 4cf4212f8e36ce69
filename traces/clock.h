/*
 * Recorded time by event, of a tape of any length in bounded memory: every stride-th event's time,
 * the stride doubled whenever the points are used up, and the two ends of every pause: a stretch
 * without an event that takes at least a TAPE_CLOCK_PAUSE-th of all time so far. Between two points
 * time is taken to pass evenly.
 */
#ifndef HEAPTAPE_TRACES_CLOCK_H
#define HEAPTAPE_TRACES_CLOCK_H

#include <stdint.h>

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
    uint64_t stride;              /* events from one point of the grid to the next */
    uint64_t events;              /* added so far */
    struct tape_clock_point last; /* the last of them */
    uint32_t count;               /* points; the last event need not be one */
    struct tape_clock_point points[TAPE_CLOCK_POINTS];
};

/* The next event of the tape, recorded at `time_ns`, which does not go back. */
void tape_clock_add(struct tape_clock *clock, uint64_t time_ns);
/* Nanoseconds at which the event with this index was recorded; the last one's from there on. */
double tape_clock_at(const struct tape_clock *clock, double event);

#endif
