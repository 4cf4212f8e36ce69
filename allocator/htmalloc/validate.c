#include "validate.h"

#include "fork.h"
#include "heap.h"
#include "huge.h"
#include "memcheck.h"
#include "message.h"
#include "mixed.h"
#include "private_heap.h"
#include "segment.h"
#include "span.h"

#include <string.h>

/* What the walk over the segments found, to be held against the counts that the allocator keeps. */
struct tally {
    struct span_counts spans;
    size_t free_spans;
    bool failed;
};

static bool broken(struct tally *tally, int number, const char *what, const void *where)
{
    struct ht_line line = {.length = 0};
    line_text(&line, "htmalloc: invariant ");
    line_number(&line, (uint64_t)number);
    line_text(&line, " broken: ");
    line_text(&line, what);
    line_text(&line, " at ");
    line_hex(&line, (uintptr_t)where);
    line_write(&line);
    tally->failed = true;
    return false;
}

/* --- blocks of a run --- */

static uint64_t seen[HT_SLICE / HT_ALIGN / 64]; /* one bit a block; under the world's locks */

/* Marks the blocks of a chain; false when one is no block of the run, or was seen before. */
static bool mark_chain(const struct run *run, const struct block *block, uint32_t *ret_count)
{
    uint32_t count = 0;
    for (; block != NULL; block = block_next(block), count++) {
        if (!run_has_block(run, block))
            return false;
        size_t unit = run->mixed ? HT_ALIGN : class_bytes(run->class);
        size_t number = (size_t)((const char *)block - slice_base(run)) / unit;
        uint32_t page = (uint32_t)((const char *)block - slice_base(run)) >> HT_PAGE_SHIFT;
        if (seen[number / 64] >> (number % 64) & 1 || run->carve >> page & 1)
            return false;
        seen[number / 64] |= (uint64_t)1 << (number % 64);
    }
    *ret_count = count;
    return true;
}

/* It serves its own class or a smaller one. */
static bool is_current(const struct run *run)
{
    for (unsigned class = 0; class <= run->class; class ++) {
        if (run->owner->current[class] == run)
            return true;
    }
    return false;
}

static bool check_counts(struct tally *tally, const struct run *run, uint32_t free)
{
    uint32_t used = run->circulating - free, odds = mixed_odds(run);
    switch (run->state) {
    case RUN_CURRENT:
        return is_current(run) || broken(tally, 7, "a current run is not its heap's", run);
    case RUN_PARTIAL:
    case RUN_UNCARVED:
        return run_left(run) == used + odds ||
               broken(tally, 7, "a run does not count its used blocks", run);
    case RUN_FULL:
        return (run->mixed ? run_left(run) + free <= run_threshold(run)
                           : run->left + free == run_threshold(run)) ||
               broken(tally, 7, "a full run does not count its frees", run);
    default:
        return broken(tally, 7, "a run has no state", run);
    }
}

/* A mixed run's maps: as many blocks and odd ones as are counted, none over another. */
static bool check_mixed(struct tally *tally, const struct run *run)
{
    const struct mixed *mixed = mixed_of(run);
    unsigned starts = 0, odds = 0, units = class_bytes(run->class) / HT_ALIGN, free_from = 0;
    for (unsigned at = 0; at < MIXED_WORDS * 64; at++) {
        bool start = mixed->starts[at / 64] >> (at % 64) & 1;
        bool odd = mixed->odd[at / 64] >> (at % 64) & 1;
        bool covered = mixed->covered[at / 64] >> (at % 64) & 1;
        if ((at < free_from && (start || covered)) || (start && covered) || (odd && !covered))
            return broken(tally, 14, "blocks of a mixed run overlap", run);
        starts += start;
        odds += odd;
        if (start)
            free_from = at + units;
    }
    return (starts == run->circulating && odds == mixed->odds && run->left == 1 &&
            run->slices == 1 && run->carve == 0) ||
           broken(tally, 14, "a mixed run's counts", run);
}

static bool check_run(struct tally *tally, const struct run *run)
{
    if (run->mixed && !check_mixed(tally, run))
        return false;
    unsigned least = run->mixed ? 1 : class_slices_least(run->class);
    if (run->class >= CLASS_COUNT || run->slices < least ||
        run->slices > class_slices(run->class) || run->owner == NULL ||
        run->circulating > run_capacity(run))
        return broken(tally, 5, "a run's class, size and owner", run);
    for (unsigned i = 1; i < run->slices; i++) {
        if (kind_of(&run[i]) != SLICE_INSIDE || run[i].back != i || run[i].owner != NULL)
            return broken(tally, 5, "a slice does not lead to its run", run + i);
    }
    memset(seen, 0, sizeof seen);
    uint32_t free = 0, remote = 0;
    uint64_t word = __atomic_load_n(&run->remote, __ATOMIC_RELAXED);
    if (!mark_chain(run, run->free, &free) || free > run->circulating)
        return broken(tally, 6, "a run's free list", run);
    if (!mark_chain(run, remote_first(run, word), &remote) || remote != remote_count(word) ||
        free + remote > run->circulating + mixed_odds(run))
        return broken(tally, 6, "what other threads freed of a run", run);
    return check_counts(tally, run, free);
}

static bool check_private(struct tally *tally, const struct run *head)
{
    uint32_t free = 0;
    if (head->owner == NULL || head->class > CLASS_COUNT)
        return broken(tally, 13, "a private heap's slices have no owner or class", head);
    if (private_is_large(head))
        return true;
    memset(seen, 0, sizeof seen);
    if (!mark_chain(head, head->free, &free) || free + head->left != head->circulating)
        return broken(tally, 13, "a private heap's run does not count its blocks", head);
    return true;
}

/* --- segments --- */

static bool check_free_span(struct tally *tally, const struct run *span)
{
    unsigned slices = span->slices, end = slice_number(span) + slices;
    if (slices > 1 &&
        (kind_of(&span[slices - 1]) != SLICE_FREE_END || span[slices - 1].back != slices - 1))
        return broken(tally, 2, "a free span has no end mark", span);
    if (end < HT_SEGMENT_SLICES && kind_of(&span[slices]) == SLICE_FREE)
        return broken(tally, 2, "two free spans side by side", span);
    bool dirty = segment_count_dirty(segment_of(span), slice_number(span), slices) > 0;
    const struct run *in_bin = span_bin(slices, dirty);
    while (in_bin != NULL && in_bin != span)
        in_bin = in_bin->next;
    if (in_bin == NULL)
        return broken(tally, 3, "a free span is not in its bin", span);
    for (unsigned i = 0; i < slices; i++) {
        tally->spans.slices_dirty += segment_is_dirty(segment_of(span), slice_number(span) + i);
        if (span[i].owner != NULL)
            return broken(tally, 5, "a free slice has an owner", span + i);
    }
    tally->spans.slices_free += slices;
    tally->free_spans++;
    return true;
}

static bool check_segment(struct tally *tally, const struct segment *segment)
{
    if (!segment_holds(segment))
        return broken(tally, 1, "a segment is not in the map", segment);
    size_t free_before = tally->spans.slices_free;
    for (unsigned at = 1; at < HT_SEGMENT_SLICES;) {
        const struct run *span = (const struct run *)segment + at;
        if (span->slices == 0 || at + span->slices > HT_SEGMENT_SLICES)
            return broken(tally, 1, "spans do not tile the segment", span);
        bool fine = true;
        if (kind_of(span) == SLICE_FREE)
            fine = check_free_span(tally, span);
        else if (kind_of(span) == SLICE_RUN)
            fine = check_run(tally, span);
        else if (kind_of(span) == SLICE_PRIVATE)
            fine = check_private(tally, span);
        else if (kind_of(span) != SLICE_LARGE && kind_of(span) != SLICE_CACHED)
            fine = broken(tally, 1, "a span begins with a slice that heads nothing", span);
        if (!fine)
            return false;
        if (kind_of(span) != SLICE_FREE)
            tally->spans.slices_used += span->slices;
        at += span->slices;
    }
    tally->spans.segments++;
    return segment->free == tally->spans.slices_free - free_before ||
           broken(tally, 4, "a segment's count of free slices", segment);
}

static bool check_spans(struct tally *tally)
{
    for (struct segment *segment = segment_first(); segment != NULL; segment = segment->next) {
        if (!check_segment(tally, segment))
            return false;
    }
    size_t in_bins = 0;
    for (unsigned slices = 1; slices < HT_SEGMENT_SLICES; slices++) {
        for (int dirty = 0; dirty < 2; dirty++) {
            const struct run *span = span_bin(slices, dirty);
            if ((span != NULL) != span_bin_is_filled(slices, dirty))
                return broken(tally, 3, "a bin's bit", span);
            for (; span != NULL; span = span->next)
                in_bins++;
        }
    }
    if (in_bins != tally->free_spans)
        return broken(tally, 3, "bins hold spans that are not free", NULL);
    return memcmp(&tally->spans, &span_counts, sizeof span_counts) == 0 ||
           broken(tally, 4, "the counts of slices", &span_counts);
}

/* --- heaps --- */

static bool check_list(struct tally *tally, const struct heap *heap, const struct run *run,
                       enum run_state state, unsigned class, size_t *runs)
{
    for (const struct run *prev = NULL; run != NULL; prev = run, run = run->next, ++*runs) {
        if (run->owner != heap || run->state != state || run->prev != prev ||
            (state != RUN_FULL && run->class != class))
            return broken(tally, 8, "a run is in the wrong list", run);
    }
    return true;
}

static bool check_heap(struct tally *tally, const struct heap *heap)
{
    size_t runs = 0;
    for (unsigned class = 0; class < CLASS_COUNT; class ++) {
        runs += heap->current[class]->owner == heap;
        if (!check_list(tally, heap, heap->partial[class], RUN_PARTIAL, class, &runs) ||
            !check_list(tally, heap, heap->uncarved[class], RUN_UNCARVED, class, &runs))
            return false;
        const struct run *last = heap->last[class];
        if ((last == NULL) != (heap->partial[class] == NULL) ||
            (last != NULL && last->next != NULL))
            return broken(tally, 8, "the end of a list of partial runs", heap);
    }
    if (!check_list(tally, heap, heap->full, RUN_FULL, 0, &runs))
        return false;
    size_t current = 0;
    for (unsigned class = 0; class < CLASS_COUNT; class ++)
        current += heap->current[class]->owner == heap;
    if (current != heap->current_runs)
        return broken(tally, 8, "a heap's count of its current runs", heap);
    if (runs != heap->runs)
        return broken(tally, 8, "a heap's count of its runs", heap);
    for (size_t at = 0; at < TABLE_SIZE; at++) {
        if (heap->table[at] != heap->current[class_of(at * HT_ALIGN)])
            return broken(tally, 10, "the table leads elsewhere than to the current run", heap);
    }
    size_t bytes = 0;
    for (unsigned slices = 0; slices <= HT_LARGE_CACHE_SLICES; slices++) {
        const struct run *head = heap->large[slices];
        if (head != NULL && (kind_of(head) != SLICE_CACHED || head->slices != slices))
            return broken(tally, 11, "a cached large block", head);
        bytes += head == NULL ? 0 : run_bytes(head);
    }
    return bytes == heap->large_bytes || broken(tally, 11, "the bytes of cached blocks", heap);
}

static bool check_pending(struct tally *tally, const struct heap *heap)
{
    for (const struct run *run = heap->pending; run != NULL; run = run->pending_next) {
        if ((run->remote & REMOTE_PENDING) == 0 || kind_of(run) != SLICE_RUN)
            return broken(tally, 9, "a run in a pending stack is not marked so", run);
    }
    for (unsigned i = 0; i < HT_OUTBOX_SLOTS; i++) {
        const struct outbox_slot *slot = &heap->outbox[i];
        uint32_t count = slot->run == NULL ? slot->count : 1;
        if (slot->run == NULL)
            continue;
        for (const struct block *at = slot->first; at != slot->last; at = block_next(at)) {
            if (!run_has_block(slot->run, at))
                return broken(tally, 9, "an outbox holds what is no block of its run", at);
            count++;
        }
        if (count != slot->count)
            return broken(tally, 9, "an outbox's count", slot->run);
    }
    return true;
}

/* --- huge blocks --- */

struct huge_tally {
    size_t blocks, bytes;
    bool aligned;
};

static void visit_huge(void *context, void *address, size_t bytes)
{
    struct huge_tally *tally = context;
    tally->blocks++;
    tally->bytes += bytes;
    tally->aligned &= ((uintptr_t)address | bytes) % HT_PAGE == 0 && !segment_holds(address);
}

static bool check_huge(struct tally *tally)
{
    struct huge_tally found = {.aligned = true};
    huge_each(visit_huge, &found);
    return (found.aligned && found.blocks == huge_counts.blocks &&
            found.bytes == huge_counts.bytes) ||
           broken(tally, 12, "the table of huge blocks", &huge_counts);
}

bool ht_validate(void)
{
    struct tally tally = {.failed = false};
    memcheck_inside();
    world_stop();
    check_spans(&tally);
    for (struct heap *heap = heap_first(); heap != NULL && !tally.failed; heap = heap->next) {
        if (check_heap(&tally, heap))
            check_pending(&tally, heap);
    }
    if (!tally.failed)
        check_huge(&tally);
    world_go();
    memcheck_outside();
    return !tally.failed;
}
