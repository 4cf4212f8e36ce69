/* The arithmetic of latency mode's histograms: buckets, size classes, percentiles, merging. */
#include <stdlib.h>
#include "replayer/engine/latency.h"
#include "tests/unit/check.h"

static struct latency_histogram one, other;

static void forget(void)
{
    memset(&one, 0, sizeof one);
    memset(&other, 0, sizeof other);
}

static void test_buckets_follow_each_other(void)
{
    CHECK_EQ_U64(latency_bucket_least(0), 0);
    for (unsigned bucket = 0; bucket < LATENCY_BUCKETS; bucket++) {
        uint64_t least = latency_bucket_least(bucket), next = latency_bucket_least(bucket + 1);
        CHECK(next > least);
        CHECK_EQ_U64(latency_bucket(least), bucket);
        CHECK_EQ_U64(latency_bucket(next - 1), bucket);
        /* The width that the error bound promises. */
        CHECK(next - least == 1 || (double)(next - least) <= (double)least / LATENCY_SUB);
    }
    CHECK_EQ_U64(latency_bucket(UINT64_MAX), LATENCY_BUCKETS - 1);
}

static void test_size_classes(void)
{
    CHECK_EQ_U64(latency_class(0), 0);
    CHECK_EQ_U64(latency_class(16), 0);
    CHECK_EQ_U64(latency_class(17), 1);
    CHECK_EQ_U64(latency_class(32), 1);
    CHECK_EQ_U64(latency_class((uint64_t)4 << 20), LATENCY_CLASSES - 2);
    CHECK_EQ_U64(latency_class(((uint64_t)4 << 20) + 1), LATENCY_CLASSES - 1);
    CHECK_EQ_U64(latency_class(UINT64_MAX), LATENCY_CLASSES - 1);
    for (unsigned class = 0; class < LATENCY_CLASSES; class ++)
        CHECK_EQ_U64(latency_class(latency_class_most(class)), class);
}

static void test_percentiles_are_within_their_bound(void)
{
    forget();
    for (uint64_t i = 1; i <= 1000000; i++)
        latency_add(&one, i * 7);
    for (int percent = 1; percent < 100; percent++) {
        double share = percent / 100.0;
        double true_value = share * 7000000;
        CHECK_NEAR(latency_percentile(&one, share, 1), true_value, LATENCY_ERROR * true_value);
    }
    CHECK_EQ_U64(one.max_ticks, 7000000);
    CHECK_EQ_U64(one.sum_ticks, UINT64_C(7) * 500000 * 1000001);
    CHECK_NEAR(latency_percentile(&one, 1, 1), 7000000, 0);
}

static void test_no_percentile_is_above_the_largest(void)
{
    forget();
    latency_add(&one, 1000003);
    CHECK_NEAR(latency_percentile(&one, 0.9999, 1), 1000003, 0);
    CHECK_NEAR(latency_percentile(&other, 0.5, 1), 0, 0); /* of nothing */
    latency_add(&other, 0);
    CHECK_NEAR(latency_percentile(&other, 0, 1), 0, 0.5);
}

/* A clock that moves on by 26 ticks shows 14 either as 0 or as 26. */
static void test_a_coarse_clock_is_interpolated(void)
{
    forget();
    for (uint64_t phase = 0; phase < 26 * 1000; phase++)
        latency_add(&one, 260 + (phase % 26 + 14) / 26 * 26);
    CHECK_NEAR(latency_percentile(&one, 0.5, 26), 274, 13);
    CHECK_NEAR((double)one.sum_ticks / (double)one.count, 274, 0.01);
}

/* Steps of the clock that fall into neighbouring buckets do not reach over each other. */
static void test_percentiles_rise_with_their_share(void)
{
    for (unsigned step = 1; step <= 64; step++) {
        forget();
        for (uint64_t i = 0; i < 200; i++)
            for (uint64_t repeat = 0; repeat <= i % 7; repeat++)
                latency_add(&one, i * step + (step > 20 && i % 3 == 0));
        double before = 0;
        for (int part = 0; part < 2000; part++) {
            double share = part / 2000.0;
            double value = latency_percentile(&one, share, step);
            CHECK(before <= value);
            before = value;
        }
    }
}

static void test_merging_is_adding(void)
{
    forget();
    static struct latency_histogram all;
    memset(&all, 0, sizeof all);
    srand(7);
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t ticks = (uint64_t)rand() >> rand() % 31;
        latency_add(i % 3 ? &one : &other, ticks);
        latency_add(&all, ticks);
    }
    latency_merge(&one, &other);
    CHECK(memcmp(&one, &all, sizeof all) == 0);
}

static void test_packing_keeps_small_values_and_the_size_of_large_ones(void)
{
    CHECK_EQ_U64(latency_unpack(latency_pack(0)), 0);
    CHECK_EQ_U64(latency_unpack(latency_pack(INT32_MAX)), INT32_MAX);
    for (uint64_t ticks = (uint64_t)1 << 31; ticks < (uint64_t)1 << 46; ticks = ticks * 5 / 3) {
        uint64_t kept = latency_unpack(latency_pack(ticks));
        CHECK_LE_U64(kept, ticks);
        CHECK_LE_U64(ticks - kept, ticks >> 15);
    }
    CHECK_LE_U64((uint64_t)1 << 46, latency_unpack(latency_pack(UINT64_MAX)));
}

int main(void)
{
    RUN(test_buckets_follow_each_other);
    RUN(test_size_classes);
    RUN(test_percentiles_are_within_their_bound);
    RUN(test_no_percentile_is_above_the_largest);
    RUN(test_a_coarse_clock_is_interpolated);
    RUN(test_percentiles_rise_with_their_share);
    RUN(test_merging_is_adding);
    RUN(test_packing_keeps_small_values_and_the_size_of_large_ones);
    return CHECK_MAIN_END();
}
