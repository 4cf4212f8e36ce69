/*
 * From time-stamp counter values to time: a straight line through two moments that are known on
 * both clocks, the furthest apart that there are.
 */
#ifndef HEAPTAPE_TRACES_RAW_CLOCK_H
#define HEAPTAPE_TRACES_RAW_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct raw_clock {
    uint64_t first_tsc, first_ns;
    double ns_per_tick; /* 0: not known yet */
    unsigned pairs;     /* 0, 1, 2 = two or more */
};

/* A further pair, later than those before. What goes back is left out. */
void raw_clock_pair(struct raw_clock *clock, uint64_t tsc, uint64_t ns);
/* Time of a stamp, 0 before the first pair's ns or where nothing is known. Never decreases with
 * tsc. */
uint64_t raw_clock_ns(const struct raw_clock *clock, uint64_t tsc);

#endif
