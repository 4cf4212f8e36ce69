#include "replayer/driver/statistics.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

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

struct interval statistics_interval(const double *values, size_t count, uint64_t seed)
{
    struct random_source source = {seed};
    struct interval interval = interval_unknown;
    double sorted[STATISTICS_VALUES], resample[STATISTICS_VALUES], medians[STATISTICS_RESAMPLES];
    if (!count)
        return interval;
    if (count > STATISTICS_VALUES)
        abort();
    memcpy(sorted, values, count * sizeof *values);
    interval.median = statistics_median(sorted, count);
    interval.min = sorted[0];
    interval.max = sorted[count - 1];
    if (count < STATISTICS_MIN)
        return interval;
    for (unsigned i = 0; i < STATISTICS_RESAMPLES; i++) {
        for (size_t j = 0; j < count; j++)
            resample[j] = sorted[random_below(&source, count)];
        medians[i] = statistics_median(resample, count);
    }
    qsort(medians, STATISTICS_RESAMPLES, sizeof *medians, compare_doubles);
    double tail = (1 - STATISTICS_CONFIDENCE) / 2;
    interval.ci_low = medians[(unsigned)(tail * STATISTICS_RESAMPLES)];
    interval.ci_high = medians[STATISTICS_RESAMPLES - 1 - (unsigned)(tail * STATISTICS_RESAMPLES)];
    return interval;
}

int statistics_differs(const struct interval *ratio)
{
    if (isnan(ratio->ci_low) || (ratio->ci_low <= 1 && ratio->ci_high >= 1))
        return 0;
    return ratio->ci_low > 1 ? 1 : -1;
}
