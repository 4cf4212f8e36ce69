#include "replayer/driver/fragmentation.h"
#include <math.h>

const struct fragmentation fragmentation_unknown = {NAN, NAN, NAN, NAN, NAN, NAN, NAN};
const struct memory_over_time memory_over_time_unknown = {NAN, NAN, NAN, NAN, NAN};

static double over(uint64_t held, uint64_t requested)
{
    return requested ? (double)held / (double)requested - 1 : NAN;
}

/* The operation up to which the i-th point stands. */
static uint64_t until(const struct fragmentation_run *run, uint32_t i)
{
    return i + 1 < run->series_count ? run->series[i + 1].operation : run->operations;
}

/* How many operations that is. */
static double weight_of(const struct fragmentation_run *run, uint32_t i)
{
    uint64_t from = run->series[i].operation, to = until(run, i);
    return to > from ? (double)(to - from) : 0;
}

/* Johnstone and Wilson, The Memory Fragmentation Problem: Solved?, ISMM 1998, with their maxima
 * taken over all points. */
static void means(const struct fragmentation_run *run, struct fragmentation *figures)
{
    double weights = 0, ratios = 0, held = 0, requested = 0;
    for (uint32_t i = 0; i < run->series_count; i++) {
        const struct engine_sample *at = &run->series[i];
        double weight = weight_of(run, i);
        if (!at->requested_bytes)
            continue;
        weights += weight;
        ratios += weight * over(at->held_bytes, at->requested_bytes);
        held += weight * (double)at->held_bytes;
        requested += weight * (double)at->requested_bytes;
    }
    figures->mean_over_time = weights > 0 ? ratios / weights : NAN;
    figures->area_ratio = requested > 0 ? held / requested : NAN;
}

struct fragmentation fragmentation_of(const struct fragmentation_run *run)
{
    struct fragmentation figures = fragmentation_unknown;
    const struct engine_sample *top_requested = run->series, *top_held = run->series;
    if (!run->held_known || !run->series_count)
        return figures;
    for (uint32_t i = 1; i < run->series_count; i++) {
        const struct engine_sample *at = &run->series[i];
        if (at->requested_bytes > top_requested->requested_bytes)
            top_requested = at;
        if (at->held_bytes > top_held->held_bytes)
            top_held = at;
    }
    const struct engine_sample *last = &run->series[run->series_count - 1];
    means(run, &figures);
    figures.at_peak_requested = over(top_requested->held_bytes, top_requested->requested_bytes);
    figures.at_peak_held = over(top_held->held_bytes, top_held->requested_bytes);
    figures.max_held_over_max_requested = over(run->peak_held_bytes, run->peak_requested_bytes);
    figures.at_end = over(last->held_bytes, last->requested_bytes);
    if (run->peak_held_bytes)
        figures.peak_utilization = (double)run->peak_requested_bytes / (double)run->peak_held_bytes;
    return figures;
}

/* Seconds of the recording for which the i-th point stands. */
static double seconds_of(const struct fragmentation_run *run, const struct tape_clock *clock,
                         uint64_t events, uint32_t i)
{
    if (run->speed > 0) {
        uint64_t next_ns = run->series[i + 1 < run->series_count ? i + 1 : i].time_ns;
        return (double)(next_ns - run->series[i].time_ns) / 1e9 * run->speed;
    }
    double events_each = run->operations ? (double)events / (double)run->operations : 0;
    /* A point is what it is once its last event has been: that of index `operation` - 1. */
    double from = (double)run->series[i].operation * events_each - 1;
    double to = (double)until(run, i) * events_each - 1;
    return to > from ? (tape_clock_at(clock, to) - tape_clock_at(clock, from)) / 1e9 : 0;
}

struct memory_over_time memory_over_time(const struct fragmentation_run *run,
                                         const struct tape_clock *clock, uint64_t events)
{
    struct memory_over_time figures = memory_over_time_unknown;
    double weights = 0, requested = 0, held = 0, resident = 0, seconds = 0, byte_seconds = 0;
    for (uint32_t i = 0; i < run->series_count; i++) {
        const struct engine_sample *at = &run->series[i];
        double weight = weight_of(run, i);
        double bytes = (double)at->resident_bytes + (double)run->startup_resident_bytes;
        double passed = clock || run->speed > 0 ? seconds_of(run, clock, events, i) : 0;
        weights += weight;
        requested += weight * (double)at->requested_bytes;
        held += weight * (double)at->held_bytes;
        resident += weight * bytes;
        seconds += passed;
        byte_seconds += passed * bytes;
    }
    if (weights > 0) {
        figures.mean_requested_bytes = requested / weights;
        figures.mean_resident_bytes = resident / weights;
    }
    if (weights > 0 && run->held_known)
        figures.mean_held_bytes = held / weights;
    if (seconds > 0) {
        figures.resident_byte_seconds = byte_seconds;
        figures.mean_resident_by_time_bytes = byte_seconds / seconds;
    }
    return figures;
}

void fragmentation_emit(struct emit *emit, const struct fragmentation *figures)
{
    emit_fixed(emit, "mean_over_time", figures->mean_over_time, 5);
    emit_fixed(emit, "at_peak_requested", figures->at_peak_requested, 5);
    emit_fixed(emit, "at_peak_held", figures->at_peak_held, 5);
    emit_fixed(emit, "max_held_over_max_requested", figures->max_held_over_max_requested, 5);
    emit_fixed(emit, "at_end", figures->at_end, 5);
    emit_fixed(emit, "area_ratio", figures->area_ratio, 5);
    emit_fixed(emit, "peak_utilization", figures->peak_utilization, 5);
}

void memory_over_time_emit(struct emit *emit, const struct memory_over_time *figures)
{
    emit_fixed(emit, "mean_requested_bytes", figures->mean_requested_bytes, 0);
    emit_fixed(emit, "mean_held_bytes", figures->mean_held_bytes, 0);
    emit_fixed(emit, "mean_resident_bytes", figures->mean_resident_bytes, 0);
    emit_fixed(emit, "resident_byte_seconds", figures->resident_byte_seconds, 0);
    emit_fixed(emit, "mean_resident_by_time_bytes", figures->mean_resident_by_time_bytes, 0);
}
