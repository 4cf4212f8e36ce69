#include "reclaim.h"

#include "heap_runs.h"
#include "mixed.h"

/* Runs looked at when the footprint grows, and at the end of a window. */
#define LOOKS_GROWTH 8
#define LOOKS_WINDOW 4096

/* Whether so few blocks are in use that some page is likely to be free: up to two a page in
 * circulation, and of blocks longer than a page any but all. */
static bool is_sparse(const struct run *run)
{
    if (run->mixed)
        return false;
    if (class_bytes(run->class) >= HT_PAGE)
        return run->left < run->circulating;
    uint32_t pages = (uint32_t)(run_bytes(run) >> HT_PAGE_SHIFT);
    pages -= (uint32_t)__builtin_popcount(run->carve);
    return run->left <= 2 * pages && run->left < run->circulating;
}

/* Purges a partial run and sets it aside, so that it is not looked at again before it changes. */
static uint32_t purge_partial(struct heap *heap, struct run *run)
{
    if (run->mixed)
        return 0;
    uint32_t used = run->left;
    uint32_t pages = run_purge(run);
    heap_leave_list(heap, run);
    heap_become_uncarved(heap, run, used);
    return pages;
}

/* Whether a run may be worth carving anew: of one slice, and the blocks that it has, with half a
 * block of `bytes` lost at the end of each hole, would leave as much of it as mixed_make() asks
 * for. */
static bool may_mix(const struct run *run, uint32_t bytes)
{
    if (run->slices != 1 || run->free == NULL)
        return false;
    return (size_t)run_left(run) * (class_bytes(run->class) + bytes / 2) * MIXED_SHARE <=
           (MIXED_SHARE - 1) * HT_SLICE;
}

struct run *reclaim_mix(struct heap *heap, unsigned class)
{
    uint32_t bytes = class_bytes(class);
    int looks = bytes <= MIXED_BYTES_MAX ? LOOKS_GROWTH : 0;
    for (unsigned step = 0; step < CLASS_COUNT && looks > 0; step++) {
        unsigned from = heap->mix_at;
        struct run *next;
        for (struct run *run = heap->partial[from]; run != NULL && looks > 0; run = next, looks--) {
            next = run->next;
            if (!may_mix(run, bytes))
                continue;
            heap_leave_list(heap, run);
            if (mixed_make(run, class))
                return run;
            uint32_t used = run_used(run);
            heap_become_partial(heap, run, used);
            heap_defer(heap, run);
            looks -= 2; /* that took long */
        }
        heap->mix_at = from + 1 == CLASS_COUNT ? 0 : from + 1;
    }
    return NULL;
}

struct run *reclaim_borrow(struct heap *heap, unsigned class)
{
    uint32_t most = class_bytes(class) * 4;
    for (unsigned other = class + 1; other < CLASS_COUNT && class_bytes(other) <= most; other++) {
        struct run *run = heap->partial[other];
        if (run == NULL)
            run = heap->uncarved[other];
        if (run != NULL && run->free != NULL && run_left(run) * 4 <= run->circulating) {
            heap_leave_list(heap, run);
            return run;
        }
    }
    return NULL;
}

void reclaim_some(struct heap *heap, size_t pages)
{
    uint32_t got = 0;
    int looks = LOOKS_GROWTH;
    for (unsigned step = 0; step < CLASS_COUNT && got < pages; step++) {
        unsigned class = heap->reclaim_at;
        int dense = 0;
        struct run *run;
        while ((run = heap->partial[class]) != NULL && got < pages && dense < 2) {
            if (looks-- == 0)
                return;
            if (is_sparse(run)) {
                got += purge_partial(heap, run);
            } else {
                heap_defer(heap, run);
                dense++;
            }
        }
        if (got < pages)
            heap->reclaim_at = class + 1 == CLASS_COUNT ? 0 : class + 1;
    }
}

void reclaim_idle(struct heap *heap)
{
    int looks = LOOKS_WINDOW;
    for (unsigned class = 0; class < CLASS_COUNT; class ++) {
        struct run *next;
        for (struct run *run = heap->partial[class]; run != NULL && looks > 0;
             run = next, looks--) {
            next = run->next;
            if (!is_sparse(run))
                continue;
            uint8_t mark = (uint8_t)(run->left + 1);
            if (run->mark == mark)
                purge_partial(heap, run);
            else
                run->mark = mark;
        }
    }
}

void reclaim_all(struct heap *heap)
{
    for (unsigned class = 0; class < CLASS_COUNT; class ++) {
        struct run *next;
        for (struct run *run = heap->partial[class]; run != NULL; run = next) {
            next = run->next;
            purge_partial(heap, run);
        }
        for (struct run *run = heap->uncarved[class]; run != NULL; run = run->next) {
            if (run->free != NULL)
                run_purge(run);
        }
    }
}
