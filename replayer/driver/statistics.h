/*
 * Medians and their 95 % intervals. The interval is the expanded percentile bootstrap of the
 * median: the sample is drawn from itself with replacement STATISTICS_RESAMPLES times, by a
 * generator of our own with a given seed, so that the same runs always give the same interval; then
 * the quantiles at Phi(-t * sqrt(n / (n - 1))) and one minus that are taken, t being Student's for
 * n - 1 degrees of freedom. (T. C. Hesterberg, What Teachers Should Know About the Bootstrap, The
 * American Statistician 69, 2015, section 3.3; the plain percentiles hold the true median in 87 of
 * 100 cases only with 7 values.) A unit test counts how often the truth is inside: from 6 values on
 * 95 of 100 times or more, skewed values and outliers included. With fewer the interval is the
 * range of the sample: 5 give a true coverage of 94 %, 4 of 88 %, 3 of 75 %. Below 3 there is no
 * interval.
 *
 * Whether two allocators differ is the business of significance.h.
 */
#ifndef HEAPTAPE_REPLAYER_DRIVER_STATISTICS_H
#define HEAPTAPE_REPLAYER_DRIVER_STATISTICS_H

#include <stddef.h>
#include <stdint.h>

#define STATISTICS_RESAMPLES   4000
#define STATISTICS_MIN         3 /* values that an interval needs */
#define STATISTICS_RANGE_BELOW 6 /* with fewer, the range of the values is the interval */
#define STATISTICS_CONFIDENCE  0.95
#define STATISTICS_METHOD                                                                          \
    "expanded percentile bootstrap of the median over rounds, 4000 resamples; ratios paired by "   \
    "round"

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
/* The interval of median(above) / median(below), two independent samples, each drawn from itself.
 * The same tails as above for the smaller one. */
struct interval statistics_ratio_interval(const double *above, size_t above_count,
                                          const double *below, size_t below_count, uint64_t seed);
/* How wide it is, as a share of its median; INFINITY where there is none. */
double statistics_width(const struct interval *interval);

#endif
