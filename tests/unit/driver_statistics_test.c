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

/* ---- does the interval hold the true median as often as it says? */

static double even(struct random_source *source)
{
    return ((double)(random_next(source) >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(struct random_source *source)
{
    return sqrt(-2 * log(even(source))) * cos(2 * M_PI * even(source));
}

/* What times look like: about normal, skewed to the right, and one in ten far out. Median 100. */
static double value_normal(struct random_source *source)
{
    return 100 + normal(source);
}

static double value_skewed(struct random_source *source)
{
    return 100 * exp(0.3 * normal(source));
}

static double value_outliers(struct random_source *source)
{
    double value = 100 + normal(source);
    return even(source) < 0.1 ? value + (even(source) < 0.5 ? 50 : -50) : value;
}

typedef double value_of(struct random_source *source);
static value_of *const kinds[] = {value_normal, value_skewed, value_outliers};

static unsigned covered(value_of *kind, unsigned count, unsigned samples)
{
    struct random_source source = {2026 + count};
    unsigned inside = 0;
    for (unsigned i = 0; i < samples; i++) {
        double values[64];
        for (unsigned j = 0; j < count; j++)
            values[j] = kind(&source);
        struct interval interval = statistics_interval(values, count, i);
        inside += interval.ci_low <= 100 && 100 <= interval.ci_high;
    }
    return inside;
}

/* 500 samples: standard deviation 1 %. */
static void test_the_interval_covers_the_truth(void)
{
    static const unsigned counts[] = {6, 7, 8, 9, 10, 12, 15, 20, 30};
    for (unsigned kind = 0; kind < 3; kind++)
        for (unsigned i = 0; i < sizeof counts / sizeof *counts; i++)
            CHECK_LE_U64(500 * 93 / 100, covered(kinds[kind], counts[i], 500));
    /* few values: what the header says of the range */
    CHECK_NEAR(covered(value_normal, 5, 2000) / 2000.0, 0.9375, 0.02);
    CHECK_NEAR(covered(value_normal, 4, 2000) / 2000.0, 0.875, 0.03);
    CHECK_NEAR(covered(value_normal, 3, 2000) / 2000.0, 0.75, 0.04);
    /* and it is no wider than it need be: 15 normal values know their median to 1.25 / sqrt(15) */
    double values[15];
    struct random_source source = {4};
    double width = 0;
    for (unsigned i = 0; i < 100; i++) {
        for (unsigned j = 0; j < 15; j++)
            values[j] = value_normal(&source);
        width += statistics_width(&(struct interval){
            statistics_interval(values, 15, i).median, statistics_interval(values, 15, i).ci_low,
            statistics_interval(values, 15, i).ci_high, 0, 0});
    }
    CHECK_NEAR(width / 100, 2 * 2.22 * 1.25 / sqrt(15) / 100, 0.003);
}

static void test_the_interval_of_a_ratio_of_two_samples(void)
{
    struct random_source source = {77};
    unsigned inside = 0, samples = 300;
    for (unsigned i = 0; i < samples; i++) {
        double above[10], below[9];
        for (unsigned j = 0; j < 10; j++)
            above[j] = 1.1 * value_outliers(&source);
        for (unsigned j = 0; j < 9; j++)
            below[j] = value_outliers(&source);
        struct interval ratio = statistics_ratio_interval(above, 10, below, 9, i);
        inside += ratio.ci_low <= 1.1 && 1.1 <= ratio.ci_high;
    }
    CHECK_LE_U64(samples * 92 / 100, inside);
    double few[] = {2, 2}, more[] = {1, 1, 1};
    struct interval ratio = statistics_ratio_interval(few, 2, more, 3, 1);
    CHECK_NEAR(ratio.median, 2, 0);
    CHECK(isnan(ratio.ci_low));
    CHECK_NEAR(ratio.max, 2, 0);
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
    RUN(test_the_interval_of_a_ratio_of_two_samples);
    RUN(test_orders_are_fair_permutations);
    check_unused();
    return CHECK_MAIN_END();
}
