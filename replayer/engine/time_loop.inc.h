/*
 * The body of a time loop, once for each way to touch: time_loop.c defines LOOP_NAME and LOOP_TOUCH
 * and includes this. The dispatch is a jump through a table at the end of every code's piece, so
 * that each has a branch of its own to be predicted.
 *
 * The slot that an operation LOOKAHEAD further on will need is fetched meanwhile: slots are the
 * engine's own, and waiting for them would be the engine's cost, not the allocator's. The blocks
 * are not prefetched: a miss on them belongs to the allocator that placed them.
 */

#define LOOKAHEAD 16

#define SLOT(i)  slots[op[i].head & PLAN_SLOT_MASK]
#define FETCH(i) __builtin_prefetch(&slots[op[LOOKAHEAD + (i)].head & PLAN_SLOT_MASK], 1)
#define GIVEN(block, from, bytes)                                                                  \
    do {                                                                                           \
        if (ENGINE_LIKELY((block) != NULL))                                                        \
            touch_block(LOOP_TOUCH, (block), (from), (bytes));                                     \
        else                                                                                       \
            self->failed++;                                                                        \
    } while (0)
#define DO_0(i)                                                                                    \
    do {                                                                                           \
        char *block = malloc(op[i].size);                                                          \
        SLOT(i) = block;                                                                           \
        GIVEN(block, 0, op[i].size);                                                               \
    } while (0)
#define DO_1(i) replay_free(SLOT(i))

#define NEXT(n)                                                                                    \
    do {                                                                                           \
        op += (n);                                                                                 \
        self->position = op;                                                                       \
        goto *codes[op->head >> PLAN_SLOT_BITS];                                                   \
    } while (0)

#define QUAD(d, c, b, a)                                                                           \
    quad_##d##c##b##a : FETCH(0);                                                                  \
    FETCH(1);                                                                                      \
    FETCH(2);                                                                                      \
    FETCH(3);                                                                                      \
    DO_##a(0);                                                                                     \
    DO_##b(1);                                                                                     \
    DO_##c(2);                                                                                     \
    DO_##d(3);                                                                                     \
    NEXT(4);

void LOOP_NAME(struct replay *replay, struct replay_thread *self)
{
    static const void *const codes[32] = {
        &&quad_0000,
        &&quad_0001,
        &&quad_0010,
        &&quad_0011,
        &&quad_0100,
        &&quad_0101,
        &&quad_0110,
        &&quad_0111,
        &&quad_1000,
        &&quad_1001,
        &&quad_1010,
        &&quad_1011,
        &&quad_1100,
        &&quad_1101,
        &&quad_1110,
        &&quad_1111,
        [PLAN_MALLOC] = &&one_malloc,
        [PLAN_FREE] = &&one_free,
        [PLAN_CALLOC] = &&one_calloc,
        [PLAN_REALLOC_NEW] = &&one_realloc_new,
        [PLAN_REALLOC] = &&one_realloc,
        [PLAN_FREE_NULL] = &&one_free_null,
        [PLAN_USABLE_SIZE] = &&one_usable_size,
        [PLAN_MALLOC_PUBLISH] = &&malloc_publish,
        [PLAN_FREE_PUBLISH] = &&free_publish,
        [PLAN_EXTENDED] = &&extended,
        [PLAN_WAIT] = &&wait,
        [PLAN_START] = &&start,
        [PLAN_PROGRESS] = &&progress,
        [PLAN_NEXT] = &&next,
        [PLAN_END] = &&end,
        [PLAN_CODE_LIMIT] = &&end,
    };
    const struct plan_op *op = self->first;
    void **const slots = replay->slots;

    NEXT(0);

    QUAD(0, 0, 0, 0)
    QUAD(0, 0, 0, 1)
    QUAD(0, 0, 1, 0)
    QUAD(0, 0, 1, 1)
    QUAD(0, 1, 0, 0)
    QUAD(0, 1, 0, 1)
    QUAD(0, 1, 1, 0)
    QUAD(0, 1, 1, 1)
    QUAD(1, 0, 0, 0)
    QUAD(1, 0, 0, 1)
    QUAD(1, 0, 1, 0)
    QUAD(1, 0, 1, 1)
    QUAD(1, 1, 0, 0)
    QUAD(1, 1, 0, 1)
    QUAD(1, 1, 1, 0)
    QUAD(1, 1, 1, 1)

one_malloc:
    FETCH(0);
    DO_0(0);
    NEXT(1);
one_free:
    FETCH(0);
    DO_1(0);
    NEXT(1);
one_calloc : {
    FETCH(0);
    char *block = replay_calloc(1, op->size);
    SLOT(0) = block;
    GIVEN(block, 0, op->size);
    NEXT(1);
}
one_realloc_new : {
    FETCH(0);
    char *block = realloc(NULL, op->size);
    SLOT(0) = block;
    GIVEN(block, 0, op->size);
    NEXT(1);
}
one_realloc : {
    FETCH(0);
    uintptr_t before = (uintptr_t)SLOT(0);
    char *block = realloc((void *)before, op->size);
    if (ENGINE_LIKELY(block != NULL)) {
        SLOT(0) = block;
        touch_block(LOOP_TOUCH, block, 0, op->size);
        bool moved = (uintptr_t)block != before;
        self->realloc_moved += moved;
        self->realloc_in_place += !moved;
    } else {
        self->failed++;
    }
    NEXT(1);
}
one_free_null:
    replay_free(NULL);
    NEXT(1);
one_usable_size:
    __asm__ volatile("" ::"r"(malloc_usable_size(SLOT(0))));
    NEXT(1);
malloc_publish:
    DO_0(0);
    replay_publish(replay, self, op);
    NEXT(1);
free_publish:
    DO_1(0);
    replay_publish(replay, self, op);
    NEXT(1);
extended : {
    const struct plan_side *side = &replay->side[op->size];
    replay_call(replay, self, side, plan_op_slot(*op));
    if (side->flags & PLAN_SIDE_PUBLISH)
        replay_publish(replay, self, op);
    NEXT(1);
}
wait : {
    replay_await(replay, self, op);
    NEXT(1);
}
start:
    replay_start(&replay->threads[plan_op_slot(*op)], REPLAY_NOW);
    NEXT(1);
progress:
    atomic_fetch_add_explicit(&engine_result->progress, op->size, memory_order_relaxed);
    NEXT(1);
next:
    op = replay->ops + op->size;
    NEXT(0);
end:
    return;
}

#undef LOOKAHEAD
#undef SLOT
#undef FETCH
#undef GIVEN
#undef DO_0
#undef DO_1
#undef NEXT
#undef QUAD
#undef LOOP_NAME
#undef LOOP_TOUCH
