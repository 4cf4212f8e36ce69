/* The loop of latency mode: the calls of time mode, each between two readings of the clock. */
#include <malloc.h>
#include <stdlib.h>
#include "replayer/engine/latency.h"
#include "replayer/engine/latency_clock.h"
#include "replayer/engine/replay.h"
#include "replayer/engine/thread_tls.h"
#include "replayer/engine/touch.h"

#define LOOKAHEAD 4 /* operations: each takes so long here that more is no use */

#define TIMED(call)                                                                                \
    do {                                                                                           \
        uint64_t begin = latency_now(has_tsc);                                                     \
        call;                                                                                      \
        *value = latency_pack(latency_now(has_tsc) - begin);                                       \
    } while (0)

static void *aligned(uint64_t alignment, uint64_t size)
{
    void *block;
    return posix_memalign(&block, alignment, size) ? NULL : block;
}

static inline __attribute__((always_inline)) void run_new(struct replay *replay,
                                                          struct replay_thread *self,
                                                          const struct plan_side *side, void **slot,
                                                          uint32_t *value, bool has_tsc)
{
    char *block = NULL;
    uint64_t alignment = UINT64_C(1) << side->align_log2;
    if (alignment < sizeof(void *))
        alignment = sizeof(void *);
    switch (side->kind) {
    case PLAN_SIDE_CALLOC:
        TIMED(block = replay_calloc(1, side->size));
        break;
    case PLAN_SIDE_ALIGNED:
        TIMED(block = aligned(alignment, side->size));
        break;
    case PLAN_SIDE_REALLOC_NEW:
        TIMED(block = realloc(NULL, side->size));
        break;
    default:
        TIMED(block = malloc(side->size));
        break;
    }
    *slot = block;
    if (block)
        touch_block(replay->touch, block, 0, side->size);
    else if (side->size) /* NULL for nothing is an answer */
        self->failed++;
}

static inline __attribute__((always_inline)) void
run_realloc(struct replay *replay, struct replay_thread *self, const struct plan_side *side,
            void **slot, uint32_t *value, bool has_tsc)
{
    uintptr_t before = (uintptr_t)*slot;
    char *block = NULL;
    TIMED(block = realloc((void *)before, side->size));
    if (!block && side->size) { /* the old block stays */
        self->failed++;
        return;
    }
    *slot = block;
    if (!block)
        return;
    replay_count_realloc(self, before, block, side->old_size, side->size);
    touch_block(replay->touch, block, side->old_size, side->size);
}

static inline __attribute__((always_inline)) void
run_call(struct replay *replay, struct replay_thread *self, const struct plan_op *op, bool has_tsc)
{
    struct plan_side side =
        plan_op_code(*op) == PLAN_EXTENDED ? replay->side[op->size] : plan_side_of(*op);
    void **slot = &replay->slots[plan_op_slot(*op)];
    uint32_t *value = &latency_values[op - replay->ops];
    __builtin_prefetch(&replay->slots[plan_op_slot(op[LOOKAHEAD])], 1);
    switch ((enum plan_side_kind)side.kind) {
    case PLAN_SIDE_MALLOC:
    case PLAN_SIDE_CALLOC:
    case PLAN_SIDE_ALIGNED:
    case PLAN_SIDE_REALLOC_NEW:
        run_new(replay, self, &side, slot, value, has_tsc);
        break;
    case PLAN_SIDE_REALLOC:
        run_realloc(replay, self, &side, slot, value, has_tsc);
        break;
    case PLAN_SIDE_REALLOC_FREE: {
        void *block = NULL;
        TIMED(block = realloc(*slot, 0));
        if (block) /* some allocators give a smallest block instead */
            replay_free(block);
        break;
    }
    case PLAN_SIDE_FREE: {
        void *block = *slot;
        TIMED(replay_free(block));
        break;
    }
    case PLAN_SIDE_FREE_NULL:
        replay_free(NULL);
        break;
    case PLAN_SIDE_USABLE_SIZE:
        __asm__ volatile("" ::"r"(malloc_usable_size(*slot)));
        break;
    }
    if (side.flags & PLAN_SIDE_PUBLISH)
        replay_publish(replay, self, op);
}

static inline __attribute__((always_inline)) void loop(struct replay *replay,
                                                       struct replay_thread *self, bool has_tsc)
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
            return;
        default:
            run_call(replay, self, op, has_tsc);
        }
    }
}

void replay_latency(struct replay *replay, struct replay_thread *self)
{
    if (latency_has_tsc)
        loop(replay, self, true);
    else
        loop(replay, self, false);
}
