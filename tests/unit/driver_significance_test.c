/* The tests behind "faster", "more" and "no difference shown": by hand, and counted on many benches
 * whose truth is known. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "replayer/driver/schedule.h"
#include "replayer/driver/significance.h"
#include "replayer/driver/statistics.h"
#include "tests/unit/check.h"

static void test_signed_ranks_by_hand(void)
{
    /* 6 of one sign: 2 of the 64 ways to give signs are as far out. */
    double same[] = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6};
    CHECK_NEAR(significance_signed_rank(same, 6), 2.0 / 64, 1e-12);
    CHECK_NEAR(significance_signed_rank(same, 5), 2.0 / 32, 1e-12);
    /* the least of them negative: sums of at most 1: none and {1} */
    double one[] = {-0.1, 0.2, 0.3, 0.4, 0.5, 0.6};
    CHECK_NEAR(significance_signed_rank(one, 6), 4.0 / 64, 1e-12);
    /* ranks 2 2 2 4 with 2 = mean of 1, 2, 3; minus one of them: none, or any one of three */
    double ties[] = {-0.1, 0.1, 0.1, 0.4};
    CHECK_NEAR(significance_signed_rank(ties, 4), 2 * 4.0 / 16, 1e-12);
    double zeros[] = {0, 0, 0, 0};
    CHECK_NEAR(significance_signed_rank(zeros, 4), 1, 0);
    CHECK(isnan(significance_signed_rank(same, 2)));
    /* 7 values: doubled ranks 2 4 6 8 8 8 8. The two largest negative: 16 of 44. Subsets of 2 4 6
     * and four 8s that come to at most 16, counted by hand: 2^3 with no 8 (12 at most), four times
     * those of 2 4 6 up to 8 (8 without 4 + 6 and 2 + 4 + 6: 6), and six pairs of 8s alone. */
    double far[] = {0.1, 0.2, 0.3, 0.4, 0.5, -9, -8};
    CHECK_NEAR(significance_signed_rank(far, 7), 2 * (8 + 4 * 6 + 6) / 128.0, 1e-12);
}

/* Where the exact sum ends and the normal distribution begins nothing jumps. */
static void test_many_values_go_on_smoothly(void)
{
    double values[65];
    for (unsigned i = 0; i < 65; i++)
        values[i] = (i % 3 ? 1 : -1) * (1 + i / 100.0);
    double exact = significance_signed_rank(values, 64),
           near = significance_signed_rank(values, 65);
    CHECK(exact < 0.05 && exact > 1e-4);
    CHECK_NEAR(near, exact, exact);
}

/* From printed tables. */
static void test_student_by_table(void)
{
    CHECK_NEAR(significance_t_quantile(0.05, 1), 12.706, 0.001);
    CHECK_NEAR(significance_t_quantile(0.05, 2), 4.303, 0.001);
    CHECK_NEAR(significance_t_quantile(0.05, 5), 2.571, 0.001);
    CHECK_NEAR(significance_t_quantile(0.05, 30), 2.042, 0.001);
    CHECK_NEAR(significance_t_quantile(0.01, 4), 4.604, 0.001);
    CHECK_NEAR(significance_t_tails(0, 7), 1, 1e-12);
    double logs[] = {1, 2, 3}; /* t = 2 / (1 / sqrt 3) = 3.4641 with 2: p = 0.0742 */
    CHECK_NEAR(significance_paired_t(logs, 3), 0.0742, 0.0001);
    double alike[] = {0.1, 0.1, 0.1}, nothing[] = {0, 0, 0};
    CHECK_NEAR(significance_paired_t(alike, 3), 0, 0);
    CHECK_NEAR(significance_paired_t(nothing, 3), 1, 0);
    CHECK(isnan(significance_paired_t(alike, 2)));
}

/* The example of many textbooks: p * m / rank, never less than a smaller one's. */
static void test_adjusting_by_hand(void)
{
    double p[] = {0.04, NAN, 0.01, 0.03, 0.005};
    significance_adjust(p, 5);
    CHECK_NEAR(p[4], 0.02, 1e-12);
    CHECK_NEAR(p[2], 0.02, 1e-12);
    CHECK_NEAR(p[3], 0.04, 1e-12);
    CHECK_NEAR(p[0], 0.04, 1e-12);
    CHECK(isnan(p[1]));
}

static void test_rounds_needed(void)
{
    CHECK_EQ_U64(significance_rounds_needed(1), 6);
    CHECK_EQ_U64(significance_rounds_needed(2), 7);
    CHECK_EQ_U64(significance_rounds_needed(5), 8);
    CHECK_EQ_U64(significance_rounds_needed(25), 10);
    for (unsigned comparisons = 1; comparisons < 200; comparisons += 13) {
        double logs[32], p[200];
        unsigned rounds = significance_rounds_needed(comparisons);
        for (unsigned i = 0; i < rounds; i++)
            logs[i] = 0.1 + 0.001 * i;
        p[0] = significance_signed_rank(logs, rounds);
        for (unsigned i = 1; i < comparisons; i++)
            p[i] = 0.9;
        significance_adjust(p, comparisons);
        CHECK(p[0] <= SIGNIFICANCE_LEVEL);
    }
}

/* ---- benches whose truth is known
 * ----------------------------------------------------------------- */

enum { MOST = 5 };

static double even(struct random_source *source)
{
    return ((double)(random_next(source) >> 11) + 0.5) / 9007199254740992.0;
}

/* A run's time: the round's mood, a little noise, and in one of ten a neighbour who takes the CPU.
 */
static double time_of(struct random_source *source, double truth, double mood)
{
    double noise = 0.01 * sqrt(-2 * log(even(source))) * cos(2 * M_PI * even(source));
    return truth * mood * (1 + noise) * (even(source) < 0.1 ? 1 + even(source) : 1);
}

struct bench {
    double logs[MOST][SCHEDULE_AUTO_MAX], ratios[MOST][SCHEDULE_AUTO_MAX];
    unsigned rounds[MOST];
};

/* Allocators against a libc of 20 ns; with `precision` > 0 as -n auto does. */
static void run_bench(struct bench *bench, const double *truths, unsigned allocators,
                      unsigned rounds, double precision, uint64_t seed)
{
    struct random_source source = {seed};
    memset(bench, 0, sizeof *bench);
    bool stopped[MOST] = {false};
    for (unsigned round = 0; round < (precision > 0 ? SCHEDULE_AUTO_MAX : rounds); round++) {
        double mood = 1 + 0.3 * even(&source), libc = time_of(&source, 20, mood);
        for (unsigned i = 0; i < allocators; i++) {
            double ratio = time_of(&source, truths[i], mood) / libc;
            if (stopped[i])
                continue;
            bench->ratios[i][round] = ratio;
            bench->logs[i][round] = log(ratio);
            bench->rounds[i] = round + 1;
            if (precision > 0 && round + 1 >= rounds) {
                struct interval interval =
                    statistics_interval(bench->ratios[i], round + 1, seed + i);
                stopped[i] = statistics_width(&interval) <= precision;
            }
        }
    }
}

/* How many of them are told to differ, by the test and the interval as summary.c has it. */
static unsigned told(const struct bench *bench, unsigned allocators, bool *ret_each)
{
    double p[MOST];
    unsigned shown = 0;
    for (unsigned i = 0; i < allocators; i++)
        p[i] = significance_signed_rank(bench->logs[i], bench->rounds[i]);
    significance_adjust(p, allocators);
    for (unsigned i = 0; i < allocators; i++) {
        struct interval interval = statistics_interval(bench->ratios[i], bench->rounds[i], i);
        ret_each[i] = p[i] <= SIGNIFICANCE_LEVEL && (interval.ci_low > 1 || interval.ci_high < 1);
        shown += ret_each[i];
    }
    return shown;
}

static void test_the_same_allocator_is_seldom_told_to_differ(void)
{
    static const double truths[MOST] = {20, 20, 20, 20, 20};
    static const unsigned rounds[] = {5, 6, 8, 15, 30};
    static struct bench bench;
    bool each[MOST];
    for (unsigned kind = 0; kind < 5; kind++) {
        unsigned wrong = 0, wrong_alone = 0, benches = 500;
        for (unsigned i = 0; i < benches; i++) {
            run_bench(&bench, truths, MOST, rounds[kind], 0, 1000 * kind + i);
            wrong += told(&bench, MOST, each) > 0;
            wrong_alone += told(&bench, 1, each);
        }
        CHECK_LE_U64(wrong, benches * 7 / 100); /* 5 %, standard deviation 1 % */
        CHECK_LE_U64(wrong_alone, benches * 7 / 100);
        if (rounds[kind] < 6)
            CHECK_EQ_U64(wrong, 0);
    }
}

static void test_what_differs_is_told(void)
{
    static const double truths[MOST] = {19, 20, 20, 20, 26};
    static struct bench bench;
    bool each[MOST];
    unsigned five = 0, thirty = 0, benches = 300, rounds = significance_rounds_needed(MOST);
    for (unsigned i = 0; i < benches; i++) {
        run_bench(&bench, truths, MOST, 15, 0, i);
        told(&bench, MOST, each);
        five += each[0];
        run_bench(&bench, truths, MOST, rounds, 0, i);
        told(&bench, MOST, each);
        thirty += each[4];
    }
    CHECK_LE_U64(benches * 75 / 100, five); /* 5 %, with a run in ten up to twice as long */
    CHECK_LE_U64(benches * 45 / 100, thirty);
}

/* Looking at the width after each round and stopping there costs neither rule anything. */
static void test_stopping_by_width_invents_nothing(void)
{
    static const double truths[MOST] = {20, 20, 20, 20, 20};
    static struct bench bench;
    unsigned wrong = 0, inside = 0, early = 0, benches = 300;
    bool each[MOST];
    for (unsigned i = 0; i < benches; i++) {
        run_bench(&bench, truths, 3, significance_rounds_needed(3), SCHEDULE_PRECISION, 7000 + i);
        wrong += told(&bench, 3, each) > 0;
        for (unsigned j = 0; j < 3; j++) {
            struct interval interval =
                statistics_interval(bench.ratios[j], bench.rounds[j], 7 * i + j);
            inside += interval.ci_low <= 1 && 1 <= interval.ci_high;
            early += bench.rounds[j] < SCHEDULE_AUTO_MAX;
        }
    }
    CHECK_LE_U64(wrong, benches * 8 / 100);
    CHECK_LE_U64(3 * benches * 92 / 100, inside);
    CHECK_LE_U64(3 * benches / 2, early); /* and it does stop */
}

/* Memory: three rounds, and what varies does so by pages. */
static void test_memory_of_three_rounds(void)
{
    struct random_source source = {5};
    unsigned wrong = 0, shown = 0, benches = 2000;
    for (unsigned i = 0; i < benches; i++) {
        double same[3], other[3];
        for (unsigned j = 0; j < 3; j++) {
            double libc = 10e6 + 4096 * (double)random_below(&source, 20);
            same[j] = log((10e6 + 4096 * (double)random_below(&source, 20)) / libc);
            other[j] = log((10.5e6 + 4096 * (double)random_below(&source, 20)) / libc);
        }
        wrong += significance_paired_t(same, 3) <= SIGNIFICANCE_LEVEL;
        shown += significance_paired_t(other, 3) <= SIGNIFICANCE_LEVEL;
    }
    CHECK_LE_U64(wrong, benches * 7 / 100);
    CHECK_LE_U64(benches * 85 / 100, shown);
}

int main(void)
{
    RUN(test_signed_ranks_by_hand);
    RUN(test_many_values_go_on_smoothly);
    RUN(test_student_by_table);
    RUN(test_adjusting_by_hand);
    RUN(test_rounds_needed);
    RUN(test_the_same_allocator_is_seldom_told_to_differ);
    RUN(test_what_differs_is_told);
    RUN(test_stopping_by_width_invents_nothing);
    RUN(test_memory_of_three_rounds);
    check_unused();
    return CHECK_MAIN_END();
}
