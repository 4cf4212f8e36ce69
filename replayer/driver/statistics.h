/*
 * Medians and their 95 % intervals. The interval is the percentile bootstrap of the median: the
 * sample is drawn from itself with replacement STATISTICS_RESAMPLES times, by a generator of our
 * own with a given seed, so that the same runs always give the same interval. With few rounds it is
 * the range of the sample: 5 rounds give a true coverage of 94 %, 4 of 88 %, 3 of 75 %. Below 3
 * there is no interval. (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.)
 *
 * A difference from the baseline is judged on ratios paired by round, since runs of one round share
 * the machine's mood: "no difference shown" where the interval of the median ratio includes 1, or
 * where there is no interval.
 */
#ifndef HEAPTAPE_REPLAYER_DRIVER_STATISTICS_H
#define HEAPTAPE_REPLAYER_DRIVER_STATISTICS_H

#include <stddef.h>
#include <stdint.h>

#define STATISTICS_RESAMPLES  4000
#define STATISTICS_MIN        3 /* values that an interval needs */
#define STATISTICS_CONFIDENCE 0.95
#define STATISTICS_METHOD                                                                          \
    "percentile bootstrap of the median over rounds, 4000 resamples; ratios paired by round"

/* SplitMix64 (Steele, Lea and Flood, 2014): one word of state, any seed is a good one. */
struct random_source {
    uint64_t state;
};
uint64_t random_next(struct random_source *source);
/* Even over 0 .. limit - 1; limit > 0. */
uint64_t random_below(struct random_source *source, uint64_t limit);
/* A random order of 0 .. count - 1 (Fisher and Yates). */
void random_order(struct random_source *source, unsigned *order, unsigned count);

/* NAN where not known: all of it for no values, the interval for fewer than STATISTICS_MIN. */
struct interval {
    double median, ci_low, ci_high, min, max;
};
extern const struct interval interval_unknown;

/* Sorts `values`; NAN for none. */
double statistics_median(double *values, size_t count);
/* Keeps `values` as they are. At most STATISTICS_VALUES of them; more abort. */
#define STATISTICS_VALUES 1024
struct interval statistics_interval(const double *values, size_t count, uint64_t seed);
/* -1 below 1, +1 above, 0 no difference shown. */
int statistics_differs(const struct interval *ratio);

#endif
