#include "replayer/engine/order.h"

#include <string.h>
#include "replayer/engine/engine.h"

#define KEEP_SLOTS  4096 /* a thread keeps at most so many freed slots to itself */
#define BATCH_SLOTS 2048

void order_open(struct order *order, struct window *window, bool strict)
{
    memset(order, 0, sizeof(*order));
    order->window = window;
    order->strict = strict;
    order->slots = 1;
}

void order_window(struct order *order)
{
    order->window_number++;
    memset(order->seen, 0, sizeof(order->seen));
}

/* `thread` goes on only after `use`, where that is another thread's and of this window. */
static void wait_for(struct order *order, uint32_t thread, struct order_use use)
{
    if (use.window != order->window_number || use.thread == thread)
        return;
    uint32_t position = use.index + 1;
    if (order->seen[thread][use.thread] >= position)
        return;
    order->seen[thread][use.thread] = position;
    window_flag(order->window, use.index, PLAN_SIDE_PUBLISH);
    window_put(order->window, thread, plan_op_make(PLAN_WAIT, use.thread, position));
}

void order_drift(struct order *order, uint32_t events)
{
    order->meet_stride = events;
}

/* The operation to be put waits for the latest one of every other thread. */
static void meet(struct order *order, uint32_t thread)
{
    for (uint32_t other = 0; other < order->window->threads; other++)
        wait_for(order, thread, order->latest[other]);
    order->since_meeting = 0;
    order->meetings++;
    order->met_by[thread] = order->meetings;
    order->meeting = true;
}

void order_event(struct order *order, uint32_t thread, bool peak)
{
    if (order->strict) {
        wait_for(order, thread, order->previous);
        return;
    }
    if (!order->meet_stride)
        return;
    uint32_t stride = order->meet_stride + 16 * order->window->threads;
    if (++order->since_meeting >= stride || peak) {
        meet(order, thread);
    } else if (order->met_by[thread] != order->meetings) {
        wait_for(order, thread, order->met);
        order->met_by[thread] = order->meetings;
    }
}

/* ---- slots -------------------------------------------------------------------------------------
 */

static uint32_t *next_of(struct order *order, uint32_t slot)
{
    return &((uint32_t *)order->next.base)[slot];
}

static uint32_t slots_pop(struct order *order, struct order_slots *slots)
{
    uint32_t slot = slots->top;
    slots->top = *next_of(order, slot);
    slots->count--;
    return slot;
}

static void slots_push(struct order *order, struct order_slots *slots, uint32_t slot)
{
    *next_of(order, slot) = slots->top;
    slots->top = slot;
    slots->count++;
}

/* The ring of batches twice as long, in order from its start. */
static void batches_grow(struct order *order)
{
    uint32_t capacity = order->batch_capacity ? 2 * order->batch_capacity : 64;
    struct order_batch *batches =
        pages_reserve(&order->batches, capacity * sizeof(struct order_batch));
    /* What had wrapped around goes behind the old end. */
    memcpy(batches + order->batch_capacity, batches, order->batch_first * sizeof(*batches));
    order->batch_capacity = capacity;
}

/* The older half of what the thread has freed goes to whoever needs it, after `freed`. */
static void batch_give(struct order *order, struct order_slots *slots, struct order_use freed)
{
    if (order->batch_count == order->batch_capacity)
        batches_grow(order);
    uint32_t kept = slots->top;
    for (uint32_t i = 1; i < slots->count - BATCH_SLOTS; i++)
        kept = *next_of(order, kept);
    struct order_batch batch = {{*next_of(order, kept), BATCH_SLOTS}, freed};
    *next_of(order, kept) = 0;
    slots->count -= BATCH_SLOTS;
    struct order_batch *batches = order->batches.base;
    batches[(order->batch_first + order->batch_count++) % order->batch_capacity] = batch;
}

static void batch_take(struct order *order, uint32_t thread)
{
    struct order_batch *batches = order->batches.base;
    struct order_batch batch = batches[order->batch_first];
    order->batch_first = (order->batch_first + 1) % order->batch_capacity;
    order->batch_count--;
    wait_for(order, thread, batch.freed);
    order->freed[thread] = batch.slots;
}

static uint32_t slot_get(struct order *order, uint32_t thread)
{
    if (!order->freed[thread].count && order->batch_count)
        batch_take(order, thread);
    if (order->freed[thread].count)
        return slots_pop(order, &order->freed[thread]);
    if (order->slots > PLAN_SLOT_MASK)
        engine_fail(HEAPTAPE_EXIT_BAD_INPUT, "more than %u live objects: the engine holds no more",
                    PLAN_SLOT_MASK);
    pages_reserve(&order->next, ((size_t)order->slots + 1) * sizeof(uint32_t));
    return order->slots++;
}

/* ---- objects -----------------------------------------------------------------------------------
 */

static struct order_object *object_of(struct order *order, uint32_t object)
{
    struct order_object *objects =
        pages_reserve(&order->objects, ((size_t)object + 1) * sizeof(struct order_object));
    return &objects[object];
}

uint32_t order_new(struct order *order, uint32_t thread, uint32_t object)
{
    uint32_t slot = slot_get(order, thread);
    object_of(order, object)->slot = slot;
    return slot;
}

uint32_t order_old(struct order *order, uint32_t thread, uint32_t object)
{
    struct order_object *it = object_of(order, object);
    wait_for(order, thread, it->last);
    return it->slot;
}

void order_done(struct order *order, uint32_t thread, uint32_t object, uint32_t index, bool ends)
{
    struct order_use use = {order->window_number, thread, index};
    order->previous = order->latest[thread] = use;
    if (order->meeting)
        order->met = use;
    order->meeting = false;
    if (!object)
        return;
    struct order_object *it = object_of(order, object);
    it->last = use;
    if (!ends)
        return;
    struct order_slots *slots = &order->freed[thread];
    slots_push(order, slots, it->slot);
    if (slots->count > KEEP_SLOTS)
        batch_give(order, slots, use);
}
