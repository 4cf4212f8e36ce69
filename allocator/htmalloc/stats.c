#include "stats.h"

#include "heap.h"
#include "extent.h"
#include "huge.h"
#include "message.h"
#include "segment.h"
#include "span.h"

#include <string.h>

static uint32_t free_blocks(const struct run *run)
{
    uint32_t remote = remote_count(__atomic_load_n(&run->remote, __ATOMIC_RELAXED));
    uint32_t left = __atomic_load_n(&run->left, __ATOMIC_RELAXED);
    switch (run->state) {
    case RUN_FULL:
        return remote + run_threshold(run) - left;
    case RUN_PARTIAL:
    case RUN_UNCARVED:
        return remote + run->circulating - left;
    default: /* only the owner may follow the list of its current run */
        return run->owner == heap_self ? remote + run->circulating - run_used(run) : remote;
    }
}

static void add_run(struct ht_stats *stats, struct class_stats *classes, const struct run *run)
{
    struct class_stats *class = &classes[run->class];
    uint32_t bytes = class_bytes(run->class), free = free_blocks(run);
    uint32_t circulating = run->circulating;
    if (free > circulating)
        free = circulating;
    size_t uncarved = run_bytes(run) - (size_t)circulating * bytes;
    class->runs++;
    class->live_blocks += circulating - free;
    class->free_blocks += free;
    class->uncarved += uncarved;
    stats->runs++;
    stats->live += (size_t)(circulating - free) * bytes;
    stats->live_blocks += circulating - free;
    stats->free_in_runs += (size_t)free * bytes;
    stats->uncarved += uncarved;
}

static void add_segment(struct ht_stats *stats, struct class_stats *classes,
                        const struct segment *segment)
{
    for (unsigned at = 1; at < HT_SEGMENT_SLICES;) {
        const struct run *span = (const struct run *)segment + at;
        size_t bytes = run_bytes(span);
        switch (kind_of(span)) {
        case SLICE_RUN:
            add_run(stats, classes, span);
            break;
        case SLICE_LARGE:
            stats->live += bytes;
            stats->live_blocks++;
            break;
        case SLICE_CACHED:
            stats->cached += bytes;
            break;
        default:
            break;
        }
        if (span->slices == 0)
            break;
        at += span->slices;
    }
    stats->metadata += HT_SLICE;
}

void stats_take(struct ht_stats *ret_stats, struct class_stats *ret_classes)
{
    struct class_stats classes[CLASS_COUNT];
    struct ht_stats stats;
    memset(&stats, 0, sizeof stats);
    memset(classes, 0, sizeof classes);
    for (const struct heap *heap = heap_first(); heap != NULL; heap = heap->next)
        stats.heaps++;
    lock_take(&span_lock);
    for (const struct segment *at = segment_first(); at != NULL; at = at->next)
        add_segment(&stats, classes, at);
    stats.dirty = span_counts.slices_dirty << HT_SLICE_SHIFT;
    stats.clean = (span_counts.slices_free - span_counts.slices_dirty) << HT_SLICE_SHIFT;
    stats.mapped = span_counts.segments << HT_SEGMENT_SHIFT;
    lock_give(&span_lock);
    lock_take(&huge_lock);
    stats.live += huge_counts.bytes;
    stats.live_blocks += huge_counts.blocks;
    stats.huge = huge_counts.bytes;
    stats.huge_kept = extent_counts.dirty;
    stats.metadata += huge_counts.table_bytes + stats.heaps * HT_PAGE;
    stats.mapped += huge_counts.bytes + extent_counts.bytes;
    lock_give(&huge_lock);
    *ret_stats = stats;
    if (ret_classes != NULL)
        memcpy(ret_classes, classes, sizeof classes);
}

void ht_stats(struct ht_stats *ret_stats)
{
    stats_take(ret_stats, NULL);
}

static void print_field(const char *name, size_t value, const char *meaning)
{
    struct ht_line line = {.length = 0};
    line_text(&line, "htmalloc: ");
    line_text(&line, name);
    line_text(&line, " ");
    line_number(&line, value);
    line_text(&line, "  (");
    line_text(&line, meaning);
    line_text(&line, ")");
    line_write(&line);
}

static void print_class(unsigned class, const struct class_stats *stats)
{
    struct ht_line line = {.length = 0};
    const size_t values[] = {class_bytes(class), stats->runs, stats->live_blocks,
                             stats->free_blocks, stats->uncarved};
    line_text(&line, "htmalloc: class");
    for (unsigned i = 0; i < sizeof values / sizeof *values; i++) {
        line_text(&line, " ");
        line_number(&line, values[i]);
    }
    line_write(&line);
}

void ht_stats_print(void)
{
    struct ht_stats stats;
    struct class_stats classes[CLASS_COUNT];
    stats_take(&stats, classes);
#define PRINT(name, meaning) print_field(#name, stats.name, meaning);
    HT_STATS_FIELDS(PRINT)
#undef PRINT
    struct ht_line line = {.length = 0};
    line_text(&line, "htmalloc: class columns: block bytes, runs, live blocks, free blocks, "
                     "uncarved bytes");
    line_write(&line);
    for (unsigned class = 0; class < CLASS_COUNT; class ++) {
        if (classes[class].runs > 0)
            print_class(class, &classes[class]);
    }
}
