#include "replayer/driver/statistics.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "replayer/driver/significance.h"

#define INSERTION_MAX 32

_Static_assert(STATISTICS_RESAMPLES >= 1000, "2.5 % tails need resamples on either side");

const struct interval interval_unknown = {NAN, NAN, NAN, NAN, NAN};

uint64_t random_next(struct random_source *source)
{
    uint64_t z = source->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t random_below(struct random_source *source, uint64_t limit)
{
    /* Values of the last, incomplete range are drawn again. */
    uint64_t reject = -limit % limit, value;
    do
        value = random_next(source);
    while (value < reject);
    return value % limit;
}

void random_order(struct random_source *source, unsigned *order, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned other = (unsigned)random_below(source, i + 1);
        order[i] = order[other];
        order[other] = i;
    }
}

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Insertion sort: a bootstrap sorts thousands of samples of a few rounds. */
static void sort_few(double *values, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        double value = values[i];
        size_t at = i;
        for (; at && values[at - 1] > value; at--)
            values[at] = values[at - 1];
        values[at] = value;
    }
}

static double middle(const double *sorted, size_t count)
{
    return count % 2 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

double statistics_median(double *values, size_t count)
{
    if (!count)
        return NAN;
    if (count > INSERTION_MAX)
        qsort(values, count, sizeof *values, compare_doubles);
    else
        sort_few(values, count);
    return middle(values, count);
}

/*
 * The median of a resample of `sorted`. Counting how often each place was drawn saves sorting:
 * thousands of these are made for each figure. The draw by multiplication favours no place by more
 * than count / 2^32.
 */
static double resampled_median(const double *sorted, size_t count, struct random_source *source)
{
    uint16_t drawn[STATISTICS_VALUES];
    memset(drawn, 0, count * sizeof *drawn);
    for (size_t i = 0; i < count; i++)
        drawn[(random_next(source) >> 32) * count >> 32]++;
    size_t at = 0, seen = drawn[0], half = (count - 1) / 2;
    while (seen <= half)
        seen += drawn[++at];
    double low = sorted[at];
    if (count % 2)
        return low;
    while (seen <= half + 1)
        seen += drawn[++at];
    return (low + sorted[at]) / 2;
}

/* How many of the resampled medians are cut off at each end. */
static size_t tail(size_t count)
{
    double n = (double)count;
    double t = significance_t_quantile(1 - STATISTICS_CONFIDENCE, (unsigned)count - 1);
    double share = erfc(t * sqrt(n / (n - 1)) / M_SQRT2) / 2;
    return (size_t)(share * STATISTICS_RESAMPLES);
}

static struct interval described(double *values, size_t count)
{
    struct interval interval = interval_unknown;
    if (!count)
        return interval;
    if (count > STATISTICS_VALUES)
        abort();
    interval.median = statistics_median(values, count);
    interval.min = values[0];
    interval.max = values[count - 1];
    return interval;
}

static void take_ends(struct interval *interval, double *medians, size_t cut)
{
    qsort(medians, STATISTICS_RESAMPLES, sizeof *medians, compare_doubles);
    interval->ci_low = medians[cut];
    interval->ci_high = medians[STATISTICS_RESAMPLES - 1 - cut];
}

struct interval statistics_interval(const double *values, size_t count, uint64_t seed)
{
    struct random_source source = {seed};
    double sorted[STATISTICS_VALUES], medians[STATISTICS_RESAMPLES];
    memcpy(sorted, values,
           (count < STATISTICS_VALUES ? count : STATISTICS_VALUES) * sizeof *values);
    struct interval interval = described(sorted, count);
    if (count < STATISTICS_MIN)
        return interval;
    for (unsigned i = 0; i < STATISTICS_RESAMPLES; i++)
        medians[i] = resampled_median(sorted, count, &source);
    take_ends(&interval, medians, tail(count));
    if (count < STATISTICS_RANGE_BELOW) {
        interval.ci_low = interval.min;
        interval.ci_high = interval.max;
    }
    return interval;
}

struct interval statistics_ratio_interval(const double *above, size_t above_count,
                                          const double *below, size_t below_count, uint64_t seed)
{
    struct random_source source = {seed};
    double up[STATISTICS_VALUES], down[STATISTICS_VALUES], medians[STATISTICS_RESAMPLES];
    size_t least = above_count < below_count ? above_count : below_count;
    memcpy(up, above, above_count * sizeof *up);
    memcpy(down, below, below_count * sizeof *down);
    struct interval top = described(up, above_count), bottom = described(down, below_count);
    struct interval ratio = {top.median / bottom.median, NAN, NAN, top.min / bottom.max,
                             top.max / bottom.min};
    if (least < STATISTICS_MIN)
        return ratio;
    for (unsigned i = 0; i < STATISTICS_RESAMPLES; i++)
        medians[i] = resampled_median(up, above_count, &source) /
                     resampled_median(down, below_count, &source);
    take_ends(&ratio, medians, tail(least));
    if (least < STATISTICS_RANGE_BELOW) {
        ratio.ci_low = ratio.min;
        ratio.ci_high = ratio.max;
    }
    return ratio;
}

double statistics_width(const struct interval *interval)
{
    double width = (interval->ci_high - interval->ci_low) / interval->median;
    return isnan(width) ? INFINITY : width;
}
