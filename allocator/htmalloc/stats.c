#include "stats.h"

#include "extent.h"
#include "heap.h"
#include "huge.h"
#include "memcheck.h"
#include "mixed.h"
#include "private_heap.h"
#include "segment.h"
#include "span.h"

#include <string.h>

/* What programs have been compiled with: fields stay where they are. */
static_assert(offsetof(struct ht_stats, live) == 8, "the two numbers come first");
static_assert(offsetof(struct ht_stats, clean) == 8 + 9 * 8, "the nine parts of `mapped`");
static_assert(offsetof(struct ht_stats, mapped) == 8 + 10 * 8, "stands behind them");
static_assert(sizeof(struct ht_stats) == 8 + 17 * 8, "new fields go to the end");
static_assert(sizeof(struct ht_class_stats) == 6 * 8, "has no room to grow: a new call instead");
static_assert(sizeof(struct ht_thread_stats) == 6 * 8, "has no room to grow: a new call instead");

static uint32_t free_blocks(const struct run *run)
{
    if (kind_of(run) == SLICE_PRIVATE)
        return run->circulating - __atomic_load_n(&run->left, __ATOMIC_RELAXED);
    uint32_t remote = remote_count(__atomic_load_n(&run->remote, __ATOMIC_RELAXED));
    uint32_t left = run_left(run);
    if (run->mixed && run->state == RUN_PARTIAL)
        left -= mixed_of(run)->odds;
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

static struct ht_thread_stats *thread_of(struct stats *stats, const struct run *run)
{
    const struct heap *owner = __atomic_load_n(&run->owner, __ATOMIC_RELAXED);
    if (kind_of(run) != SLICE_RUN || owner == NULL || owner->number > stats->room)
        return NULL;
    return &stats->threads[owner->number - 1];
}

/* Bytes of blocks in use that the program did not ask for: the hardened build has the exact sizes
 * in the seals, the ordinary one does not know them. */
#ifdef HT_HARD
static size_t block_slack(const char *block, size_t bytes)
{
    uint64_t plain = seal_load(block + bytes);
    size_t slack = (uint32_t)plain & SLACK_MASK;
    return seal_holds(plain) && slack >= SEAL_BYTES && slack <= bytes ? slack : 0;
}

static size_t run_slack(const struct run *run)
{
    size_t bytes = class_bytes(run->class), slack = 0;
    for (size_t at = bytes; at + bytes <= run_bytes(run); at += bytes) {
        if ((run->carve >> (at >> HT_PAGE_SHIFT) & 1) == 0)
            slack += block_slack(slice_base(run) + at, bytes);
    }
    return slack;
}

static void add_huge_slack(void *context, void *address, size_t bytes)
{
    struct ht_stats *all = context;
    size_t slack = block_slack(address, bytes);
    all->live -= slack;
    all->internal += slack;
}
#else
#define block_slack(block, bytes) ((void)(block), (size_t)0)
#define run_slack(run)            ((void)(run), (size_t)0)
#endif

static void add_run(struct stats *stats, const struct run *run)
{
    struct ht_class_stats *class = &stats->classes[run->class];
    size_t bytes = class_bytes(run->class), carved = run->circulating, free = free_blocks(run);
    size_t capacity = run->mixed ? carved : run_capacity(run);
    size_t odd = run->mixed ? mixed_odd_bytes(run) : 0, slack = run_slack(run);
    if (carved > capacity)
        carved = capacity; /* read while another thread was at it */
    if (free > carved)
        free = carved;
    class->runs++;
    class->live_blocks += carved - free;
    class->free_blocks += free;
    class->carved_blocks += carved;
    class->capacity_blocks += capacity;
    stats->all.runs++;
    if (slack > (carved - free) * bytes)
        slack = (carved - free) * bytes;
    stats->all.live += (carved - free) * bytes - slack;
    stats->all.live_blocks += carved - free;
    stats->all.free_in_runs += free * bytes;
    stats->all.uncarved += (capacity - carved) * bytes;
    stats->all.internal += run_bytes(run) - capacity * bytes - odd + slack;
    if (run->mixed) {
        stats->all.mixed_runs++;
        stats->all.live += odd;
        stats->all.live_blocks += mixed_of(run)->odds;
    }
    struct ht_thread_stats *thread = thread_of(stats, run);
    if (thread != NULL) {
        thread->runs++;
        thread->live += (carved - free) * bytes - slack;
        thread->free_in_runs += free * bytes;
    }
}

static void add_large(struct stats *stats, const struct run *head)
{
    size_t whole = run_bytes(head), live = head->large_bytes < whole ? head->large_bytes : whole;
    size_t slack = block_slack(slice_base(head), live);
    stats->all.live += live - slack;
    stats->all.live_blocks++;
    stats->all.internal += whole - live + slack;
}

/* Returns the slices that it was: 1 of those that somebody is taking or giving at this moment, for
 * what their first one says is not true yet. */
static unsigned add_span(struct stats *stats, const struct run *span)
{
    switch (kind_of(span)) {
    case SLICE_RUN:
        add_run(stats, span);
        break;
    case SLICE_LARGE:
        add_large(stats, span);
        break;
    case SLICE_CACHED:
        stats->all.cached += run_bytes(span);
        break;
    case SLICE_PRIVATE:
        stats->all.private_heaps += run_bytes(span);
        if (private_is_large(span))
            add_large(stats, span);
        else
            add_run(stats, span);
        break;
    case SLICE_FREE: /* counted by the spans themselves */
        break;
    default:
        stats->all.internal += HT_SLICE;
        return 1;
    }
    return span->slices == 0 ? 1 : span->slices;
}

static void add_segments(struct stats *stats)
{
    lock_take(&span_lock);
    for (const struct segment *at = segment_first(); at != NULL; at = at->next) {
        if (__atomic_load_n(&at->mixed, __ATOMIC_RELAXED) != NULL) {
            stats->all.metadata += MIXED_MAP_BYTES;
            stats->all.mapped += MIXED_MAP_BYTES;
        }
        for (unsigned slice = 1; slice < HT_SEGMENT_SLICES;)
            slice += add_span(stats, (const struct run *)at + slice);
    }
    size_t clean = span_counts.slices_free - span_counts.slices_dirty;
    stats->all.dirty = span_counts.slices_dirty << HT_SLICE_SHIFT;
    stats->all.clean = clean << HT_SLICE_SHIFT;
    stats->all.metadata += span_counts.segments << HT_SLICE_SHIFT;
    stats->all.mapped += span_counts.segments << HT_SEGMENT_SHIFT;
    lock_give(&span_lock);
}

static void add_huge(struct ht_stats *all)
{
    lock_take(&huge_lock);
    all->live += huge_counts.bytes;
    all->live_blocks += huge_counts.blocks;
#ifdef HT_HARD
    huge_each(add_huge_slack, all);
#endif
    all->huge = huge_counts.bytes;
    all->huge_blocks = huge_counts.blocks;
    all->huge_kept = extent_counts.dirty;
    all->clean += extent_counts.bytes - extent_counts.dirty;
    all->metadata += huge_counts.table_bytes;
    all->mapped += huge_counts.bytes + extent_counts.bytes + huge_counts.table_bytes;
    lock_give(&huge_lock);
}

size_t stats_count_threads(void)
{
    const struct heap *newest = heap_first();
    return newest == NULL ? 0 : newest->number;
}

static void add_heaps(struct stats *stats)
{
    for (const struct heap *heap = heap_first(); heap != NULL; heap = heap->next) {
        stats->all.thread_heaps++;
        size_t cached = __atomic_load_n(&heap->large_bytes, __ATOMIC_RELAXED);
        uint32_t state = __atomic_load_n(&heap->state, __ATOMIC_RELAXED);
        if (heap->number <= stats->room)
            stats->threads[heap->number - 1] = (struct ht_thread_stats){
                .number = heap->number, .running = state == HEAP_OWNED, .cached = cached};
    }
    stats->all.metadata += stats->all.thread_heaps * HT_PAGE;
    stats->all.mapped += stats->all.thread_heaps * HT_PAGE;
}

void stats_take(struct stats *stats, struct ht_thread_stats *threads, size_t room)
{
    memset(stats, 0, sizeof *stats);
    stats->all.version = HT_STATS_VERSION;
    stats->all.bytes = sizeof stats->all;
    stats->threads = threads;
    stats->room = room;
    for (unsigned class = 0; class < CLASS_COUNT; class ++)
        stats->classes[class].block_bytes = class_bytes(class);
    if (room > 0)
        memset(threads, 0, room * sizeof *threads);
    memcheck_inside();
    add_heaps(stats);
    add_segments(stats);
    add_huge(&stats->all);
    memcheck_outside();
}

void ht_stats_fill(struct ht_stats *ret_stats, size_t bytes)
{
    struct stats stats;
    stats_take(&stats, NULL, 0);
    if (bytes < stats.all.bytes)
        stats.all.bytes = (uint32_t)bytes;
    else
        memset((char *)ret_stats + stats.all.bytes, 0, bytes - stats.all.bytes);
    memcpy(ret_stats, &stats.all, stats.all.bytes);
}

size_t ht_class_stats(struct ht_class_stats *ret_classes, size_t count)
{
    struct stats stats;
    stats_take(&stats, NULL, 0);
    if (count > CLASS_COUNT)
        count = CLASS_COUNT;
    if (count > 0)
        memcpy(ret_classes, stats.classes, count * sizeof *ret_classes);
    return CLASS_COUNT;
}

size_t ht_thread_stats(struct ht_thread_stats *ret_threads, size_t count)
{
    struct stats stats;
    size_t threads = stats_count_threads();
    stats_take(&stats, ret_threads, count < threads ? count : threads);
    return threads;
}
