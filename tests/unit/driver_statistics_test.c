/* Medians, intervals and orders of the bench. */
#include <math.h>
#include <stdlib.h>
#include "replayer/driver/statistics.h"
#include "tests/unit/check.h"

static void test_medians(void)
{
    double odd[] = {5, 1, 3}, even[] = {4, 1, 3, 2}, one[] = {7};
    CHECK_NEAR(statistics_median(odd, 3), 3, 0);
    CHECK_NEAR(statistics_median(even, 4), 2.5, 0);
    CHECK_NEAR(statistics_median(one, 1), 7, 0);
    CHECK(isnan(statistics_median(one, 0)));
}

static void test_long_medians_are_sorted_too(void)
{
    double values[101];
    for (unsigned i = 0; i < 101; i++)
        values[i] = (double)(i * 37 % 101);
    CHECK_NEAR(statistics_median(values, 101), 50, 0);
}

static void test_few_values_have_no_interval(void)
{
    double values[] = {3, 1};
    struct interval interval = statistics_interval(values, 2, 1);
    CHECK_NEAR(interval.median, 2, 0);
    CHECK(isnan(interval.ci_low) && isnan(interval.ci_high));
    CHECK_NEAR(interval.min, 1, 0);
    CHECK_NEAR(interval.max, 3, 0);
    interval = statistics_interval(values, 0, 1);
    CHECK(isnan(interval.median) && isnan(interval.min));
    CHECK_EQ_INT(statistics_differs(&interval), 0);
}

/* With 5 values, a resample's median is the least with probability 0.058: the interval is the
 * range. */
static void test_five_values_give_their_range(void)
{
    double values[] = {10, 12, 11, 14, 13};
    struct interval interval = statistics_interval(values, 5, 42);
    CHECK_NEAR(interval.median, 12, 0);
    CHECK_NEAR(interval.ci_low, 10, 0);
    CHECK_NEAR(interval.ci_high, 14, 0);
    CHECK_NEAR(values[1], 12, 0); /* the caller's order is kept */
}

static void test_the_same_seed_gives_the_same_interval(void)
{
    double values[15];
    struct random_source source = {9};
    for (unsigned i = 0; i < 15; i++)
        values[i] = (double)random_below(&source, 1000000);
    struct interval first = statistics_interval(values, 15, 5),
                    second = statistics_interval(values, 15, 5);
    CHECK_NEAR(first.ci_low, second.ci_low, 0);
    CHECK_NEAR(first.ci_high, second.ci_high, 0);
    CHECK(first.ci_low > first.min && first.ci_high < first.max);
}

/*
 * How often does the interval hold the true median? 400 samples of 15 from a skewed distribution
 * whose median is 1/2: nominally 95 %, the percentile bootstrap of a median is known to fall a
 * little short.
 */
static void test_the_interval_covers_the_truth(void)
{
    struct random_source source = {2026};
    unsigned covered = 0, samples = 400;
    for (unsigned i = 0; i < samples; i++) {
        double values[15];
        for (unsigned j = 0; j < 15; j++) {
            double even = (double)(random_next(&source) >> 11) / 9007199254740992.0;
            values[j] = even < 0.5 ? even : 0.5 + 8 * (even - 0.5);
        }
        struct interval interval = statistics_interval(values, 15, i);
        covered += interval.ci_low <= 0.5 && 0.5 <= interval.ci_high;
    }
    CHECK_LE_U64(samples * 90 / 100, covered);
    CHECK_LE_U64(covered, samples * 99 / 100);
}

static void test_verdicts(void)
{
    struct interval below = {.median = 0.9, .ci_low = 0.88, .ci_high = 0.95};
    struct interval across = {.median = 0.9, .ci_low = 0.8, .ci_high = 1.0};
    struct interval above = {.median = 1.2, .ci_low = 1.01, .ci_high = 1.3};
    struct interval none = {.median = 0.5, .ci_low = NAN, .ci_high = NAN};
    CHECK_EQ_INT(statistics_differs(&below), -1);
    CHECK_EQ_INT(statistics_differs(&across), 0);
    CHECK_EQ_INT(statistics_differs(&above), 1);
    CHECK_EQ_INT(statistics_differs(&none), 0);
}

static void test_orders_are_fair_permutations(void)
{
    struct random_source source = {3};
    unsigned first[4] = {0};
    for (unsigned i = 0; i < 4000; i++) {
        unsigned order[4], seen = 0;
        random_order(&source, order, 4);
        for (unsigned j = 0; j < 4; j++)
            seen |= 1u << order[j];
        CHECK_EQ_U64(seen, 15);
        first[order[0]]++;
    }
    for (unsigned i = 0; i < 4; i++) {
        CHECK_LE_U64(900, first[i]); /* 1000 expected, standard deviation 27 */
        CHECK_LE_U64(first[i], 1100);
    }
}

int main(void)
{
    RUN(test_medians);
    RUN(test_long_medians_are_sorted_too);
    RUN(test_few_values_have_no_interval);
    RUN(test_five_values_give_their_range);
    RUN(test_the_same_seed_gives_the_same_interval);
    RUN(test_the_interval_covers_the_truth);
    RUN(test_verdicts);
    RUN(test_orders_are_fair_permutations);
    check_unused();
    return CHECK_MAIN_END();
}
