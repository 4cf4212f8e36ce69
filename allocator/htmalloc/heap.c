#include "heap.h"

#include "footprint.h"
#include "heap_runs.h"
#include "large.h"
#include "message.h"
#include "mixed.h"
#include "options.h"
#include "reclaim.h"
#include "span.h"

/* Classes from here on share the blocks of the next few: blocks of more than 2 KiB, half as long
 * again. */
#define SHARED_FROM (CLASS_WIDE + 9)
#define SHARED_NEXT 4

/* Slow paths come by here, so that memory goes back in time while the program does anything at all.
 */
static void tick(struct heap *heap)
{
    if (++heap->ticks % 16 != 0)
        return;
    footprint_tick();
    uint32_t window = __atomic_load_n(&footprint.window, __ATOMIC_RELAXED);
    if (ht_likely(heap->window == window))
        return;
    heap->window = window;
    heap_wake_orphans();
    lock_take(&heap->lock);
    pending_drain(heap);
    reclaim_idle(heap);
    lock_give(&heap->lock);
}

/* The count of a mixed run that the last free of its own thread belongs to. Whether there is more
 * to do: that came to 0, or the last odd block is gone. */
static bool mixed_counted_out(struct run *run)
{
    run->left = 1;
    struct block *block = run->free;
    struct block *next = block_next_in(run, block);
    if (mixed_drop(run, block)) {
        run->free = next;
        return true;
    }
    if (run->state == RUN_CURRENT)
        return false;
    struct mixed *mixed = mixed_of(run);
    if (mixed->left <= 1)
        return true;
    mixed->left--;
    return false;
}

/* Under the lock: a block of the run, not a current one, has been freed. */
static void count_one(struct heap *heap, struct run *run)
{
    bool extended = run->mixed && mixed_of(run)->left > 1 && mixed_extend(run);
    if (extended && run->state == RUN_FULL) {
        heap_leave_list(heap, run);
        heap_become_partial(heap, run, run_used(run));
        return;
    }
    run->left = 1; /* of a mixed run, too */
    heap_count_freed(heap, run, 1);
}

/* So many runs that are not current must have come and gone to make the current ones worth a look.
 */
#define SHRINK_RUNS 8

/* The last but the current runs have been given back: what the thread has been doing is over, or
 * nearly. Nobody counts in current runs, so that they would be kept when the rest of their blocks
 * is freed, however idle the thread is then: as partial ones they go back. Costs about as much as
 * one run in SHRINK_RUNS did. Returns whether it did so. */
static bool heap_shrink(struct heap *heap)
{
    if (heap->runs > heap->current_runs || heap->other_runs_high < SHRINK_RUNS)
        return false;
    heap_retire_from(heap, 0);
    heap->other_runs_high = 0;
    return true;
}

void heap_counted_out(struct heap *heap, struct run *run)
{
    if (ht_unlikely(!run_has_block(run, run->free)))
        ht_die_pointer("free", run->free, "not the start of a block");
    if (run->mixed && !mixed_counted_out(run))
        return;
    bool shrunk = false;
    lock_take(&heap->lock);
    if (run->state == RUN_CURRENT) {
        if (run->mixed)
            mixed_extend(run);
        run_set_left(run, RUN_UNCOUNTED);
    } else {
        count_one(heap, run);
        shrunk = heap_shrink(heap);
    }
    lock_give(&heap->lock);
    if (shrunk)
        large_flush(heap);
    tick(heap);
}

static struct run *new_run(struct heap *heap, unsigned class)
{
    unsigned slices;
    struct run *run = span_take_resident(class_slices(class), class_slices_least(class), &slices);
    if (run == NULL)
        return NULL;
    run_init(run, heap, class, slices);
    heap->runs++;
    return run;
}

static size_t run_pages(unsigned class)
{
    return (size_t)class_slices(class) << (HT_SLICE_SHIFT - HT_PAGE_SHIFT);
}

/* Before a fresh run is taken, where that would make the heap grow: one of another class that
 * serves; NULL when there is none, in which case something may have been given back for the fresh
 * one. */
static struct run *make_do(struct heap *heap, unsigned class, bool may_borrow)
{
    bool grows = footprint_grows(run_pages(class));
    struct run *run = NULL;
    if (options.mix == 2 || (options.mix == 1 && grows))
        run = reclaim_mix(heap, class);
    if (run != NULL || !grows)
        return run;
    if (may_borrow)
        run = reclaim_borrow(heap, class);
    if (run == NULL)
        reclaim_some(heap, run_pages(class));
    return run;
}

/* Whether the run has a free block, after a look at what other threads have freed (of a mixed run
 * that may be nothing but odd blocks). */
static bool has_free(struct run *run)
{
    if (run->free == NULL)
        remote_collect(run, false);
    return run->free != NULL;
}

/* A run that is not current, from wherever it is cheapest; NULL when there is no memory. */
static struct run *another_run(struct heap *heap, unsigned class, bool may_borrow)
{
    struct run *run = heap_pick(heap, class);
    if (run == NULL)
        run = thread_adopt_run(heap, class);
    if (run == NULL)
        run = make_do(heap, class, may_borrow);
    return run != NULL ? run : new_run(heap, class);
}

/* A run with free blocks for the class, made current; of larger blocks only if it may be borrowed.
 * NULL when there is no memory. */
static struct run *refill(struct heap *heap, unsigned class, bool may_borrow)
{
    pending_drain(heap);
    struct run *run = heap->current[class];
    if (run != &run_none) {
        if (has_free(run) || (heap->partial[class] == NULL && run_carve(run)))
            return run;
        heap_retire(heap, run);
    }
    while ((run = another_run(heap, class, may_borrow)) != NULL) {
        heap_become_current(heap, run, class);
        if (has_free(run) || run_carve(run))
            return run;
        heap_retire(heap, run);
    }
    heap_set_current(heap, class, &run_none);
    return NULL;
}

static HT_NOINLINE void *take_slow(struct heap *heap, unsigned class, bool may_borrow)
{
    if (ht_unlikely(!heap->exit_armed) && !__libc_single_threaded)
        heap_arm_exit(heap); /* the first thread got its heap before there were others */
    if (heap->outbox_used)
        heap_flush(heap);
    tick(heap);
    lock_take(&heap->lock);
    struct run *run = refill(heap, class, may_borrow);
    lock_give(&heap->lock);
    if (ht_unlikely(run == NULL))
        return NULL;
    return run_pop(run);
}

/* A free block of the current run of one of the next classes. Long blocks are few and dear: better
 * one that is somewhat longer and resident than a run of its own for each of the sizes that come
 * by. */
static struct run *neighbour(struct heap *heap, unsigned class)
{
    for (unsigned other = class + 1; other <= class + SHARED_NEXT && other < CLASS_COUNT; other++) {
        struct run *run = heap->current[other];
        if (run->free != NULL)
            return run;
    }
    return NULL;
}

void *heap_take(struct heap *heap, unsigned class)
{
    struct run *run = heap->current[class];
    if (ht_unlikely(run->free == NULL)) {
        run = class >= SHARED_FROM ? neighbour(heap, class) : NULL;
        if (run == NULL)
            return take_slow(heap, class, true);
    }
    return run_pop(run);
}

void *heap_take_exact(struct heap *heap, unsigned class)
{
    struct run *run = heap->current[class];
    if (run->class != class && run != &run_none) {
        lock_take(&heap->lock);
        heap_retire_any(heap, class);
        lock_give(&heap->lock);
        run = &run_none;
    }
    return run->free == NULL ? take_slow(heap, class, false) : run_pop(run);
}

void heap_retire_from(struct heap *heap, unsigned class)
{
    pending_drain(heap);
    for (; class < CLASS_COUNT; class ++)
        heap_retire_any(heap, class);
}

void heap_settle(struct heap *heap)
{
    heap_flush(heap);
    large_flush(heap);
    lock_take(&heap->lock);
    heap_retire_from(heap, 0);
    lock_give(&heap->lock);
}

void heap_trim(struct heap *heap)
{
    heap_settle(heap);
    lock_take(&heap->lock);
    reclaim_all(heap);
    lock_give(&heap->lock);
}
