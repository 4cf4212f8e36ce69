/*
 * A window of the plan: the operations of a stretch of the tape, one queue for each thread, in one
 * array of bounded size. The tape is replayed window by window; a tape that fits is one window.
 *
 * A queue is a chain of segments of the array; PLAN_NEXT leads from one to the next. Segments that
 * follow each other need none, so a tape of one lane is one straight run.
 */
#ifndef HEAPTAPE_REPLAYER_WINDOW_H
#define HEAPTAPE_REPLAYER_WINDOW_H

#include <stdbool.h>
#include <stdint.h>
#include "replayer/engine/op.h"
#include "replayer/engine/pages.h"

#define WINDOW_THREADS 257 /* the main thread (0) and those made for further lanes */
_Static_assert(PLAN_CLOCK == WINDOW_THREADS, "the one after the last");
#define WINDOW_SEGMENT 1024 /* operations */
_Static_assert((WINDOW_SEGMENT & (WINDOW_SEGMENT - 1)) == 0, "a segment's end is found by bits");
#define WINDOW_OVERREAD 32 /* readable behind the last operation, for what looks ahead */

struct window_queue {
    uint32_t first, next, limit; /* indices; limit 0 = no operation yet */
    uint32_t since_progress;     /* calls since the last PLAN_PROGRESS */
};

/* Where an operation comes from, for verify mode's reports. */
struct window_origin {
    uint32_t event; /* index in the tape, counted from the window's first */
    uint32_t lane;
};

struct window {
    struct pages ops, side;
    struct pages origins;              /* struct window_origin by operation; empty: not wanted */
    struct window_origin origin;       /* of the calls put now */
    uint64_t first_event;              /* of the window */
    uint32_t capacity, used;           /* operations; whole segments */
    uint32_t side_capacity, side_used; /* entries */
    uint32_t progress_stride;          /* calls between two PLAN_PROGRESS */
    uint32_t threads;                  /* 1 + the highest thread that has operations */
    uint64_t calls;                    /* allocator calls planned */
    struct window_queue queues[WINDOW_THREADS];
};

/*
 * Memory for `operations` of them, in at most `bytes` (three quarters for operations, one for the
 * side table). The side table grows as needed.
 */
void window_open(struct window *window, uint64_t operations, uint64_t bytes,
                 uint32_t progress_stride);
/* Keeps the origin of every call from now on. */
void window_keep_origins(struct window *window);
void window_clear(struct window *window);
/* Makes room for one more operation in the thread's queue. */
void window_extend(struct window *window, uint32_t thread);

/* Appends a call with a side table entry. */
uint32_t window_put_extended(struct window *window, uint32_t thread, uint32_t slot,
                             struct plan_side side);
/* Appends a wait for a moment; returns its index in the side table. */
uint32_t window_put_moment(struct window *window, uint32_t thread, struct plan_side moment);
/* Sets a flag (PLAN_SIDE_*) on a call that was put before. */
void window_flag(struct window *window, uint32_t index, unsigned flag);
/* Ends all queues; with `quads`, groups plain calls by four. */
void window_finish(struct window *window, bool quads);

static inline struct plan_op *window_ops(const struct window *window)
{
    return window->ops.base;
}
static inline struct plan_side *window_side(const struct window *window)
{
    return window->side.base;
}

/* What one event may add at most. */
#define WINDOW_EVENT_SEGMENTS 4
#define WINDOW_EVENT_SIDES    8

/*
 * No room for all that one more event may need: the window must be run first. One event touches at
 * most two queues (its own and that of the event before, for a start), with less than a segment's
 * worth each.
 */
static inline bool window_full(const struct window *window)
{
    return window->used + WINDOW_EVENT_SEGMENTS * WINDOW_SEGMENT > window->capacity ||
           window->side_used + WINDOW_EVENT_SIDES > window->side_capacity;
}

/* Appends to the thread's queue; returns the index. */
static inline uint32_t window_put(struct window *window, uint32_t thread, struct plan_op op)
{
    struct window_queue *queue = &window->queues[thread];
    if (__builtin_expect(queue->next == queue->limit, 0))
        window_extend(window, thread);
    window_ops(window)[queue->next] = op;
    return queue->next++;
}

/* Appends an allocator call: counted, with a progress operation before it from time to time. */
static inline uint32_t window_put_call(struct window *window, uint32_t thread, struct plan_op op)
{
    struct window_queue *queue = &window->queues[thread];
    if (__builtin_expect(queue->since_progress == window->progress_stride, 0)) {
        window_put(window, thread, plan_op_make(PLAN_PROGRESS, 0, queue->since_progress));
        queue->since_progress = 0;
    }
    queue->since_progress++;
    window->calls++;
    uint32_t index = window_put(window, thread, op);
    if (__builtin_expect(window->origins.bytes != 0, 0))
        ((struct window_origin *)window->origins.base)[index] = window->origin;
    return index;
}

#endif
