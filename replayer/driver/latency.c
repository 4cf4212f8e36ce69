#include "replayer/driver/latency.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const double latency_shares[LATENCY_PERCENTILES] = {0.5, 0.9, 0.99, 0.999, 0.9999};
const char *const latency_share_words[LATENCY_PERCENTILES] = {"p50", "p90", "p99", "p99_9",
                                                              "p99_99"};
const char *const latency_kind_words[LATENCY_KINDS] = {"malloc", "calloc", "realloc", "aligned",
                                                       "free"};

struct latency_figures latency_figures(const struct engine_latency *latency,
                                       const struct latency_histogram *histogram)
{
    struct latency_figures figures = {.count = histogram->count, .mean_ns = NAN, .max_ns = NAN};
    double count = (double)histogram->count;
    for (unsigned i = 0; i < LATENCY_PERCENTILES; i++) {
        bool enough = (1 - latency_shares[i]) * count >= 1;
        double ticks = latency_percentile(histogram, latency_shares[i], latency->resolution_ticks);
        figures.percentiles_ns[i] = enough ? latency_ns(latency, ticks) : NAN;
    }
    if (histogram->count) {
        figures.mean_ns = latency_ns(latency, (double)histogram->sum_ticks / count);
        figures.max_ns = latency_ns(latency, (double)histogram->max_ticks);
    }
    return figures;
}

void latency_of_kind(const struct engine_latency *latency, enum latency_kind kind,
                     struct latency_histogram *ret_histogram)
{
    memset(ret_histogram, 0, sizeof *ret_histogram);
    for (unsigned class = 0; class < LATENCY_CLASSES; class ++)
        latency_merge(ret_histogram, &latency->histograms[kind][class]);
}

void latency_of_all(const struct engine_latency *latency, double ret_ns[LATENCY_PERCENTILES])
{
    static struct latency_histogram all;
    memset(&all, 0, sizeof all);
    for (unsigned kind = 0; kind < LATENCY_KINDS; kind++)
        for (unsigned class = 0; class < LATENCY_CLASSES; class ++)
            latency_merge(&all, &latency->histograms[kind][class]);
    struct latency_figures figures = latency_figures(latency, &all);
    memcpy(ret_ns, figures.percentiles_ns, sizeof figures.percentiles_ns);
}

static void add_mean(double *mean, double value, unsigned count)
{
    *mean += (value - *mean) / count;
}

void latency_add_round(struct engine_latency *sum, const struct engine_latency *round,
                       unsigned rounds)
{
    add_mean(&sum->ns_per_tick, round->ns_per_tick, rounds);
    add_mean(&sum->resolution_ticks, round->resolution_ticks, rounds);
    add_mean(&sum->cost_ticks, round->cost_ticks, rounds);
    add_mean(&sum->cost_after_ticks, round->cost_after_ticks, rounds);
    sum->preemptions += round->preemptions;
    sum->has_tsc = round->has_tsc;
    sum->slice_count = round->slice_count;
    memcpy(sum->slices, round->slices, sizeof sum->slices);
    for (unsigned kind = 0; kind < LATENCY_KINDS; kind++)
        for (unsigned class = 0; class < LATENCY_CLASSES; class ++)
            if (round->histograms[kind][class].count)
                latency_merge(&sum->histograms[kind][class], &round->histograms[kind][class]);
}

static void emit_figures(struct emit *emit, const struct latency_figures *figures)
{
    char key[16];
    emit_u64(emit, "count", figures->count);
    emit_fixed(emit, "mean_ns", figures->mean_ns, 1);
    for (unsigned i = 0; i < LATENCY_PERCENTILES; i++) {
        snprintf(key, sizeof key, "%s_ns", latency_share_words[i]);
        emit_fixed(emit, key, figures->percentiles_ns[i], 1);
    }
    emit_fixed(emit, "max_ns", figures->max_ns, 1);
}

/* `class` LATENCY_CLASSES: of all sizes. */
static void emit_row(struct emit *emit, const struct engine_latency *latency,
                     const char *const names[3], unsigned class,
                     const struct latency_histogram *histogram)
{
    struct latency_figures figures = latency_figures(latency, histogram);
    emit_object(emit, NULL);
    if (names[0])
        emit_string(emit, "tape", names[0]);
    emit_string(emit, "allocator", names[1]);
    emit_string(emit, "call", names[2]);
    if (class == LATENCY_CLASSES)
        emit_null(emit, "size_low_bytes");
    else
        emit_u64(emit, "size_low_bytes", class ? latency_class_most(class - 1) + 1 : 0);
    if (class >= LATENCY_CLASSES - 1)
        emit_null(emit, "size_high_bytes");
    else
        emit_u64(emit, "size_high_bytes", latency_class_most(class));
    emit_figures(emit, &figures);
    if (names[0])
        emit_fixed(emit, "error_share", LATENCY_ERROR, 4);
    emit_end(emit);
}

void latency_emit_rows(struct emit *emit, const struct engine_latency *latency, const char *tape,
                       const char *allocator, bool classes)
{
    struct latency_histogram all;
    for (unsigned kind = 0; kind < LATENCY_KINDS; kind++) {
        const char *const names[] = {tape, allocator, latency_kind_words[kind]};
        latency_of_kind(latency, kind, &all);
        if (all.count)
            emit_row(emit, latency, names, LATENCY_CLASSES, &all);
        for (unsigned class = 0; class < LATENCY_CLASSES && classes; class ++)
            if (latency->histograms[kind][class].count)
                emit_row(emit, latency, names, class, &latency->histograms[kind][class]);
    }
}

void latency_emit_flat(struct emit *emit, const struct engine_latency *latency)
{
    struct latency_histogram all;
    char key[32];
    for (unsigned kind = 0; kind < LATENCY_KINDS; kind++) {
        latency_of_kind(latency, kind, &all);
        struct latency_figures figures = latency_figures(latency, &all);
        snprintf(key, sizeof key, "%s_count", latency_kind_words[kind]);
        emit_u64(emit, key, figures.count);
        snprintf(key, sizeof key, "%s_ns_mean", latency_kind_words[kind]);
        emit_fixed(emit, key, figures.mean_ns, 1);
        for (unsigned i = 0; i < LATENCY_PERCENTILES; i++) {
            snprintf(key, sizeof key, "%s_ns_%s", latency_kind_words[kind], latency_share_words[i]);
            emit_fixed(emit, key, figures.percentiles_ns[i], 1);
        }
        snprintf(key, sizeof key, "%s_ns_max", latency_kind_words[kind]);
        emit_fixed(emit, key, figures.max_ns, 1);
    }
}

void latency_emit_clock(struct emit *emit, const struct engine_latency *latency)
{
    emit_fixed(emit, "clock_cost_ns", latency->cost_ticks * latency->ns_per_tick, 2);
    emit_fixed(emit, "clock_resolution_ns", latency_resolution_ns(latency), 2);
    emit_fixed(emit, "error_share", LATENCY_ERROR, 4);
    emit_u64(emit, "preemptions", latency->preemptions);
}
