/*
 * The loop of memory mode: every call is accounted for in R and U, and the sampler gets its
 * chances. The calls and touches are those of time mode; the time is the allocator's plus the
 * accounting's.
 */
#include <malloc.h>
#include <x86intrin.h>
#include "replayer/engine/replay.h"
#include "replayer/engine/sampler.h"
#include "replayer/engine/snapshot.h"
#include "replayer/engine/touch.h"

static void add(_Atomic uint64_t *sum, uint64_t value)
{
    /* One writer: no locked instruction is needed. */
    uint64_t now = atomic_load_explicit(sum, memory_order_relaxed);
    atomic_store_explicit(sum, now + value, memory_order_relaxed);
}

#define TIMED_STRIDE 64 /* one of so many accounts is timed */

/* The slot's block out of R and U; then `size` (and what is usable of it) in. */
static void account_block(struct replay *replay, struct replay_thread *self, uint32_t slot,
                          bool leaves, bool comes, uint64_t size)
{
    struct replay_block *block = &replay->blocks[slot];
    struct replay_block before = leaves ? *block : (struct replay_block){0};
    struct replay_block after = {0};
    if (comes) {
        after.requested_bytes = after.usable_bytes = size;
        uint64_t usable = 0;
        if (replay->usable_known && replay->slots[slot])
            usable = malloc_usable_size(replay->slots[slot]);
        if (usable > size) /* less than was asked for means: not known */
            after.usable_bytes = usable;
    }
    *block = after;
    add(&self->requested_bytes, after.requested_bytes - before.requested_bytes);
    add(&self->usable_bytes, after.usable_bytes - before.usable_bytes);
}

/* What reading the counter twice takes. */
static uint64_t empty_ticks(void)
{
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < 16; i++) {
        uint64_t begin = __rdtsc(), ticks = __rdtsc() - begin;
        least = ticks < least ? ticks : least;
    }
    return least;
}

static void account(struct replay *replay, struct replay_thread *self, uint32_t slot, bool leaves,
                    bool comes, uint64_t size)
{
    if (ENGINE_LIKELY(self->accounts++ % TIMED_STRIDE)) {
        account_block(replay, self, slot, leaves, comes, size);
        return;
    }
    uint64_t begin = __rdtsc();
    account_block(replay, self, slot, leaves, comes, size);
    uint64_t ticks = __rdtsc() - begin;
    self->accounts_timed++;
    self->account_ticks += ticks > self->empty_ticks ? ticks - self->empty_ticks : 0;
}

/* Snapshots: which event the slot's block is from. */
static void note_birth(struct replay *replay, uint32_t slot, unsigned kind,
                       const struct plan_op *op)
{
    if (kind == PLAN_SIDE_FREE || kind == PLAN_SIDE_REALLOC_FREE)
        replay->births[slot] = 0;
    else if (kind < PLAN_SIDE_REALLOC || (kind == PLAN_SIDE_REALLOC && !replay->births[slot]))
        snapshot_birth(replay, slot, op);
}

static void run_call(struct replay *replay, struct replay_thread *self, const struct plan_op *op)
{
    struct plan_side call =
        plan_op_code(*op) == PLAN_EXTENDED ? replay->side[op->size] : plan_side_of(*op);
    uint32_t slot = plan_op_slot(*op);
    bool frees = call.kind == PLAN_SIDE_FREE || call.kind == PLAN_SIDE_REALLOC_FREE;
    if (frees)
        account(replay, self, slot, true, false, 0);
    replay_call(replay, self, &call, slot);
    if (call.kind <= PLAN_SIDE_REALLOC)
        account(replay, self, slot, call.kind == PLAN_SIDE_REALLOC, true, call.size);
    if (replay->births)
        note_birth(replay, slot, call.kind, op);
    add(&self->operations, 1);
    /* Others may be waiting for this very operation: before they go on. */
    if (ENGINE_UNLIKELY(call.flags & (PLAN_SIDE_SAMPLE | PLAN_SIDE_SNAPSHOT | PLAN_SIDE_ASKED |
                                      PLAN_SIDE_PAUSE)))
        sampler_mark(op, call.flags);
    if (call.flags & PLAN_SIDE_PUBLISH)
        replay_publish(replay, self, op);
}

void replay_memory(struct replay *replay, struct replay_thread *self)
{
    if (!self->empty_ticks)
        self->empty_ticks = empty_ticks();
    for (const struct plan_op *op = self->first;; op++) {
        self->position = op;
        switch (plan_op_code(*op)) {
        case PLAN_WAIT:
            replay_await(replay, self, op);
            break;
        case PLAN_START:
            replay_start(&replay->threads[plan_op_slot(*op)], REPLAY_NOW);
            break;
        case PLAN_PROGRESS:
            atomic_fetch_add_explicit(&engine_result->progress, op->size, memory_order_relaxed);
            sampler_check();
            break;
        case PLAN_NEXT:
            op = replay->ops + op->size - 1;
            break;
        case PLAN_END:
            return;
        default:
            run_call(replay, self, op);
        }
    }
}
