#include "heap.h"
#include "heap_runs.h"
#include "mixed.h"

static void compiler_barrier(void)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static void pending_push(struct heap *heap, struct run *run)
{
    struct run *top = __atomic_load_n(&heap->pending, __ATOMIC_RELAXED);
    do {
        run->pending_next = top;
    } while (!__atomic_compare_exchange_n(&heap->pending, &top, run, true, __ATOMIC_RELEASE,
                                          __ATOMIC_RELAXED));
}

void pending_drain(struct heap *heap)
{
    if (__atomic_load_n(&heap->pending, __ATOMIC_RELAXED) == NULL)
        return;
    struct run *run = __atomic_exchange_n(&heap->pending, NULL, __ATOMIC_ACQUIRE), *next;
    for (; run != NULL; run = next) {
        next = run->pending_next;
        struct heap *owner = __atomic_load_n(&run->owner, __ATOMIC_RELAXED);
        if (owner != heap) { /* it moved while on its way here */
            pending_push(owner, run);
            continue;
        }
        uint32_t blocks = remote_collect(run, true);
        if (blocks > 0 || run_left(run) == 0)
            heap_count_freed(heap, run, blocks);
    }
}

void pending_reap(struct heap *heap)
{
    struct run *run = __atomic_exchange_n(&heap->pending, NULL, __ATOMIC_ACQUIRE), *next;
    for (; run != NULL; run = next) {
        next = run->pending_next;
        uint64_t word = __atomic_load_n(&run->remote, __ATOMIC_ACQUIRE);
        struct heap *owner = __atomic_load_n(&run->owner, __ATOMIC_RELAXED);
        uint32_t all = run->circulating + mixed_odds(run);
        if (owner != heap || run->state == RUN_CURRENT || remote_count(word) != all) {
            pending_push(owner, run);
            continue;
        }
        heap_leave_list(heap, run);
        heap_release(heap, run);
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
        pending_push(owner, run);
    else if (total != circulating)
        return;
    bool orphan = __atomic_load_n(&owner->state, __ATOMIC_RELAXED) == HEAP_ORPHAN;
    if ((!orphan && total != circulating) || !lock_try(&owner->lock))
        return;
    if (__atomic_load_n(&owner->state, __ATOMIC_RELAXED) == HEAP_ORPHAN)
        pending_drain(owner);
    else
        pending_reap(owner);
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
        block_end(block);
        heap->outbox_used = true;
        compiler_barrier(); /* fork may copy this at any moment: see recover() */
        slot->run = run;
    } else {
        block_link_in(run, block, slot->first);
        compiler_barrier();
        slot->first = block;
    }
    slot->count++;
    if (slot->count >= HT_OUTBOX_BLOCKS ||
        slot->count * class_bytes(__atomic_load_n(&run->class, __ATOMIC_RELAXED)) >=
            HT_OUTBOX_BYTES)
        slot_send(slot);
}
