#include "replayer/engine/window.h"

#include <string.h>

/* What one event may add at most, in segments and in side table entries: see window_full(). */
#define EVENT_SEGMENTS 4
#define EVENT_SIDES    8
#define SIDE_FIRST     ((size_t)64 << 10)

void window_open(struct window *window, uint64_t operations, uint64_t bytes,
                 uint32_t progress_stride)
{
    memset(window, 0, sizeof(*window));
    uint64_t most = bytes / 4 * 3 / sizeof(struct plan_op);
    uint64_t wanted = operations + operations / 64; /* progress and the like */
    if (!operations || wanted > most)
        wanted = most;
    uint64_t segments = wanted / WINDOW_SEGMENT + EVENT_SEGMENTS + 2;
    window->capacity = (uint32_t)(segments * WINDOW_SEGMENT);
    window->side_capacity = (uint32_t)(bytes / 4 / sizeof(struct plan_side));
    window->progress_stride = progress_stride;
    pages_reserve(&window->ops,
                  (window->capacity + (size_t)WINDOW_OVERREAD) * sizeof(struct plan_op));
    pages_reserve(&window->side, SIDE_FIRST);
}

void window_clear(struct window *window)
{
    window->used = window->side_used = 0;
    window->threads = 0;
    window->calls = 0;
    memset(window->queues, 0, sizeof(window->queues));
}

/*
 * One event touches at most three queues (its own; the one that starts its lane; none for a
 * publication, which is a flag) with less than a segment's worth of operations in each.
 */
bool window_full(const struct window *window)
{
    return window->used + EVENT_SEGMENTS * WINDOW_SEGMENT > window->capacity ||
           window->side_used + EVENT_SIDES > window->side_capacity;
}

/* Room for one more operation. A queue keeps one place free at its segment's end for NEXT or END.
 */
static void queue_extend(struct window *window, uint32_t thread)
{
    struct window_queue *queue = &window->queues[thread];
    uint32_t segment = window->used;
    window->used += WINDOW_SEGMENT;
    if (!queue->limit) {
        queue->first = queue->next = segment;
        if (window->threads <= thread)
            window->threads = thread + 1;
    } else if (queue->limit + 1 != segment) {
        window_ops(window)[queue->next] = plan_op_make(PLAN_NEXT, 0, segment);
        queue->next = segment;
    }
    queue->limit = segment + WINDOW_SEGMENT - 1;
}

uint32_t window_put(struct window *window, uint32_t thread, struct plan_op op)
{
    struct window_queue *queue = &window->queues[thread];
    if (queue->next == queue->limit)
        queue_extend(window, thread);
    window_ops(window)[queue->next] = op;
    return queue->next++;
}

uint32_t window_put_call(struct window *window, uint32_t thread, struct plan_op op)
{
    struct window_queue *queue = &window->queues[thread];
    if (queue->since_progress == window->progress_stride) {
        window_put(window, thread, plan_op_make(PLAN_PROGRESS, 0, queue->since_progress));
        queue->since_progress = 0;
    }
    queue->since_progress++;
    queue->calls++;
    window->calls++;
    return window_put(window, thread, op);
}

static uint32_t side_put(struct window *window, struct plan_side side)
{
    pages_reserve(&window->side, (window->side_used + (size_t)1) * sizeof(side));
    window_side(window)[window->side_used] = side;
    return window->side_used++;
}

uint32_t window_put_extended(struct window *window, uint32_t thread, uint32_t slot,
                             struct plan_side side)
{
    uint32_t entry = side_put(window, side);
    return window_put_call(window, thread, plan_op_make(PLAN_EXTENDED, slot, entry));
}

void window_flag(struct window *window, uint32_t index, unsigned flag)
{
    struct plan_op *op = &window_ops(window)[index];
    unsigned code = plan_op_code(*op);
    if (flag == PLAN_SIDE_PUBLISH && code == PLAN_MALLOC) {
        *op = plan_op_make(PLAN_MALLOC_PUBLISH, plan_op_slot(*op), op->size);
    } else if (flag == PLAN_SIDE_PUBLISH && code == PLAN_FREE) {
        *op = plan_op_make(PLAN_FREE_PUBLISH, plan_op_slot(*op), op->size);
    } else if (code == PLAN_EXTENDED) {
        window_side(window)[op->size].flags |= (uint8_t)flag;
    } else if (flag != PLAN_SIDE_PUBLISH ||
               (code != PLAN_MALLOC_PUBLISH && code != PLAN_FREE_PUBLISH)) {
        struct plan_side side = plan_side_of(*op);
        side.flags |= (uint8_t)flag;
        *op = plan_op_make(PLAN_EXTENDED, plan_op_slot(*op), side_put(window, side));
    }
}

/* Four plain calls in a row become a quad. `op` .. `end` lie in a row. */
static void group(struct plan_op *op, const struct plan_op *end)
{
    const uint32_t free_bit = (PLAN_MALLOC ^ PLAN_FREE) << PLAN_SLOT_BITS;
    _Static_assert((PLAN_MALLOC ^ PLAN_FREE) == 1 && !(PLAN_MALLOC & 1), "told apart by one bit");
    unsigned run = 0, pattern = 0;
    for (; op < end; op++) {
        unsigned code = plan_op_code(*op);
        if (code >> 1 != PLAN_MALLOC >> 1) {
            run = pattern = 0;
            continue;
        }
        pattern |= (unsigned)!!(op->head & free_bit) << run;
        if (++run < 4)
            continue;
        op[-3].head = plan_op_slot(op[-3]) | pattern << PLAN_SLOT_BITS;
        run = pattern = 0;
    }
}

static void queue_finish(struct window *window, uint32_t thread, bool quads)
{
    struct window_queue *queue = &window->queues[thread];
    struct plan_op *ops = window_ops(window);
    ops[queue->next] = plan_op_make(PLAN_END, 0, queue->since_progress);
    if (!quads)
        return;
    for (uint32_t at = queue->first; at < queue->next;) {
        uint32_t end = at;
        while (plan_op_code(ops[end]) != PLAN_NEXT && plan_op_code(ops[end]) != PLAN_END)
            end++;
        group(ops + at, ops + end);
        if (plan_op_code(ops[end]) == PLAN_END)
            break;
        at = ops[end].size;
    }
}

void window_finish(struct window *window, bool quads)
{
    for (uint32_t thread = 0; thread < window->threads; thread++)
        if (window->queues[thread].limit)
            queue_finish(window, thread, quads);
}
