#include "heap.h"

#include "footprint.h"
#include "large.h"
#include "message.h"
#include "os.h"
#include "segment.h"
#include "span.h"
#include "thread_exit.h"

/* A run that is always empty and belongs to nobody: what a table entry leads to that has no run. */
static struct run run_none;

#define NONE_8                                                                                     \
    &run_none, &run_none, &run_none, &run_none, &run_none, &run_none, &run_none, &run_none
#define NONE_64 NONE_8, NONE_8, NONE_8, NONE_8, NONE_8, NONE_8, NONE_8, NONE_8
static_assert(TABLE_SIZE == 65 && CLASS_COUNT == 72, "the initial tables are written out");

struct heap heap_none = {.table = {NONE_64, &run_none}, .current = {NONE_64, NONE_8}};
struct heap heap_gone = {.table = {NONE_64, &run_none}, .current = {NONE_64, NONE_8}};
__thread struct heap *heap_self = &heap_none;

struct ht_lock heap_registry_lock;
static struct heap *heaps, *orphans;
static struct heap main_heap __attribute__((aligned(64)));

struct heap *heap_first(void)
{
    return __atomic_load_n(&heaps, __ATOMIC_ACQUIRE);
}

static void compiler_barrier(void)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* --- lists of runs --- */

static void list_insert(struct run **list, struct run *run)
{
    run->prev = NULL;
    run->next = *list;
    if (run->next != NULL)
        run->next->prev = run;
    *list = run;
}

static void list_remove(struct run **list, struct run *run)
{
    if (run->next != NULL)
        run->next->prev = run->prev;
    if (run->prev != NULL)
        run->prev->next = run->next;
    else
        *list = run->next;
    run->next = run->prev = NULL;
}

/* --- the state of a run: see run.h --- */

/* Points the class, and every size that it serves, to the run. */
static void set_current(struct heap *heap, unsigned class, struct run *run)
{
    heap->current[class] = run;
    size_t bytes = class_bytes(class);
    if (bytes > HT_FAST_MAX)
        return;
    size_t below = class == 0 ? 0 : class_bytes(class - 1) / HT_ALIGN + 1;
    for (size_t at = below; at <= bytes / HT_ALIGN; at++)
        heap->table[at] = run;
}

static void release(struct heap *heap, struct run *run)
{
    heap->runs--;
    run->state = 0;
    run_finish(run);
    span_give(run, run->slices, true);
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

/* The run, in no list, becomes partial with `used` blocks in use; an empty one goes back to its
 * segment, unless it stands in the pending stack, which must be popped first. */
static void become_partial(struct heap *heap, struct run *run, uint32_t used)
{
    if (used == 0 && !is_pending(run)) {
        release(heap, run);
        return;
    }
    run->state = RUN_PARTIAL;
    run->left = used;
    struct run **list = &heap->partial[run->class];
    if (*list == NULL)
        heap->last[run->class] = run;
    list_insert(list, run);
}

/* Takes the run out of the list that it stands in. */
static void leave_list(struct heap *heap, struct run *run)
{
    if (run->state == RUN_PARTIAL && heap->last[run->class] == run)
        heap->last[run->class] = run->prev;
    list_remove(list_of(heap, run), run);
}

static void become_full(struct heap *heap, struct run *run)
{
    run->state = RUN_FULL;
    run->left = run_threshold(run);
    list_insert(&heap->full, run);
}

static void become_current(struct heap *heap, struct run *run)
{
    run->state = RUN_CURRENT;
    run->left = RUN_UNCOUNTED;
    set_current(heap, run->class, run);
}

/* The run stops being current, its free list empty; the caller sets another one. */
static void retire_exhausted(struct heap *heap, struct run *run)
{
    if (run->carve == 0) {
        become_full(heap, run);
        return;
    }
    /* Others have free blocks now; its untouched pages are for later. */
    run->state = RUN_UNCARVED;
    run->left = run->circulating;
    list_insert(&heap->uncarved[run->class], run);
}

/* `blocks` more blocks of the run turned out to be free. */
static void count_freed(struct heap *heap, struct run *run, uint32_t blocks)
{
    if (run->state == RUN_CURRENT)
        return;
    if (run->left > blocks) {
        run->left -= blocks;
        return;
    }
    leave_list(heap, run);
    uint32_t used = 0;
    if (run->state == RUN_FULL)
        used = run->circulating - (run_threshold(run) + (blocks - run->left));
    become_partial(heap, run, used);
}

/* Slow paths come by here, so that memory goes back in time while the program does anything at all.
 */
static void tick(struct heap *heap)
{
    if (++heap->ticks % 16 == 0)
        footprint_tick();
}

void heap_counted_out(struct heap *heap, struct run *run)
{
    if (ht_unlikely(!run_has_block(run, run->free)))
        ht_die_pointer("free", run->free, "not the start of a block");
    lock_take(&heap->lock);
    if (run->state == RUN_CURRENT) {
        run->left = RUN_UNCOUNTED;
    } else {
        run->left = 1;
        count_freed(heap, run, 1);
    }
    lock_give(&heap->lock);
    tick(heap);
}

/* --- what other threads freed --- */

static void push_pending(struct heap *heap, struct run *run)
{
    struct run *top = __atomic_load_n(&heap->pending, __ATOMIC_RELAXED);
    do {
        run->pending_next = top;
    } while (!__atomic_compare_exchange_n(&heap->pending, &top, run, true, __ATOMIC_RELEASE,
                                          __ATOMIC_RELAXED));
}

static void drain_pending(struct heap *heap)
{
    if (__atomic_load_n(&heap->pending, __ATOMIC_RELAXED) == NULL)
        return;
    struct run *run = __atomic_exchange_n(&heap->pending, NULL, __ATOMIC_ACQUIRE), *next;
    for (; run != NULL; run = next) {
        next = run->pending_next;
        struct heap *owner = __atomic_load_n(&run->owner, __ATOMIC_RELAXED);
        if (owner != heap) { /* it moved while on its way here */
            push_pending(owner, run);
            continue;
        }
        uint32_t blocks = remote_collect(run, true);
        if (blocks > 0 || run->left == 0)
            count_freed(heap, run, blocks);
    }
}

/* With another heap's lock held: gives back those of its pending runs that are wholly free by the
 * count of what other threads freed. Its own thread can then have no block of them, and they are
 * not current, so that it does not touch them. The others stay pending. */
static void reap_pending(struct heap *heap)
{
    struct run *run = __atomic_exchange_n(&heap->pending, NULL, __ATOMIC_ACQUIRE), *next;
    for (; run != NULL; run = next) {
        next = run->pending_next;
        uint64_t word = __atomic_load_n(&run->remote, __ATOMIC_ACQUIRE);
        struct heap *owner = __atomic_load_n(&run->owner, __ATOMIC_RELAXED);
        if (owner != heap || run->state == RUN_CURRENT || remote_count(word) != run->circulating) {
            push_pending(owner, run);
            continue;
        }
        leave_list(heap, run);
        release(heap, run);
    }
}

/* Pushes a chain to its run and sees to it that somebody collects it. The run may be gone as soon
 * as its owner can see the blocks, unless it is pending by our hand: nothing of it is read after
 * that. */
static void send(struct run *run, struct block *first, struct block *last, uint32_t count)
{
    struct heap *owner = __atomic_load_n(&run->owner, __ATOMIC_ACQUIRE);
    uint32_t circulating = __atomic_load_n(&run->circulating, __ATOMIC_RELAXED), total;
    if (remote_push(run, first, last, count, &total))
        push_pending(owner, run);
    else if (total != circulating)
        return;
    bool orphan = __atomic_load_n(&owner->state, __ATOMIC_RELAXED) == HEAP_ORPHAN;
    if ((!orphan && total != circulating) || !lock_try(&owner->lock))
        return;
    if (__atomic_load_n(&owner->state, __ATOMIC_RELAXED) == HEAP_ORPHAN)
        drain_pending(owner);
    else
        reap_pending(owner);
    lock_give(&owner->lock);
}

static void slot_send(struct outbox_slot *slot)
{
    struct run *run = slot->run;
    if (run == NULL)
        return;
    slot->run = NULL;
    send(run, slot->first, slot->last, slot->count);
}

void heap_flush(struct heap *heap)
{
    heap->outbox_used = false;
    for (unsigned i = 0; i < HT_OUTBOX_SLOTS; i++)
        slot_send(&heap->outbox[i]);
}

void heap_free_remote(struct heap *heap, struct run *run, void *address)
{
    struct block *block = address;
    if (heap->state != HEAP_OWNED) {
        send(run, block, block, 1);
        return;
    }
    uintptr_t key = (uintptr_t)run / HT_RUN_BYTES;
    struct outbox_slot *slot = &heap->outbox[(key ^ key >> 16) % HT_OUTBOX_SLOTS];
    if (slot->run != run) {
        slot_send(slot);
        slot->first = slot->last = block;
        slot->count = 0;
        heap->outbox_used = true;
        compiler_barrier(); /* fork may copy this at any moment: see recover() */
        slot->run = run;
    } else {
        block->next = slot->first;
        compiler_barrier();
        slot->first = block;
    }
    slot->count++;
    if (slot->count >= HT_OUTBOX_BLOCKS || slot->count * class_bytes(run->class) >= HT_OUTBOX_BYTES)
        slot_send(slot);
}

/* --- refilling --- */

/* Takes a partial run of the class out of the list: of those that have waited longest, because they
 * have gathered most free blocks by now and will do for longest, the first that is at least half
 * full, else the fullest of a few. What is emptier goes back to the front, to be left alone until
 * it is wholly free. */
static struct run *pick_partial(struct heap *heap, unsigned class)
{
    struct run *best = heap->last[class];
    for (int looks = 4; looks > 0 && best->left * 2 < best->circulating; looks--) {
        struct run *other = best->prev;
        if (other == NULL)
            break;
        struct run *emptier = other->left < best->left ? other : best;
        best = emptier == other ? best : other;
        if (emptier != heap->partial[class]) {
            leave_list(heap, emptier);
            list_insert(&heap->partial[class], emptier);
        }
    }
    leave_list(heap, best);
    return best;
}

/* Takes the run to use next out of the heap's lists. */
static struct run *pick(struct heap *heap, unsigned class)
{
    if (heap->partial[class] != NULL)
        return pick_partial(heap, class);
    struct run *run = heap->uncarved[class];
    if (run != NULL)
        leave_list(heap, run);
    return run;
}

/* Takes over one run of the class with free blocks from the heap of a thread that has exited. */
static struct run *adopt_from(struct heap *heap, struct heap *orphan, unsigned class)
{
    drain_pending(orphan);
    struct run *run = pick(orphan, class);
    if (run == NULL)
        return NULL;
    orphan->runs--;
    heap->runs++;
    __atomic_store_n(&run->owner, heap, __ATOMIC_RELEASE);
    return run;
}

static struct run *adopt_run(struct heap *heap, unsigned class)
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

static struct run *new_run(struct heap *heap, unsigned class)
{
    bool zero;
    struct run *run = span_take(class_slices(class), HT_SLICE, &zero);
    if (run == NULL)
        return NULL;
    run_init(run, heap, class);
    heap->runs++;
    return run;
}

/* A run of the class with a free block, made current; NULL when there is no memory. */
static struct run *refill(struct heap *heap, unsigned class)
{
    drain_pending(heap);
    struct run *run = heap->current[class];
    if (run != &run_none) {
        if (run->free != NULL || remote_collect(run, false) > 0)
            return run;
        if (heap->partial[class] == NULL && run_carve(run))
            return run;
        retire_exhausted(heap, run);
    }
    run = pick(heap, class);
    if (run == NULL)
        run = adopt_run(heap, class);
    if (run == NULL)
        run = new_run(heap, class);
    if (run == NULL) {
        set_current(heap, class, &run_none);
        return NULL;
    }
    become_current(heap, run);
    if (run->free == NULL && remote_collect(run, false) == 0)
        run_carve(run);
    return run;
}

void *heap_take(struct heap *heap, unsigned class)
{
    struct run *run = heap->current[class];
    struct block *block = run->free;
    if (ht_unlikely(block == NULL)) {
        if (heap->outbox_used)
            heap_flush(heap);
        tick(heap);
        lock_take(&heap->lock);
        run = refill(heap, class);
        lock_give(&heap->lock);
        if (ht_unlikely(run == NULL))
            return NULL;
        block = run->free;
    }
    run->free = block->next;
    return block;
}

void heap_trim(struct heap *heap)
{
    heap_flush(heap);
    large_flush(heap);
    lock_take(&heap->lock);
    drain_pending(heap);
    for (unsigned class = 0; class < CLASS_COUNT; class ++) {
        struct run *run = heap->current[class];
        if (run == &run_none)
            continue;
        remote_collect(run, false);
        set_current(heap, class, &run_none);
        uint32_t used = run_used(run);
        if (used == run->circulating && run->carve == 0)
            become_full(heap, run);
        else
            become_partial(heap, run, used);
    }
    lock_give(&heap->lock);
}

/* --- heaps and threads --- */

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
        orphans = heap->next_orphan;
        __atomic_store_n(&heap->state, HEAP_OWNED, __ATOMIC_RELAXED);
        lock_give(&heap->lock);
    }
    return heap;
}

/* The thread is about to end: its heap, emptied of what it kept for itself, is for anybody. */
static void heap_leave(struct heap *heap)
{
    heap_trim(heap);
    heap_self = &heap_gone;
    lock_take(&heap_registry_lock);
    lock_take(&heap->lock);
    drain_pending(heap);
    __atomic_store_n(&heap->state, HEAP_ORPHAN, __ATOMIC_RELAXED);
    lock_give(&heap->lock);
    heap->next_orphan = orphans;
    orphans = heap;
    lock_give(&heap_registry_lock);
}

/* Runs as a thread exits. Other libraries' exit handlers may still allocate, so that ours asks to
 * be called again until its last chance. */
static bool on_thread_exit(void *of)
{
    static __thread unsigned rounds __attribute__((tls_model("initial-exec")));
    if (++rounds < 3)
        return true;
    heap_leave(of);
    return false;
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
    thread_exit_arm(on_thread_exit, heap);
    return heap;
}

/* --- fork --- */

/* Counts the runs of a list anew. */
static void recount(struct heap *heap, struct run *list)
{
    for (struct run *next; list != NULL; list = next) {
        next = list->next;
        uint32_t used = run_used(list);
        leave_list(heap, list);
        if (used == list->circulating && list->carve == 0)
            become_full(heap, list);
        else
            become_partial(heap, list, used);
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
        for (struct block *at = slot->first; at != slot->last; at = at->next)
            count++;
        slot->count = count;
    }
    for (unsigned class = 0; class < CLASS_COUNT; class ++) {
        recount(heap, heap->partial[class]);
        recount(heap, heap->uncarved[class]);
    }
    recount(heap, heap->full);
    heap_trim(heap);
    heap->state = HEAP_ORPHAN;
    heap->next_orphan = orphans;
    orphans = heap;
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
