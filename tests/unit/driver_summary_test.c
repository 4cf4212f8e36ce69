/* From runs to rows: on a bench of one tape whose figures can be told by hand. */
#include <math.h>
#include <stdlib.h>
#include "replayer/driver/results.h"
#include "replayer/driver/tapes.h"
#include "tests/unit/check.h"

enum { LIBC, FAST, NULL_ALLOCATOR, ALLOCATORS };

static struct results results;
static struct allocator allocators[ALLOCATORS];
static struct results_tape tape;

static void begin(void)
{
    static const char *const names[] = {"libc", "fast", "null"};
    free(results.runs);
    free(results.summary);
    memset(&results, 0, sizeof results);
    for (unsigned i = 0; i < ALLOCATORS; i++)
        snprintf(allocators[i].name, sizeof allocators[i].name, "%s", names[i]);
    allocators[NULL_ALLOCATOR].is_floor = true;
    results.allocators.items = allocators;
    results.allocators.count = ALLOCATORS;
    results.tapes = &tape;
    results.tape_count = 1;
}

static struct results_run *time_run(unsigned allocator, unsigned round, double ns)
{
    struct results_run *run = results_add_run(&results);
    run->allocator = allocator;
    run->round = round;
    run->ns_per_operation = ns;
    return run;
}

static struct results_run *memory_run(unsigned allocator, unsigned round, uint64_t resident)
{
    struct results_run *run = results_add_run(&results);
    run->allocator = allocator;
    run->mode = RUN_MODE_MEMORY;
    run->round = round;
    run->peak_resident_bytes = resident;
    return run;
}

/* libc 20, 22, 24; fast always half of it; null 2. Rounds differ more than allocators' noise. */
static void fill_rounds(unsigned rounds)
{
    for (unsigned round = 0; round < rounds; round++) {
        double ns = 20 + 2 * round;
        time_run(LIBC, round, ns);
        time_run(FAST, round, ns / 2);
        time_run(NULL_ALLOCATOR, round, 2);
        memory_run(LIBC, round, 1000 + round);
        memory_run(FAST, round, 1000 + round);
        memory_run(NULL_ALLOCATOR, round, 10);
    }
}

static void fill(void)
{
    fill_rounds(3);
}

static void test_enough_rounds_show_a_difference(void)
{
    begin();
    fill_rounds(6);
    results_summarize(&results);
    const struct results_summary *fast = results_summary_of(&results, 0, FAST);
    CHECK_NEAR(fast->relative_time.p, 2.0 / 64, 1e-12);
    CHECK_NEAR(fast->relative_time.p_adjusted, 2.0 / 64, 1e-12); /* the floor is no comparison */
    CHECK_STR(results_time_verdict(fast), "faster");
    CHECK_STR(results_memory_verdict(fast), "no difference shown");
}

static void test_figures(void)
{
    begin();
    fill();
    results_summarize(&results);
    const struct results_summary *libc = results_summary_of(&results, 0, LIBC),
                                 *fast = results_summary_of(&results, 0, FAST);
    CHECK_EQ_INT(libc->status, RUN_OK);
    CHECK_EQ_U64(fast->rounds, 3);
    CHECK_EQ_U64(fast->rounds_ok, 3);
    CHECK_NEAR(libc->ns_per_operation.median, 22, 0);
    CHECK_NEAR(libc->floor_ns_per_operation, 2, 0);
    CHECK_NEAR(libc->net_ns_per_operation.median, 20, 0);
    CHECK_NEAR(libc->net_ns_per_operation.ci_low, 18, 0);
    CHECK_STR(results_time_verdict(libc), "baseline");
    CHECK_NEAR(fast->relative_time.interval.median, 0.5, 0);
    CHECK_NEAR(fast->relative_time.interval.ci_high, 0.5,
               0); /* paired: the rounds' drift is gone */
    CHECK_STR(results_time_verdict(fast), "no difference shown"); /* in 3 rounds, never */
    CHECK_STR(results_memory_verdict(fast), "no difference shown");
    CHECK_NEAR(fast->peak_resident_bytes.median, 1001, 0);
    CHECK_EQ_U64(fast->median_memory->peak_resident_bytes, 1001);
}

static void test_a_failure_leaves_no_figures(void)
{
    begin();
    fill();
    struct results_run *run = time_run(FAST, 3, 1);
    run->status = RUN_CRASHED;
    snprintf(run->detail, sizeof run->detail, "SIGSEGV");
    results_summarize(&results);
    const struct results_summary *fast = results_summary_of(&results, 0, FAST);
    CHECK_EQ_INT(fast->status, RUN_CRASHED);
    CHECK_STR(fast->detail, "SIGSEGV");
    CHECK_EQ_U64(fast->rounds, 4);
    CHECK_EQ_U64(fast->rounds_ok, 3);
    CHECK(isnan(fast->ns_per_operation.median) && isnan(fast->peak_resident_bytes.median));
    CHECK_NEAR(fast->floor_ns_per_operation, 2, 0);
    CHECK(!results_time_verdict(fast) && !fast->median_memory);
    CHECK_EQ_INT(results_summary_of(&results, 0, LIBC)->status, RUN_OK);
}

/* A mode that has not run is no row yet. */
static void test_half_a_round(void)
{
    begin();
    time_run(LIBC, 0, 20);
    results_summarize(&results);
    CHECK_EQ_INT(results_summary_of(&results, 0, LIBC)->status, RUN_INTERRUPTED);
    CHECK_EQ_INT(results_summary_of(&results, 0, FAST)->status, RUN_INTERRUPTED);
}

static void test_without_a_baseline(void)
{
    begin();
    fill();
    for (size_t i = 0; i < results.run_count; i++)
        if (results.runs[i].allocator == LIBC)
            results.runs[i].status = RUN_TIMEOUT;
    results_summarize(&results);
    const struct results_summary *fast = results_summary_of(&results, 0, FAST);
    CHECK_EQ_INT(fast->status, RUN_OK);
    CHECK_NEAR(fast->ns_per_operation.median, 11, 0);
    CHECK(isnan(fast->relative_time.interval.median));
    CHECK(!results_time_verdict(fast) && !results_memory_verdict(fast));
}

/*
 * R 100 200 100, H 150 300 250, of 10 operations at 0, 4 and 8: H/R - 1 is 0.5 for 4 operations,
 * 0.5 for 4 and 1.5 for 2, so 0.7 on the mean; sums 4*150+4*300+2*250 = 2300 over 4*100+4*200+2*100
 * = 1400.
 */
static void test_fragmentation_by_hand(void)
{
    struct engine_sample series[] = {
        {.operation = 0, .requested_bytes = 100, .held_bytes = 150, .resident_bytes = 150},
        {.operation = 4, .requested_bytes = 200, .held_bytes = 300, .resident_bytes = 300},
        {.operation = 8, .requested_bytes = 100, .held_bytes = 250, .resident_bytes = 300}};
    begin();
    fill();
    for (size_t i = 0; i < results.run_count; i++)
        if (results.runs[i].mode == RUN_MODE_MEMORY && results.runs[i].allocator == FAST) {
            struct results_run *run = &results.runs[i];
            run->series = series;
            run->series_count = 3;
            run->operations = 10;
            run->held_known = true;
            run->peak_held_bytes = 320; /* between two samples */
            run->peak_requested_bytes = 200;
        }
    results_summarize(&results);
    const struct fragmentation *figures = &results_summary_of(&results, 0, FAST)->fragmentation;
    CHECK_NEAR(figures->mean_over_time, 0.7, 1e-12);
    CHECK_NEAR(figures->at_peak_requested, 0.5, 1e-12);
    CHECK_NEAR(figures->at_peak_held, 0.5, 1e-12);
    CHECK_NEAR(figures->max_held_over_max_requested, 0.6, 1e-12);
    CHECK_NEAR(figures->area_ratio, 2300.0 / 1400, 1e-12);
    CHECK_NEAR(figures->at_end, 1.5, 1e-12);
    CHECK_NEAR(figures->peak_utilization, 200.0 / 320, 1e-12);
    CHECK(isnan(results_summary_of(&results, 0, LIBC)->fragmentation.mean_over_time));
}

/*
 * P 150 300 300 and 50 at the start, for 4, 4 and 2 of 10 operations: mean 290. The tape has 10
 * events at 0, 1, ... 7 seconds, then 17 and 27: the points stand for 3 seconds (to the fourth
 * event, after which the second was taken), 4 and 20.
 */
static void test_memory_over_time_by_hand(void)
{
    static struct tape_clock clock;
    struct engine_sample series[] = {
        {.operation = 0, .requested_bytes = 100, .held_bytes = 150, .resident_bytes = 150},
        {.operation = 4, .requested_bytes = 200, .held_bytes = 300, .resident_bytes = 300},
        {.operation = 8, .requested_bytes = 100, .held_bytes = 350, .resident_bytes = 300}};
    struct fragmentation_run run = {
        .series = series, .series_count = 3, .operations = 10, .startup_resident_bytes = 50};
    for (unsigned i = 0; i < 10; i++)
        tape_clock_add(&clock, UINT64_C(1000000000) * (i < 8 ? i : i == 8 ? 17 : 27));
    struct memory_over_time figures = memory_over_time(&run, &clock, 10);
    CHECK_NEAR(figures.mean_requested_bytes, (4 * 100 + 4 * 200 + 2 * 100) / 10.0, 1e-9);
    CHECK_NEAR(figures.mean_resident_bytes, (4 * 200 + 4 * 350 + 2 * 350) / 10.0, 1e-9);
    CHECK_NEAR(figures.resident_byte_seconds, 3 * 200 + 4 * 350 + 20 * 350, 1e-6);
    CHECK_NEAR(figures.mean_resident_by_time_bytes, (3 * 200 + 24 * 350) / 27.0, 1e-6);
    CHECK(isnan(figures.mean_held_bytes)); /* not known of this allocator */
    run.held_known = true;
    CHECK_NEAR(memory_over_time(&run, NULL, 10).mean_held_bytes, 250, 1e-9);
    CHECK(isnan(memory_over_time(&run, NULL, 10).resident_byte_seconds));
    /* Paced at twice the speed, and waiting for 10 s at operation 4: two samples of it. */
    struct engine_sample paced[] = {{.operation = 4, .time_ns = 0, .resident_bytes = 50},
                                    {.operation = 4, .time_ns = UINT64_C(10000000000)}};
    struct fragmentation_run waits = {
        .series = paced, .series_count = 2, .operations = 5, .speed = 2};
    CHECK_NEAR(memory_over_time(&waits, NULL, 5).resident_byte_seconds, 20 * 50, 1e-6);
    /* Every second event of the tape is no call: operation 4 is event 8. */
    CHECK_NEAR(
        memory_over_time(&(struct fragmentation_run){series, 1, 5, 0, 0, 0, true, 0}, &clock, 10)
            .resident_byte_seconds,
        27 * 150, 1e-6);
    run.series_count = 0;
    CHECK(isnan(memory_over_time(&run, &clock, 10).mean_resident_bytes));
    CHECK(isnan(fragmentation_of(&run).at_end));
}

/* Twice as much with threads as with one, held and resident alike; none where one is unknown. */
static void test_blow_up(void)
{
    begin();
    fill();
    for (unsigned allocator = LIBC; allocator <= FAST; allocator++) {
        struct results_run *run = memory_run(allocator, 0, allocator == LIBC ? 1001 : 500);
        run->mode = RUN_MODE_SERIAL;
        run->held_known = true;
        run->peak_held_bytes = 2000;
    }
    for (size_t i = 0; i < results.run_count; i++)
        if (results.runs[i].mode == RUN_MODE_MEMORY && results.runs[i].allocator == FAST) {
            results.runs[i].held_known = true;
            results.runs[i].peak_held_bytes = 5000;
        }
    results_summarize(&results);
    const struct results_summary *libc = results_summary_of(&results, 0, LIBC),
                                 *fast = results_summary_of(&results, 0, FAST);
    CHECK_NEAR(libc->resident_blow_up, 1, 1e-12);
    CHECK(isnan(libc->blow_up)); /* its memory runs do not know H */
    CHECK_NEAR(fast->resident_blow_up, 1001.0 / 500, 1e-12);
    CHECK_NEAR(fast->blow_up, 2.5, 1e-12);
    CHECK_NEAR(fast->peak_resident_bytes.median, 1001, 0); /* the serial run is not among them */
    CHECK_EQ_U64(fast->rounds, 3);
    for (size_t i = 0; i < results.run_count; i++)
        if (results.runs[i].mode == RUN_MODE_SERIAL)
            results.runs[i].status = RUN_CRASHED;
    results_summarize(&results);
    CHECK_EQ_INT(fast->status, RUN_OK); /* a serial run that fails costs the blow-up alone */
    CHECK(isnan(fast->blow_up) && isnan(fast->resident_blow_up));
    CHECK_NEAR(fast->peak_resident_bytes.median, 1001, 0);
}

static void test_tape_names(void)
{
    struct results_tape before[3] = {0};
    tapes_name("a/b/app.tape", before, 0, before[0].name);
    CHECK_STR(before[0].name, "app");
    tapes_name("c/app.tape", before, 1, before[1].name);
    CHECK_STR(before[1].name, "app-2");
    tapes_name("x y/<script>$.tape", before, 2, before[2].name);
    CHECK_STR(before[2].name, "_script__");
    char name[RESULTS_NAME_MAX], path[400];
    tapes_name("../..", before, 0, name);
    CHECK_STR(name, "_.");
    tapes_name(".tape", before, 0, name);
    CHECK_STR(name, "_tape");
    memset(path, 'x', sizeof path);
    path[sizeof path - 1] = 0;
    tapes_name(path, before, 0, name);
    CHECK_LE_U64(strlen(name), RESULTS_NAME_MAX - 1);
}

static void test_warnings_come_once(void)
{
    begin();
    for (unsigned i = 0; i < 2 * RESULTS_WARNINGS; i++)
        results_warn(&results, "code", "hint", "message %u", i % 3);
    CHECK_EQ_U64(results.warning_count, 3);
    CHECK_STR(results.warnings[2].message, "message 2");
    for (unsigned i = 0; i < 2 * RESULTS_WARNINGS; i++)
        results_warn(&results, "code", "hint", "another %u", i);
    CHECK_EQ_U64(results.warning_count, RESULTS_WARNINGS);
}

int main(void)
{
    RUN(test_figures);
    RUN(test_enough_rounds_show_a_difference);
    RUN(test_a_failure_leaves_no_figures);
    RUN(test_half_a_round);
    RUN(test_without_a_baseline);
    RUN(test_fragmentation_by_hand);
    RUN(test_memory_over_time_by_hand);
    RUN(test_blow_up);
    RUN(test_tape_names);
    RUN(test_warnings_come_once);
    begin(); /* gives back what the last test had */
    check_unused();
    return CHECK_MAIN_END();
}
