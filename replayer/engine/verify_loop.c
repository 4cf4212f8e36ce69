/*
 * The loop of verify mode: the calls of the other modes, each with what there is to check before
 * and after it (verify.h).
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include "replayer/engine/pattern.h"
#include "replayer/engine/thread_tls.h"
#include "replayer/engine/verify.h"
#include "replayer/engine/violation.h"
#include "traces/event.h"

#define ATTEMPT_STRIDE 64 /* reallocs of a thread between two that are made to fail */
#define ERRNO_MARK     12345

static __thread uint32_t reallocs;

static uint64_t alignment_asked(const struct plan_side *side)
{
    uint64_t alignment = UINT64_C(1) << side->align_log2;
    return alignment < sizeof(void *) ? sizeof(void *) : alignment;
}

/* The call that begins a block; *ret_error: errno, or posix_memalign's answer. */
static void *call_new(const struct plan_side *side, int *ret_error)
{
    void *block = NULL;
    errno = 0;
    switch (side->kind) {
    case PLAN_SIDE_CALLOC:
        block = replay_calloc(1, side->size);
        break;
    case PLAN_SIDE_ALIGNED:
        *ret_error = posix_memalign(&block, alignment_asked(side), side->size);
        return *ret_error ? NULL : block;
    case PLAN_SIDE_REALLOC_NEW:
        block = realloc(NULL, side->size);
        break;
    default:
        block = malloc(side->size);
        break;
    }
    *ret_error = errno;
    return block;
}

/* The block gets this call's identity. */
static void identify(struct verify_block *block)
{
    block->event = block->sound_event = verify_now.event;
    block->lane = verify_now.lane;
}

static void run_new(struct replay_thread *self, const struct plan_side *side, uint32_t slot)
{
    int error;
    void *address = call_new(side, &error);
    struct verify_block *block = verify_block_of(slot);
    verify.replay->slots[slot] = address;
    if (!address) {
        if (side->size) /* NULL for nothing is an answer */
            verify_null(self, side->size, error);
        return;
    }
    identify(block);
    verify_given(block, (uintptr_t)address, side->size,
                 side->kind == PLAN_SIDE_ALIGNED ? alignment_asked(side) : 0,
                 side->kind == PLAN_SIDE_CALLOC, 0);
}

/* free(), and whether it leaves errno alone. */
static void call_free(void *address)
{
    errno = ERRNO_MARK;
    replay_free(address);
    if (ENGINE_LIKELY(errno == ERRNO_MARK))
        return;
    struct engine_violation violation = verify_violation(ENGINE_VIOLATION_FREE_ERRNO, NULL);
    violation.address = (uintptr_t)address;
    violation.found = (uint64_t)errno;
    violation_tell(&violation);
}

/* The slot's block goes. False: there is none, or it is another's too and must not be freed twice.
 */
static bool take(uint32_t slot)
{
    struct verify_block *block = verify_block_of(slot);
    if (!atomic_load_explicit(&block->address, memory_order_relaxed))
        return false;
    verify_sound(block);
    verify_taken(block);
    return !(block->flags & VERIFY_UNFREED);
}

static void run_free(uint32_t slot)
{
    void *address = verify.replay->slots[slot];
    if (take(slot) || !address)
        call_free(address);
    verify.replay->slots[slot] = NULL;
}

/* realloc(p, 0) that freed when recorded. Some allocators give a smallest block instead. */
static void run_realloc_free(uint32_t slot)
{
    void *address = verify.replay->slots[slot];
    verify.replay->slots[slot] = NULL;
    if (!take(slot))
        return;
    struct verify_block *block = verify_block_of(slot);
    void *rest = realloc(address, 0);
    if (!rest)
        return;
    identify(block);
    verify_given(block, (uintptr_t)rest, 0, 0, false, 0);
    verify_sound(block);
    verify_taken(block);
    if (!(block->flags & VERIFY_UNFREED))
        call_free(rest);
}

static void run_realloc(struct replay_thread *self, const struct plan_side *side, uint32_t slot)
{
    struct verify_block *block = verify_block_of(slot);
    void **place = &verify.replay->slots[slot];
    if (*place && reallocs++ % ATTEMPT_STRIDE == 0 && !(block->flags & VERIFY_UNFREED) &&
        !verify_failing_realloc(block))
        *place = NULL;
    if (!*place) { /* an earlier call failed */
        struct plan_side fresh = *side;
        fresh.kind = PLAN_SIDE_REALLOC_NEW;
        run_new(self, &fresh, slot);
        return;
    }
    uintptr_t before = (uintptr_t)*place;
    uint64_t kept = block->size < side->size ? block->size : side->size;
    bool may_free = take(slot);
    errno = 0;
    void *address = realloc(may_free ? (void *)before : NULL, side->size);
    int error = errno;
    if (!address) {
        if (!side->size) {
            *place = NULL;
            return;
        }
        verify_null(self, side->size, error);
        verify_kept(block, before);
        verify_sound(block);
        return;
    }
    *place = address;
    replay_count_realloc(self, before, address, kept, side->size);
    verify_given(block, (uintptr_t)address, side->size, 0, false, may_free ? kept : 0);
}

static void run_usable_size(uint32_t slot)
{
    struct verify_block *block = verify_block_of(slot);
    void *address = verify.replay->slots[slot];
    uint64_t usable = malloc_usable_size(address);
    if (!verify.replay->usable_known || !address || usable >= block->size)
        return;
    struct engine_violation violation = verify_violation(ENGINE_VIOLATION_USABLE_SMALL, block);
    violation.usable = usable;
    violation_tell(&violation);
}

static void run_side(struct replay_thread *self, const struct plan_side *side, uint32_t slot)
{
    switch ((enum plan_side_kind)side->kind) {
    case PLAN_SIDE_MALLOC:
    case PLAN_SIDE_CALLOC:
    case PLAN_SIDE_ALIGNED:
    case PLAN_SIDE_REALLOC_NEW:
        run_new(self, side, slot);
        break;
    case PLAN_SIDE_REALLOC:
        run_realloc(self, side, slot);
        break;
    case PLAN_SIDE_REALLOC_FREE:
        run_realloc_free(slot);
        break;
    case PLAN_SIDE_FREE:
        run_free(slot);
        break;
    case PLAN_SIDE_FREE_NULL:
        call_free(NULL);
        break;
    case PLAN_SIDE_USABLE_SIZE:
        run_usable_size(slot);
        break;
    }
}

static void run_call(struct replay *replay, struct replay_thread *self, const struct plan_op *op)
{
    static const uint8_t kinds[] = {
        [PLAN_SIDE_MALLOC] = TAPE_MALLOC,
        [PLAN_SIDE_CALLOC] = TAPE_CALLOC,
        [PLAN_SIDE_ALIGNED] = TAPE_ALIGNED,
        [PLAN_SIDE_REALLOC_NEW] = TAPE_REALLOC_NEW,
        [PLAN_SIDE_REALLOC] = TAPE_REALLOC,
        [PLAN_SIDE_REALLOC_FREE] = TAPE_REALLOC_FREE,
        [PLAN_SIDE_FREE] = TAPE_FREE,
        [PLAN_SIDE_FREE_NULL] = TAPE_FREE_NULL,
        [PLAN_SIDE_USABLE_SIZE] = TAPE_USABLE_SIZE,
    };
    struct plan_side side =
        plan_op_code(*op) == PLAN_EXTENDED ? replay->side[op->size] : plan_side_of(*op);
    const struct window_origin *origin = &verify.origins[op - replay->ops];
    verify_now =
        (struct verify_call){verify.first_event + origin->event, origin->lane, kinds[side.kind]};
    if (ENGINE_UNLIKELY(verify_now.event == verify.stop_at))
        __asm__ volatile("int3"); /* --stop-at: here we are; step into the call */
    run_side(self, &side, plan_op_slot(*op));
    if (side.flags & PLAN_SIDE_PUBLISH)
        replay_publish(replay, self, op);
}

void replay_verify(struct replay *replay, struct replay_thread *self)
{
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
            break;
        case PLAN_NEXT:
            op = replay->ops + op->size - 1;
            break;
        case PLAN_END:
            atomic_fetch_add(&engine_result->verified_blocks, verify_counts.blocks);
            atomic_fetch_add(&engine_result->verified_bytes, verify_counts.bytes);
            verify_counts = (struct verify_counts){0};
            return;
        default:
            run_call(replay, self, op);
        }
    }
}
