/*
 * Recorded time by event, of a tape of any length in bounded memory: every stride-th event's time,
 * the stride doubled whenever the points are used up. Between two points time is taken to pass
 * evenly.
 */
#ifndef HEAPTAPE_TRACES_CLOCK_H
#define HEAPTAPE_TRACES_CLOCK_H

#include <stdint.h>

#define TAPE_CLOCK_POINTS 2048
_Static_assert(TAPE_CLOCK_POINTS % 2 == 0, "halved without a rest");

/* Zeroed: no event yet. */
struct tape_clock {
    uint64_t stride;                     /* events from one point to the next */
    uint64_t events;                     /* added so far */
    uint64_t last_ns;                    /* time of the last one */
    uint32_t count;                      /* points */
    uint64_t time_ns[TAPE_CLOCK_POINTS]; /* of event i * stride */
};

/* The next event of the tape, recorded at `time_ns`. */
void tape_clock_add(struct tape_clock *clock, uint64_t time_ns);
/* Nanoseconds at which the event with this index was recorded; the last one's from there on. */
double tape_clock_at(const struct tape_clock *clock, double event);

#endif
