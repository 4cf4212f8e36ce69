#include "analysis/analyze_emit.h"

#include <stdlib.h>
#include <string.h>

#include "analysis/class_use.h"

#define NS_PER_SECOND 1e9

unsigned analyze_part_named(const char *word)
{
    static const char *const names[] = {"summary",    "top",   "sizes",
                                        "lifetimes",  "lanes", "size-lifetimes",
                                        "lane-frees", "waste", "classes"};

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (!strcmp(word, names[i]))
            return 1u << i;
    return strcmp(word, "all") ? 0 : ANALYZE_ALL;
}

/* part / whole with as many decimals as say something, null where there is no whole. */
static void emit_ratio(struct emit *emit, const char *key, double part, double whole, int decimals)
{
    if (whole > 0)
        emit_fixed(emit, key, part / whole, decimals);
    else
        emit_null(emit, key);
}

static void emit_share(struct emit *emit, const char *key, double part, double whole)
{
    emit_ratio(emit, key, part, whole, 6);
}

static void emit_counts(struct emit *emit, const struct analyze_output *output,
                        const struct statistics *s)
{
    emit_string(emit, "tape", output->path);
    emit_string(emit, "program", output->program);
    emit_bool(emit, "complete", output->totals.complete);
    emit_u64(emit, "damaged_blocks", output->damaged_blocks);
    emit_u64(emit, "dropped_events", s->dropped);
    emit_u64(emit, "events", s->events);
    emit_u64(emit, "allocations", statistics_allocations(s));
    emit_u64(emit, "frees", statistics_frees(s));
    emit_u64(emit, "reallocs", s->by_kind[TAPE_REALLOC]);
    emit_u64(emit, "failed", s->by_kind[TAPE_FAILED]);
    emit_u64(emit, "allocated_bytes", s->allocated_bytes);
    emit_fixed(emit, "duration_seconds", (double)s->duration_ns / NS_PER_SECOND, 6);
}

uint64_t analyze_packing_bytes(const struct analyze_output *output)
{
    return output->best_fit_bytes < output->first_fit_bytes ? output->best_fit_bytes
                                                            : output->first_fit_bytes;
}

/* Null where no blocks were placed, so that there are the same keys for every tape. */
static void emit_packing(struct emit *emit, const struct analyze_output *output,
                         const struct statistics *s)
{
    static const char *const keys[] = {"packing_bytes", "packing_method",
                                       "packing_over_lower_bound",
                                       "packing_over_aligned_lower_bound"};
    for (unsigned i = 0; !output->packed && i < sizeof keys / sizeof *keys; i++)
        emit_null(emit, keys[i]);
    if (!output->packed)
        return;
    uint64_t bytes = analyze_packing_bytes(output);
    emit_u64(emit, keys[0], bytes);
    emit_string(emit, keys[1],
                bytes < output->first_fit_bytes ? "best_fit_aligned_no_headers"
                                                : "first_fit_aligned_no_headers");
    emit_ratio(emit, keys[2], (double)bytes, (double)s->peak_live_bytes, 4);
    emit_ratio(emit, keys[3], (double)bytes, (double)s->peak_granule_bytes, 4);
}

static void emit_live(struct emit *emit, const struct analyze_output *output,
                      const struct statistics *s)
{
    emit_u64(emit, "peak_live_bytes", s->peak_live_bytes);
    emit_u64(emit, "peak_live_blocks", s->track.peak_live_objects);
    emit_u64(emit, "blocks_at_peak_bytes", s->blocks_at_peak);
    emit_u64(emit, "peak_event", s->peak_event);
    emit_fixed(emit, "peak_time_seconds", (double)s->peak_time_ns / NS_PER_SECOND, 6);
    emit_ratio(emit, "mean_live_bytes", s->live_bytes_sum, (double)s->events, 0);
    emit_u64(emit, "lower_bound_bytes", s->peak_live_bytes);
    emit_string(emit, "lower_bound_method", "peak_live");
    emit_u64(emit, "aligned_lower_bound_bytes", s->peak_granule_bytes);
    emit_packing(emit, output, s);
    emit_u64(emit, "leaked_blocks", s->track.live_objects);
    emit_u64(emit, "leaked_bytes", s->track.live_bytes);
}

static void emit_behaviour(struct emit *emit, const struct statistics *s)
{
    double seconds = (double)s->duration_ns / NS_PER_SECOND;
    double allocations = (double)statistics_allocations(s);

    emit_ratio(emit, "mean_size_bytes", (double)s->allocated_bytes, allocations, 1);
    emit_ratio(emit, "allocations_per_second", allocations, seconds, 0);
    emit_ratio(emit, "allocated_bytes_per_second", (double)s->allocated_bytes, seconds, 0);
    emit_u64(emit, "temporary_blocks", s->temporary);
    emit_share(emit, "temporary_share", (double)s->temporary, allocations);
    emit_u64(emit, "lifetime_median_events", lifetime_quantile(&s->lifetimes.by_events, 0.5));
    emit_u64(emit, "lifetime_p90_events", lifetime_quantile(&s->lifetimes.by_events, 0.9));
    emit_u64(emit, "lifetime_median_bytes", lifetime_quantile(&s->lifetimes.by_bytes, 0.5));
    emit_u64(emit, "lifetime_p90_bytes", lifetime_quantile(&s->lifetimes.by_bytes, 0.9));
    emit_u64(emit, "lanes", s->lanes.count);
    emit_u64(emit, "cross_lane_frees", s->cross_lane_frees);
    emit_share(emit, "cross_lane_free_share", (double)s->cross_lane_frees, (double)s->ended);
    emit_u64(emit, "reallocs_grew", s->reallocs.grew);
    emit_u64(emit, "reallocs_shrank", s->reallocs.shrank);
    emit_u64(emit, "reallocs_same", s->reallocs.same);
    emit_u64(emit, "realloc_grown_bytes", s->reallocs.grown_bytes);
    emit_u64(emit, "realloc_shrunk_bytes", s->reallocs.shrunk_bytes);
    emit_u64(emit, "realloc_copied_bytes_max", s->reallocs.copied_bytes_max);
}

static void emit_top(struct emit *emit, const char *key, const struct statistics *s,
                     enum size_order order, unsigned top)
{
    const struct size_entry *best[ANALYZE_TOP_MAX];
    size_t count = size_table_top(&s->sizes, order, best, top);
    double calls = (double)statistics_allocations(s) + (double)s->by_kind[TAPE_REALLOC];

    emit_array(emit, key);
    for (size_t i = 0; i < count; i++) {
        uint64_t blocks = size_entry_at_peak(&s->sizes, best[i]);
        emit_object(emit, NULL);
        emit_u64(emit, "size_bytes", best[i]->size);
        emit_u64(emit, "allocations", best[i]->allocations);
        emit_share(emit, "allocations_share", (double)best[i]->allocations, calls);
        emit_u64(emit, "blocks_at_peak", blocks);
        emit_u64(emit, "bytes_at_peak", blocks * best[i]->size);
        emit_share(emit, "bytes_at_peak_share", (double)(blocks * best[i]->size),
                   (double)s->peak_live_bytes);
        emit_end(emit);
    }
    emit_end(emit);
}

static void emit_sizes(struct emit *emit, const struct statistics *s)
{
    emit_array(emit, "sizes");
    for (unsigned bin = 0; bin < SUMMARY_SIZE_BINS; bin++) {
        if (!s->size_count[bin])
            continue;
        emit_object(emit, NULL);
        emit_u64(emit, "size_low_bytes", summary_bin_low(bin));
        emit_u64(emit, "size_high_bytes",
                 bin + 1 < SUMMARY_SIZE_BINS ? summary_bin_low(bin + 1) - 1 : UINT64_MAX);
        emit_u64(emit, "allocations", s->size_count[bin]);
        emit_u64(emit, "allocated_bytes", s->size_bytes[bin]);
        emit_end(emit);
    }
    emit_end(emit);
}

/* Both clocks in one table, bin by bin, so that it is one CSV file. */
static void emit_lifetimes(struct emit *emit, const struct statistics *s)
{
    const struct lifetime_histogram *events = &s->lifetimes.by_events;
    const struct lifetime_histogram *bytes = &s->lifetimes.by_bytes;

    emit_array(emit, "lifetimes");
    for (unsigned bin = 0; bin < LIFETIME_BINS; bin++) {
        if (!events->blocks[bin] && !bytes->blocks[bin])
            continue;
        emit_object(emit, NULL);
        emit_u64(emit, "lifetime_low", lifetime_bin_low(bin));
        emit_u64(emit, "lifetime_high", lifetime_bin_high(bin));
        emit_u64(emit, "blocks_by_events", events->blocks[bin]);
        emit_u64(emit, "bytes_by_events", events->bytes[bin]);
        emit_u64(emit, "blocks_by_bytes", bytes->blocks[bin]);
        emit_u64(emit, "bytes_by_bytes", bytes->bytes[bin]);
        emit_end(emit);
    }
    emit_end(emit);
}

/* The joint density of sizes and lifetimes in bytes allocated meanwhile, bins without blocks left
 * out. */
static void emit_joint(struct emit *emit, const struct statistics *s)
{
    emit_array(emit, "size_lifetimes");
    for (unsigned size = 0; size < LIFETIME_BINS; size++)
        for (unsigned life = 0; life < LIFETIME_BINS; life++) {
            if (!s->lifetimes.by_size[size][life])
                continue;
            emit_object(emit, NULL);
            emit_u64(emit, "size_low_bytes", lifetime_bin_low(size));
            emit_u64(emit, "size_high_bytes", lifetime_bin_high(size));
            emit_u64(emit, "lifetime_low_bytes", lifetime_bin_low(life));
            emit_u64(emit, "lifetime_high_bytes", lifetime_bin_high(life));
            emit_u64(emit, "blocks", s->lifetimes.by_size[size][life]);
            emit_end(emit);
        }
    emit_end(emit);
}

static void emit_lanes(struct emit *emit, const struct statistics *s)
{
    emit_array(emit, "lane_table");
    for (size_t i = 0; i < s->lanes.count; i++) {
        const struct lane_stats *lane = &s->lanes.lanes[i];
        if (!lane->events)
            continue;
        emit_object(emit, NULL);
        emit_u64(emit, "lane", i);
        emit_u64(emit, "events", lane->events);
        emit_u64(emit, "allocations", lane->allocations);
        emit_u64(emit, "allocated_bytes", lane->allocated_bytes);
        emit_u64(emit, "frees", lane->frees);
        emit_u64(emit, "frees_of_others", lane->frees_of_others);
        emit_u64(emit, "freed_by_others", lane->freed_by_others);
        emit_u64(emit, "temporary_blocks", lane->temporary);
        emit_end(emit);
    }
    emit_end(emit);
}

static void emit_pairs(struct emit *emit, const struct statistics *s)
{
    struct lane_pair *sorted = calloc(s->lane_pairs.used + 1, sizeof *sorted);
    size_t count = sorted ? lane_pairs_sorted(&s->lane_pairs, sorted) : 0;

    emit_array(emit, "lane_frees");
    for (size_t i = 0; i < count; i++) {
        emit_object(emit, NULL);
        emit_u64(emit, "allocated_by", sorted[i].owner);
        emit_u64(emit, "freed_by", sorted[i].freer);
        emit_u64(emit, "blocks", sorted[i].blocks);
        emit_u64(emit, "bytes", sorted[i].bytes);
        emit_end(emit);
    }
    emit_end(emit);
    free(sorted);
}

static void emit_waste(struct emit *emit, const struct class_sizes *sizes,
                       const struct statistics *s)
{
    emit_array(emit, "class_waste");
    for (unsigned i = 0; i < CLASS_RULES; i++) {
        struct class_waste waste = class_waste(sizes, &class_rules[i]);
        emit_object(emit, NULL);
        emit_string(emit, "allocator", class_rules[i].allocator);
        emit_string(emit, "version", class_rules[i].version);
        emit_u64(emit, "classes", waste.classes);
        emit_u64(emit, "lost_at_peak_bytes", waste.lost_at_peak);
        emit_share(emit, "lost_at_peak_share", (double)waste.lost_at_peak,
                   (double)s->peak_live_bytes);
        emit_u64(emit, "lost_at_peak_large_bytes", waste.large_lost_at_peak);
        emit_u64(emit, "headers_at_peak_bytes", waste.headers_at_peak);
        emit_share(emit, "lost_in_calls_share", waste.lost_in_calls, waste.requested_in_calls);
        emit_end(emit);
    }
    emit_end(emit);
}

static void emit_class(struct emit *emit, const struct class_rule *rule,
                       const struct class_use *use)
{
    emit_object(emit, NULL);
    emit_string(emit, "allocator", rule->allocator);
    emit_u64(emit, "usable_bytes", use->usable);
    emit_u64(emit, "least_requested_bytes", use->least);
    emit_u64(emit, "allocations", use->allocations);
    emit_u64(emit, "lost_in_calls_bytes", use->lost_in_calls);
    emit_u64(emit, "blocks_at_peak", use->blocks_at_peak);
    emit_u64(emit, "requested_at_peak_bytes", use->requested_at_peak);
    emit_u64(emit, "lost_at_peak_bytes", use->lost_at_peak);
    emit_end(emit);
}

static bool emit_classes(struct emit *emit, const struct class_sizes *sizes, unsigned top)
{
    struct class_use *uses = malloc((sizes->count + 1) * sizeof *uses);

    emit_array(emit, "classes");
    for (unsigned i = 0; uses && i < CLASS_RULES; i++) {
        size_t count = class_use(sizes, &class_rules[i], uses);
        class_use_rank(uses, count);
        for (size_t at = 0; at < count && at < top; at++)
            emit_class(emit, &class_rules[i], &uses[at]);
    }
    emit_end(emit);
    free(uses);
    return uses;
}

/* False: no memory. */
static bool emit_class_parts(struct emit *emit, const struct analyze_output *output,
                             const struct statistics *s)
{
    struct class_sizes sizes;
    bool done = class_sizes_begin(&sizes, &s->sizes);

    if (done && (output->parts & ANALYZE_WASTE))
        emit_waste(emit, &sizes, s);
    if (done && (output->parts & ANALYZE_CLASSES))
        done = emit_classes(emit, &sizes, output->top);
    class_sizes_end(&sizes);
    return done;
}

int analyze_emit(const struct analyze_output *output, const struct statistics *s,
                 enum emit_format format)
{
    struct emit emit;

    emit_begin(&emit, stdout, format);
    emit_object(&emit, NULL);
    if (format == EMIT_JSON)
        emit_u64(&emit, "schema_version", 1);
    if (output->parts & ANALYZE_SUMMARY) {
        emit_counts(&emit, output, s);
        emit_live(&emit, output, s);
        emit_behaviour(&emit, s);
    }
    if (output->parts & ANALYZE_TOP) {
        emit_bool(&emit, "top_sizes_exact", !s->sizes.rounded);
        emit_top(&emit, "top_sizes_by_allocations", s, SIZE_BY_ALLOCATIONS, output->top);
        emit_top(&emit, "top_sizes_at_peak", s, SIZE_BY_BYTES_AT_PEAK, output->top);
    }
    if (output->parts & ANALYZE_SIZES)
        emit_sizes(&emit, s);
    if (output->parts & ANALYZE_LIFETIMES)
        emit_lifetimes(&emit, s);
    if (output->parts & ANALYZE_LANES)
        emit_lanes(&emit, s);
    if (output->parts & ANALYZE_JOINT)
        emit_joint(&emit, s);
    if (output->parts & ANALYZE_PAIRS)
        emit_pairs(&emit, s);
    bool done =
        !(output->parts & (ANALYZE_WASTE | ANALYZE_CLASSES)) || emit_class_parts(&emit, output, s);
    emit_end(&emit);
    return emit_finish(&emit) || !done ? -1 : 0;
}
