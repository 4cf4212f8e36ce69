/*
 * Any call, from its side table entry: in time mode those that do not fit in eight bytes (aligned,
 * huge, of no size, of a size that must be known twice), in memory mode all.
 */
#include <malloc.h>
#include <stdlib.h>
#include "replayer/engine/replay.h"
#include "replayer/engine/thread_tls.h"
#include "replayer/engine/touch.h"

static void *call_aligned(const struct plan_side *side)
{
    size_t alignment = (size_t)1 << side->align_log2;
    void *block = NULL;
    /* The one of the aligned calls that every allocator has; the tape does not say which it was. */
    if (posix_memalign(&block, alignment < sizeof(void *) ? sizeof(void *) : alignment, side->size))
        return NULL;
    return block;
}

static void *call_new(const struct plan_side *side)
{
    switch (side->kind) {
    case PLAN_SIDE_CALLOC:
        return replay_calloc(1, side->size);
    case PLAN_SIDE_ALIGNED:
        return call_aligned(side);
    case PLAN_SIDE_REALLOC_NEW:
        return realloc(NULL, side->size);
    default:
        return malloc(side->size);
    }
}

static void call_begin(struct replay *replay, struct replay_thread *self,
                       const struct plan_side *side, void **slot)
{
    char *block = call_new(side);
    *slot = block;
    if (block)
        touch_block(replay->touch, block, 0, side->size);
    else if (side->size) /* NULL for nothing is an answer */
        self->failed++;
}

static void call_realloc(struct replay *replay, struct replay_thread *self,
                         const struct plan_side *side, void **slot)
{
    uintptr_t before = (uintptr_t)*slot;
    char *block = realloc((void *)before, side->size);
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

void replay_call(struct replay *replay, struct replay_thread *self, const struct plan_side *side,
                 uint32_t slot_index)
{
    void **slot = &replay->slots[slot_index];
    switch ((enum plan_side_kind)side->kind) {
    case PLAN_SIDE_MALLOC:
    case PLAN_SIDE_CALLOC:
    case PLAN_SIDE_ALIGNED:
    case PLAN_SIDE_REALLOC_NEW:
        call_begin(replay, self, side, slot);
        break;
    case PLAN_SIDE_REALLOC:
        call_realloc(replay, self, side, slot);
        break;
    case PLAN_SIDE_REALLOC_FREE: {
        /* Some allocators give a smallest block instead of freeing; the program saw NULL. */
        void *block = realloc(*slot, 0);
        if (block)
            replay_free(block);
        *slot = NULL;
        break;
    }
    case PLAN_SIDE_FREE:
        replay_free(*slot);
        break;
    case PLAN_SIDE_FREE_NULL:
        replay_free(NULL);
        break;
    case PLAN_SIDE_USABLE_SIZE:
        __asm__ volatile("" ::"r"(malloc_usable_size(*slot)));
        break;
    }
}
