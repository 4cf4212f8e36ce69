#include "heap_runs.h"

#include "mixed.h"
#include "span.h"

struct run run_none;

#define NONE_8                                                                                     \
    &run_none, &run_none, &run_none, &run_none, &run_none, &run_none, &run_none, &run_none
#define NONE_64 NONE_8, NONE_8, NONE_8, NONE_8, NONE_8, NONE_8, NONE_8, NONE_8
static_assert(TABLE_SIZE == 65, "the initial tables are written out");

struct heap heap_none = {.table = {NONE_64, &run_none}};

/* --- the state of a run: see run.h --- */

void heap_set_current(struct heap *heap, unsigned class, struct run *run)
{
    heap->current_runs += (run != &run_none);
    heap->current_runs -= (heap->current[class] != &run_none);
    heap->current[class] = run;
    size_t bytes = class_bytes(class);
    if (bytes > HT_FAST_MAX)
        return;
    size_t below = class == 0 ? 0 : class_bytes(class - 1) / HT_ALIGN + 1;
    for (size_t at = below; at <= bytes / HT_ALIGN; at++)
        heap->table[at] = run;
}

void heap_release(struct heap *heap, struct run *run)
{
    size_t others = heap->runs - heap->current_runs;
    if (others > heap->other_runs_high)
        heap->other_runs_high = (uint32_t)others;
    heap->runs--;
    run->state = 0;
    span_give(run, run->slices, run_finish(run));
}

static bool is_pending(const struct run *run)
{
    return (__atomic_load_n(&run->remote, __ATOMIC_RELAXED) & REMOTE_PENDING) != 0;
}

/* The list that the run stands in, by its state; none for a current run. */
static struct run **list_of(struct heap *heap, const struct run *run)
{
    switch (run->state) {
    case RUN_PARTIAL:
        return &heap->partial[run->class];
    case RUN_UNCARVED:
        return &heap->uncarved[run->class];
    default:
        return &heap->full;
    }
}

void heap_become_partial(struct heap *heap, struct run *run, uint32_t used)
{
    used += mixed_odds(run);
    if (used == 0 && !is_pending(run)) {
        heap_release(heap, run);
        return;
    }
    run->state = RUN_PARTIAL;
    run_set_left(run, used);
    struct run **list = &heap->partial[run->class];
    if (*list == NULL)
        heap->last[run->class] = run;
    run_list_insert(list, run);
}

void heap_leave_list(struct heap *heap, struct run *run)
{
    if (run->state == RUN_PARTIAL && heap->last[run->class] == run)
        heap->last[run->class] = run->prev;
    run_list_remove(list_of(heap, run), run);
}

void heap_defer(struct heap *heap, struct run *run)
{
    struct run *last = heap->last[run->class];
    if (last == run)
        return;
    heap_leave_list(heap, run);
    last = heap->last[run->class];
    run->prev = last;
    run->next = NULL;
    last->next = run;
    heap->last[run->class] = run;
}

void heap_become_full(struct heap *heap, struct run *run)
{
    run->state = RUN_FULL;
    run_set_left(run, run_threshold(run));
    run_list_insert(&heap->full, run);
}

void heap_become_current(struct heap *heap, struct run *run, unsigned class)
{
    run->state = RUN_CURRENT;
    run_set_left(run, RUN_UNCOUNTED);
    heap_set_current(heap, class, run);
}

void heap_become_uncarved(struct heap *heap, struct run *run, uint32_t used)
{
    run->state = RUN_UNCARVED;
    run->left = used;
    run_list_insert(&heap->uncarved[run->class], run);
}

void heap_retire(struct heap *heap, struct run *run)
{
    if (run->carve == 0)
        heap_become_full(heap, run);
    else /* others have free blocks now; its untouched pages are for later */
        heap_become_uncarved(heap, run, run->circulating);
}

void heap_retire_any(struct heap *heap, unsigned class)
{
    struct run *run = heap->current[class];
    if (run == &run_none)
        return;
    heap_set_current(heap, class, &run_none);
    remote_collect(run, false);
    uint32_t used = run_used(run);
    if (used == run->circulating && used > 0)
        heap_retire(heap, run);
    else
        heap_become_partial(heap, run, used);
}

void heap_count_freed(struct heap *heap, struct run *run, uint32_t blocks)
{
    if (run->state == RUN_CURRENT)
        return;
    uint32_t left = run_left(run), used = 0;
    if (left > blocks) {
        run_set_left(run, left - blocks);
        return;
    }
    if (run->mixed) /* odd blocks that were freed are not in its list */
        used = run_used(run);
    else if (run->state == RUN_FULL)
        used = run->circulating - (run_threshold(run) + (blocks - left));
    if (run->state == RUN_FULL && used == run->circulating) {
        run_set_left(run, run_threshold(run));
        return;
    }
    heap_leave_list(heap, run);
    heap_become_partial(heap, run, used);
}

/* Takes a partial run of the class out of the list: of those that have waited longest, because they
 * have gathered most free blocks by now and will do for longest, the first that is at least half
 * full, else the fullest of a few. What is emptier goes back to the front, to be left alone until
 * it is wholly free. */
static struct run *pick_partial(struct heap *heap, unsigned class)
{
    struct run *best = heap->last[class];
    for (int looks = 4; looks > 0 && run_left(best) * 2 < best->circulating; looks--) {
        struct run *other = best->prev;
        if (other == NULL)
            break;
        struct run *emptier = run_left(other) < run_left(best) ? other : best;
        best = emptier == other ? best : other;
        if (emptier != heap->partial[class]) {
            heap_leave_list(heap, emptier);
            run_list_insert(&heap->partial[class], emptier);
        }
    }
    heap_leave_list(heap, best);
    return best;
}

struct run *heap_pick(struct heap *heap, unsigned class)
{
    if (heap->partial[class] != NULL)
        return pick_partial(heap, class);
    struct run *run = heap->uncarved[class];
    if (run != NULL)
        heap_leave_list(heap, run);
    return run;
}
