#include "replayer/engine/window.h"

#include <string.h>

#define SIDE_FIRST ((size_t)64 << 10)

void window_open(struct window *window, uint64_t operations, uint64_t bytes,
                 uint32_t progress_stride)
{
    memset(window, 0, sizeof(*window));
    uint64_t most = bytes / 4 * 3 / sizeof(struct plan_op);
    uint64_t wanted = operations + operations / progress_stride + operations / 64;
    if (!operations || wanted > most)
        wanted = most;
    uint64_t segments = wanted / WINDOW_SEGMENT + WINDOW_EVENT_SEGMENTS + 2;
    window->capacity = (uint32_t)(segments * WINDOW_SEGMENT);
    window->side_capacity = (uint32_t)(bytes / 4 / sizeof(struct plan_side));
    window->progress_stride = progress_stride;
    pages_reserve(&window->ops,
                  (window->capacity + (size_t)WINDOW_OVERREAD) * sizeof(struct plan_op));
    pages_reserve(&window->side, SIDE_FIRST);
}

void window_keep_origins(struct window *window)
{
    pages_reserve(&window->origins, window->capacity * sizeof(struct window_origin));
}

void window_clear(struct window *window)
{
    window->used = window->side_used = 0;
    window->threads = 0;
    window->calls = 0;
    memset(window->queues, 0, sizeof(window->queues));
}

/* A queue keeps one place free at its segment's end for NEXT or END.
 */
void window_extend(struct window *window, uint32_t thread)
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

uint32_t window_put_moment(struct window *window, uint32_t thread, struct plan_side moment)
{
    uint32_t entry = side_put(window, moment);
    window_put(window, thread, plan_op_make(PLAN_WAIT, PLAN_CLOCK, entry + 1));
    return entry;
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
    _Static_assert((PLAN_MALLOC ^ PLAN_FREE) == 1 && !(PLAN_MALLOC & 1), "told apart by one bit");
    const unsigned plain = PLAN_MALLOC >> 1, shift = PLAN_SLOT_BITS;
    while (end - op >= 4) {
        /* The last one first: if it is not plain, none of the four begins a quad. */
        uint32_t heads[4] = {op[0].head, op[1].head, op[2].head, op[3].head};
        int odd = 3;
        while (odd >= 0 && heads[odd] >> (shift + 1) == plain)
            odd--;
        if (odd >= 0) {
            op += odd + 1;
            continue;
        }
        unsigned pattern = (heads[0] >> shift & 1) | (heads[1] >> shift & 1) << 1 |
                           (heads[2] >> shift & 1) << 2 | (heads[3] >> shift & 1) << 3;
        op[0].head = (heads[0] & PLAN_SLOT_MASK) | pattern << shift;
        op += 4;
    }
}

static void queue_finish(struct window *window, uint32_t thread, bool quads)
{
    struct window_queue *queue = &window->queues[thread];
    struct plan_op *ops = window_ops(window);
    ops[queue->next] = plan_op_make(PLAN_END, 0, queue->since_progress);
    uint32_t begin = queue->first;
    while (quads) {
        /* A NEXT stands only at the end of a segment. */
        uint32_t end = begin | (WINDOW_SEGMENT - 1);
        while (end < queue->next && plan_op_code(ops[end]) != PLAN_NEXT)
            end += WINDOW_SEGMENT;
        if (end >= queue->next) {
            group(ops + begin, ops + queue->next);
            break;
        }
        group(ops + begin, ops + end);
        begin = ops[end].size;
    }
}

void window_finish(struct window *window, bool quads)
{
    for (uint32_t thread = 0; thread < window->threads; thread++)
        if (window->queues[thread].limit)
            queue_finish(window, thread, quads);
}
