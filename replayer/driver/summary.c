/* From runs to figures: medians, intervals, ratios to libc, fragmentation. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "replayer/driver/results.h"
#include "replayer/driver/significance.h"
#include "traces/cli.h"

/* Seeds of the intervals of one row: apart, and the same for the same row. */
enum { SEED_TIME = 1, SEED_RATIO, SEED_RESIDENT, SEED_RESIDENT_RATIO };

struct selection {
    const struct results *results;
    unsigned tape, allocator;
    enum run_mode mode;
};

static bool is_of(const struct results_run *run, const struct selection *of)
{
    return run->tape == of->tape && run->allocator == of->allocator && run->mode == of->mode;
}

static double figure(const struct results_run *run)
{
    return run->mode == RUN_MODE_MEMORY ? (double)run->peak_resident_bytes : run->ns_per_operation;
}

/* The figure of each good run into values; how many. */
static size_t collect(const struct selection *of, double values[STATISTICS_VALUES])
{
    size_t count = 0;
    for (size_t i = 0; i < of->results->run_count && count < STATISTICS_VALUES; i++) {
        const struct results_run *run = &of->results->runs[i];
        if (is_of(run, of) && run->status == RUN_OK)
            values[count++] = figure(run);
    }
    return count;
}

static const struct results_run *run_of_round(const struct selection *of, unsigned round)
{
    for (size_t i = 0; i < of->results->run_count; i++) {
        const struct results_run *run = &of->results->runs[i];
        if (is_of(run, of) && run->round == round && run->status == RUN_OK)
            return run;
    }
    return NULL;
}

/* The ratio to the baseline of each round that both ended well. */
static size_t collect_ratios(const struct selection *of, unsigned baseline,
                             double values[STATISTICS_VALUES])
{
    struct selection base = *of;
    size_t count = 0;
    base.allocator = baseline;
    for (size_t i = 0; i < of->results->run_count && count < STATISTICS_VALUES; i++) {
        const struct results_run *run = &of->results->runs[i];
        if (!is_of(run, of) || run->status != RUN_OK)
            continue;
        const struct results_run *other = run_of_round(&base, run->round);
        if (other && figure(other) > 0)
            values[count++] = figure(run) / figure(other);
    }
    return count;
}

/* The run whose peak resident is the median's, or next below it. */
static const struct results_run *median_run(const struct selection *of)
{
    const struct results_run *runs[STATISTICS_VALUES];
    size_t count = 0;
    for (size_t i = 0; i < of->results->run_count && count < STATISTICS_VALUES; i++) {
        const struct results_run *run = &of->results->runs[i];
        if (!is_of(run, of) || run->status != RUN_OK)
            continue;
        size_t at = count++;
        while (at && runs[at - 1]->peak_resident_bytes > run->peak_resident_bytes) {
            runs[at] = runs[at - 1];
            at--;
        }
        runs[at] = run;
    }
    return count ? runs[(count - 1) / 2] : NULL;
}

/* Counts rounds and takes the first failure, if there is one. */
static void judge(const struct results *results, unsigned tape, unsigned allocator,
                  struct results_summary *summary)
{
    bool any[RUN_MODE_LIMIT] = {false};
    for (size_t i = 0; i < results->run_count; i++) {
        const struct results_run *run = &results->runs[i];
        /* A serial run that fails is told as a warning: without it only the blow-up is unknown. */
        if (run->tape != tape || run->allocator != allocator || run->mode == RUN_MODE_SERIAL)
            continue;
        any[run->mode] = true;
        summary->rounds += run->mode == RUN_MODE_TIME;
        summary->rounds_ok += run->mode == RUN_MODE_TIME && run->status == RUN_OK;
        if (run->status != RUN_OK && summary->status == RUN_OK) {
            summary->status = run->status;
            summary->detail = run->detail;
        }
    }
    if (summary->status == RUN_OK && !(any[RUN_MODE_TIME] && any[RUN_MODE_MEMORY]))
        summary->status = RUN_INTERRUPTED;
}

static void forget_figures(struct results_summary *summary)
{
    struct results_summary empty = {
        .status = summary->status,
        .detail = summary->detail ? summary->detail : "",
        .rounds = summary->rounds,
        .rounds_ok = summary->rounds_ok,
        .is_baseline = summary->is_baseline,
        .stopped = summary->stopped,
        .ns_per_operation = interval_unknown,
        .net_ns_per_operation = interval_unknown,
        .relative_time = {{NAN, NAN, NAN, NAN, NAN}, NAN, NAN},
        .floor_ns_per_operation = NAN,
        .peak_resident_bytes = interval_unknown,
        .relative_peak_resident = {{NAN, NAN, NAN, NAN, NAN}, NAN, NAN},
        .peak_requested_bytes = NAN,
        .peak_usable_bytes = NAN,
        .peak_held_bytes = NAN,
        .startup_resident_bytes = NAN,
        .fragmentation = fragmentation_unknown,
        .over_time = memory_over_time_unknown,
        .blow_up = NAN,
        .resident_blow_up = NAN,
    };
    *summary = empty;
}

static void take_logarithms(double *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        values[i] = log(values[i]);
}

static void time_figures(const struct selection *of, int baseline, uint64_t seed,
                         struct results_summary *summary)
{
    double values[STATISTICS_VALUES];
    size_t count = collect(of, values);
    summary->ns_per_operation = statistics_interval(values, count, seed + SEED_TIME);
    if (baseline >= 0) {
        count = collect_ratios(of, (unsigned)baseline, values);
        summary->relative_time.interval = statistics_interval(values, count, seed + SEED_RATIO);
        take_logarithms(values, count);
        summary->relative_time.p = significance_signed_rank(values, count);
    }
}

static void over_time_figures(const struct selection *of, const struct results_run *run,
                              struct results_summary *summary)
{
    const struct tape_summary *tape = &of->results->tapes[of->tape].summary;
    const struct fragmentation_run memory = {
        .series = run->series,
        .series_count = run->series_count,
        .operations = run->operations,
        .peak_requested_bytes = run->peak_requested_bytes,
        .peak_held_bytes = run->peak_held_bytes,
        .startup_resident_bytes = run->startup_resident_bytes,
        .held_known = run->held_known,
        .speed = of->results->settings.speed,
    };
    summary->fragmentation = fragmentation_of(&memory);
    summary->over_time = memory_over_time(&memory, &tape->clock, tape->events);
}

static void blow_up_figures(const struct selection *of, const struct results_run *run,
                            struct results_summary *summary)
{
    struct selection serially = *of;
    serially.mode = RUN_MODE_SERIAL;
    const struct results_run *serial = run_of_round(&serially, 0);
    if (!serial)
        return;
    if (run->held_known && serial->held_known && serial->peak_held_bytes)
        summary->blow_up = (double)run->peak_held_bytes / (double)serial->peak_held_bytes;
    if (serial->peak_resident_bytes)
        summary->resident_blow_up =
            (double)run->peak_resident_bytes / (double)serial->peak_resident_bytes;
}

static void memory_figures(const struct selection *of, int baseline, uint64_t seed,
                           struct results_summary *summary)
{
    double values[STATISTICS_VALUES];
    size_t count = collect(of, values);
    const struct results_run *run = summary->median_memory = median_run(of);
    summary->peak_resident_bytes = statistics_interval(values, count, seed + SEED_RESIDENT);
    if (baseline >= 0) {
        count = collect_ratios(of, (unsigned)baseline, values);
        summary->relative_peak_resident.interval =
            statistics_interval(values, count, seed + SEED_RESIDENT_RATIO);
        take_logarithms(values, count);
        summary->relative_peak_resident.p = significance_paired_t(values, count);
    }
    if (!run)
        return;
    summary->peak_requested_bytes = (double)run->peak_requested_bytes;
    summary->peak_usable_bytes = (double)run->peak_usable_bytes;
    summary->startup_resident_bytes = (double)run->startup_resident_bytes;
    summary->held_known = run->held_known;
    if (run->held_known)
        summary->peak_held_bytes = (double)run->peak_held_bytes;
    over_time_figures(of, run, summary);
    blow_up_figures(of, run, summary);
}

static void subtract_floor(struct results_summary *summary, double floor_ns)
{
    struct interval net = summary->ns_per_operation;
    summary->floor_ns_per_operation = floor_ns;
    net.median -= floor_ns;
    net.ci_low -= floor_ns;
    net.ci_high -= floor_ns;
    net.min -= floor_ns;
    net.max -= floor_ns;
    summary->net_ns_per_operation = net;
}

static int index_of(const struct results *results, const char *name)
{
    const struct allocator *found = allocators_named(&results->allocators, name);
    return found ? (int)(found - results->allocators.items) : -1;
}

/* All questions of the bench together, time and memory apart. The baseline is none, and the floor
 * is no allocator: its own p stays as it is. */
static void adjust(struct results *results)
{
    size_t columns = results->allocators.count, count = columns * results->tape_count;
    double *p = calloc(2 * count + 1, sizeof *p);
    if (!p)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "out of memory");
    for (size_t i = 0; i < count; i++) {
        const struct results_summary *summary = &results->summary[i];
        bool asked = !summary->is_baseline && !results->allocators.items[i % columns].is_floor;
        p[i] = asked ? summary->relative_time.p : NAN;
        p[count + i] = asked ? summary->relative_peak_resident.p : NAN;
    }
    significance_adjust(p, count);
    significance_adjust(p + count, count);
    for (size_t i = 0; i < count; i++) {
        struct results_summary *summary = &results->summary[i];
        bool floor = results->allocators.items[i % columns].is_floor;
        summary->relative_time.p_adjusted = floor ? summary->relative_time.p : p[i];
        summary->relative_peak_resident.p_adjusted =
            floor ? summary->relative_peak_resident.p : p[count + i];
    }
    free(p);
}

void results_summarize(struct results *results)
{
    size_t columns = results->allocators.count, count = columns * results->tape_count;
    int baseline = index_of(results, ALLOCATOR_LIBC), null = index_of(results, ALLOCATOR_NULL);
    if (!results->summary)
        results->summary = calloc(count, sizeof *results->summary);
    if (!results->summary)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "out of memory");
    for (size_t i = 0; i < count; i++) {
        struct results_summary *summary = &results->summary[i];
        struct selection of = {results, (unsigned)(i / columns), (unsigned)(i % columns),
                               RUN_MODE_TIME};
        memset(summary, 0, sizeof *summary);
        judge(results, of.tape, of.allocator, summary);
        summary->is_baseline = (int)of.allocator == baseline;
        summary->stopped = results->stops ? results->stops[i] : RESULTS_STOP_NONE;
        forget_figures(summary);
        if (summary->status != RUN_OK)
            continue;
        time_figures(&of, baseline, results->seed, summary);
        of.mode = RUN_MODE_MEMORY;
        memory_figures(&of, baseline, results->seed, summary);
    }
    adjust(results);
    for (size_t i = 0; i < count && null >= 0; i++) {
        const struct results_summary *floor = &results->summary[i - i % columns + (size_t)null];
        subtract_floor(&results->summary[i], floor->ns_per_operation.median);
    }
}

const struct results_summary *results_summary_of(const struct results *results, unsigned tape,
                                                 unsigned allocator)
{
    return &results->summary[tape * results->allocators.count + allocator];
}

int results_differs(const struct results_ratio *ratio)
{
    const struct interval *interval = &ratio->interval;
    if (!(ratio->p_adjusted <= SIGNIFICANCE_LEVEL) || isnan(interval->ci_low) ||
        (interval->ci_low <= 1 && interval->ci_high >= 1))
        return 0;
    return interval->ci_low > 1 ? 1 : -1;
}

static const char *verdict(const struct results_summary *summary, const struct results_ratio *ratio,
                           const char *below, const char *above)
{
    if (summary->status != RUN_OK || isnan(ratio->interval.median))
        return NULL;
    if (summary->is_baseline)
        return "baseline";
    int differs = results_differs(ratio);
    return differs < 0 ? below : differs > 0 ? above : "no difference shown";
}

const char *results_time_verdict(const struct results_summary *summary)
{
    return verdict(summary, &summary->relative_time, "faster", "slower");
}

const char *results_memory_verdict(const struct results_summary *summary)
{
    return verdict(summary, &summary->relative_peak_resident, "less", "more");
}
