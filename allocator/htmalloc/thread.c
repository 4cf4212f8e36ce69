#include "heap.h"
#include "heap_runs.h"
#include "memcheck.h"
#include "large.h"
#include "mixed.h"
#include "os.h"
#include "reclaim.h"
#include "segment.h"
#include "thread_exit.h"

__thread struct heap *heap_self = &heap_none;

struct ht_lock heap_registry_lock;
static struct heap *heaps,
    *orphans; /* orphans: changed under the registry lock, peeked at without it */
static struct heap main_heap __attribute__((aligned(64)));

struct heap *heap_first(void)
{
    return __atomic_load_n(&heaps, __ATOMIC_ACQUIRE);
}

/* Orphans that may keep their current runs of one slice, and the most runs that such a one may have
 * had: what a next thread that does the same work starts with at once. */
#define RESTING_HEAPS 2
#define RESTING_RUNS  48
static unsigned resting; /* under the registry lock */

/* Under both locks. */
static void wake(struct heap *orphan)
{
    if (!orphan->resting)
        return;
    orphan->resting = false;
    __atomic_store_n(&resting, resting - 1, __ATOMIC_RELAXED);
    heap_retire_from(orphan, 0);
}

void heap_wake_orphans(void)
{
    /* Whoever waits for the registry may not hold a heap's lock, and need not hold it up, either.
     */
    if (__atomic_load_n(&resting, __ATOMIC_RELAXED) == 0 || !lock_try(&heap_registry_lock))
        return;
    for (struct heap *orphan = orphans; orphan != NULL && resting > 0;
         orphan = orphan->next_orphan) {
        if (lock_try(&orphan->lock)) {
            wake(orphan);
            lock_give(&orphan->lock);
        }
    }
    lock_give(&heap_registry_lock);
}

void heap_trim_orphans(void)
{
    lock_take(&heap_registry_lock);
    for (struct heap *orphan = orphans; orphan != NULL; orphan = orphan->next_orphan) {
        lock_take(&orphan->lock);
        wake(orphan);
        pending_drain(orphan);
        reclaim_all(orphan);
        lock_give(&orphan->lock);
    }
    lock_give(&heap_registry_lock);
}

/* Takes over one run of the class with free blocks from the heap of a thread that has exited. */
static struct run *adopt_from(struct heap *heap, struct heap *orphan, unsigned class)
{
    wake(orphan);
    pending_drain(orphan);
    struct run *run = heap_pick(orphan, class);
    if (run == NULL)
        return NULL;
    orphan->runs--;
    heap->runs++;
    __atomic_store_n(&run->owner, heap, __ATOMIC_RELEASE);
    return run;
}

struct run *thread_adopt_run(struct heap *heap, unsigned class)
{
    if (__atomic_load_n(&orphans, __ATOMIC_RELAXED) == NULL)
        return NULL;
    struct run *run = NULL;
    int looks = 8;
    /* Whoever waits for the registry must not hold a heap's lock: fork takes them in that order. */
    if (!lock_try(&heap_registry_lock))
        return NULL;
    for (struct heap *orphan = orphans; orphan != NULL && run == NULL && looks > 0; looks--) {
        if (lock_try(&orphan->lock)) {
            run = adopt_from(heap, orphan, class);
            lock_give(&orphan->lock);
        }
        orphan = orphan->next_orphan;
    }
    lock_give(&heap_registry_lock);
    return run;
}

/* Page-sized pieces for heaps, never given back. */
static struct heap *heap_alloc(void)
{
    static char *at, *end;
    if (heaps == NULL)
        return &main_heap;
    if (at == end) {
        at = os_map(16 * HT_PAGE, HT_PAGE);
        if (at == NULL) {
            end = NULL;
            return NULL;
        }
        end = at + 16 * HT_PAGE;
    }
    struct heap *heap = (struct heap *)at;
    at += HT_PAGE;
    return heap;
}

static struct heap *heap_make(void)
{
#ifdef HT_HARD
    if (heaps == NULL)
        hard_setup();
#endif
    if (heaps == NULL && !segment_setup())
        return NULL;
    struct heap *heap = heap_alloc();
    if (heap == NULL)
        return NULL;
    for (unsigned i = 0; i < TABLE_SIZE; i++)
        heap->table[i] = &run_none;
    for (unsigned i = 0; i < CLASS_COUNT; i++)
        heap->current[i] = &run_none;
    heap->number = heaps == NULL ? 1 : heaps->number + 1;
    heap->next = heaps;
    __atomic_store_n(&heaps, heap, __ATOMIC_RELEASE);
    return heap;
}

static struct heap *orphan_pop(void)
{
    struct heap *heap = orphans;
    if (heap != NULL) {
        lock_take(&heap->lock);
        __atomic_store_n(&orphans, heap->next_orphan, __ATOMIC_RELAXED);
        __atomic_store_n(&heap->state, HEAP_OWNED, __ATOMIC_RELAXED);
        if (heap->resting)
            __atomic_store_n(&resting, resting - 1, __ATOMIC_RELAXED);
        heap->resting = false;
        lock_give(&heap->lock);
    }
    return heap;
}

/* The thread is about to end: its heap, emptied of what it kept for itself, is for anybody. */
static void heap_leave(struct heap *heap)
{
    heap_flush(heap);
    large_flush(heap);
    heap_self = &heap_none;
    lock_take(&heap_registry_lock);
    lock_take(&heap->lock);
    bool rests = resting < RESTING_HEAPS && heap->runs <= RESTING_RUNS;
    heap_retire_from(heap, rests ? class_of(HT_FAST_MAX) + 1 : 0);
    if (rests) {
        heap->resting = true;
        __atomic_store_n(&resting, resting + 1, __ATOMIC_RELAXED);
    }
    heap->exit_armed = false;
    __atomic_store_n(&heap->state, HEAP_ORPHAN, __ATOMIC_RELAXED);
    lock_give(&heap->lock);
    heap->next_orphan = orphans;
    __atomic_store_n(&orphans, heap, __ATOMIC_RELAXED);
    lock_give(&heap_registry_lock);
}

/* How often the thread's exit handler has been called. Those of other libraries may still allocate,
 * so that ours asks to be called again until the last but one of the rounds that there are. */
static __thread unsigned exit_rounds __attribute__((tls_model("initial-exec")));
#define EXIT_ROUNDS 3

static bool on_thread_exit(void *of)
{
    if (++exit_rounds < EXIT_ROUNDS)
        return true;
    memcheck_inside();
    heap_leave(of);
    memcheck_outside();
    return false;
}

void heap_arm_exit(struct heap *heap)
{
    heap->exit_armed = true;
    thread_exit_arm(on_thread_exit, heap);
}

struct heap *heap_get(void)
{
    struct heap *heap = heap_self;
    if (heap->state == HEAP_OWNED)
        return heap;
    lock_take(&heap_registry_lock);
    heap = orphan_pop();
    if (heap == NULL)
        heap = heap_make();
    if (heap != NULL)
        __atomic_store_n(&heap->state, HEAP_OWNED, __ATOMIC_RELAXED);
    lock_give(&heap_registry_lock);
    if (heap == NULL)
        return NULL;
    heap_self = heap;
    if (exit_rounds >= EXIT_ROUNDS)
        heap->borrowed = heap->exit_armed = true; /* the handler might not be called again */
    else if (!__libc_single_threaded)
        heap_arm_exit(heap);
    return heap;
}

void heap_return(struct heap *heap)
{
    heap->borrowed = false;
    heap_leave(heap);
}

/* --- fork --- */

/* An odd block may have been pushed and not been taken out again. */
static void sift(struct run *run)
{
    if (run->mixed)
        run->free = mixed_sift(run, run->free);
}

/* Counts the runs of a list anew. */
static void recount(struct heap *heap, struct run *list)
{
    for (struct run *next; list != NULL; list = next) {
        next = list->next;
        sift(list);
        uint32_t used = run_used(list);
        heap_leave_list(heap, list);
        if (used == list->circulating && list->carve == 0)
            heap_become_full(heap, list);
        else
            heap_become_partial(heap, list, used);
    }
}

/* In the child: a heap whose thread is gone. All slow work was at rest (fork.c holds every lock),
 * so that lists and states stand; but the thread may have been in the middle of a fast free, which
 * counts last, or of filling its outbox. */
static void recover(struct heap *heap)
{
    heap->lock.word = 0;
    if (heap->state != HEAP_OWNED)
        return;
    for (unsigned i = 0; i < HT_OUTBOX_SLOTS; i++) {
        struct outbox_slot *slot = &heap->outbox[i];
        uint32_t count = 1;
        if (slot->run == NULL)
            continue;
        for (struct block *at = slot->first; at != slot->last; at = block_next(at))
            count++;
        slot->count = count;
    }
    for (unsigned class = 0; class < CLASS_COUNT; class ++) {
        sift(heap->current[class]);
        recount(heap, heap->partial[class]);
        recount(heap, heap->uncarved[class]);
    }
    recount(heap, heap->full);
    heap_settle(heap);
    heap->exit_armed = false;
    heap->state = HEAP_ORPHAN;
    heap->next_orphan = orphans;
    __atomic_store_n(&orphans, heap, __ATOMIC_RELAXED);
}

void heap_orphan_others(struct heap *self)
{
    heap_registry_lock.word = 0;
    for (struct heap *heap = heaps; heap != NULL; heap = heap->next) {
        if (heap != self)
            recover(heap);
        else
            heap->lock.word = 0;
    }
}
