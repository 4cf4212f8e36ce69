#include "replayer/engine/plan.h"

#include <string.h>
#include "replayer/engine/sampler.h"

#define PROGRESS_STRIDE 65536 /* in time mode */
#define MEET_STRIDE     64    /* in memory mode: see "Drift" in order.h */

void plan_open(struct plan *plan, const struct engine_settings *settings)
{
    struct tape_error error;
    memset(plan, 0, sizeof(*plan));
    plan->settings = settings;
    if (tape_reader_open(settings->tape, &plan->reader, &error))
        engine_fail_tape(&error);
    struct tape_reader_totals totals = tape_reader_totals(plan->reader);
    plan->several = !totals.complete || totals.lanes != 1;
    tape_track_init(&plan->track);
    bool memory = settings->mode == ENGINE_MODE_MEMORY;
    window_open(&plan->window, totals.events, settings->plan_bytes,
                memory ? sampler_stride(totals.events) : PROGRESS_STRIDE);
    plan->slots = 1;
    if (!plan->several)
        return;
    lanes_open(&plan->lanes, plan->reader, memory);
    plan->several = plan->lanes.count > 1;
    if (plan->several)
        order_open(&plan->order, &plan->window, settings->order == ENGINE_ORDER_STRICT);
    if (plan->several && memory)
        order_drift(&plan->order, MEET_STRIDE);
}

/* The next event, or NULL at the end of the tape. It stays until plan->events moves on. */
static const struct tape_event *next_event(struct plan *plan)
{
    while (!plan->events_left && !plan->ended) {
        struct tape_error error;
        switch (tape_reader_next(plan->reader, &plan->events, &plan->events_left, &error)) {
        case TAPE_OK:
            break;
        case TAPE_END:
            plan->ended = true;
            plan->events_left = 0;
            break;
        case TAPE_DAMAGED:
            engine_result->damaged = 1;
            plan->events_left = 0;
            break;
        default:
            engine_fail_tape(&error);
        }
    }
    return plan->events_left ? plan->events : NULL;
}

/* ---- slots: by id in a tape of one lane, by order.h otherwise
 * ------------------------------------ */

static uint32_t slot_by_id(struct plan *plan, uint32_t object)
{
    if (object > PLAN_SLOT_MASK)
        engine_fail(HEAPTAPE_EXIT_BAD_INPUT, "object %u: the engine holds at most %u live objects",
                    object, PLAN_SLOT_MASK);
    if (object >= plan->slots)
        plan->slots = object + 1;
    return object;
}

static uint32_t slot_new(struct plan *plan, uint32_t thread, uint32_t object)
{
    return plan->several ? order_new(&plan->order, thread, object) : slot_by_id(plan, object);
}

static uint32_t slot_old(struct plan *plan, uint32_t thread, uint32_t object)
{
    return plan->several ? order_old(&plan->order, thread, object) : slot_by_id(plan, object);
}

/* ---- one event
 * ----------------------------------------------------------------------------------- */

static bool fits(uint64_t size)
{
    return size > 0 && size <= UINT32_MAX;
}

static uint32_t put_short(struct plan *plan, uint32_t thread, enum plan_code code, uint32_t slot,
                          uint64_t size)
{
    return window_put_call(&plan->window, thread, plan_op_make(code, slot, (uint32_t)size));
}

static uint32_t put_long(struct plan *plan, uint32_t thread, enum plan_side_kind kind,
                         uint32_t slot, struct plan_side side)
{
    side.kind = kind;
    return window_put_extended(&plan->window, thread, slot, side);
}

static uint32_t put_allocation(struct plan *plan, uint32_t thread, const struct tape_event *event)
{
    static const struct {
        uint8_t code, side;
    } kinds[] = {
        [TAPE_MALLOC] = {PLAN_MALLOC, PLAN_SIDE_MALLOC},
        [TAPE_CALLOC] = {PLAN_CALLOC, PLAN_SIDE_CALLOC},
        [TAPE_ALIGNED] = {0, PLAN_SIDE_ALIGNED},
        [TAPE_REALLOC_NEW] = {PLAN_REALLOC_NEW, PLAN_SIDE_REALLOC_NEW},
    };
    uint32_t slot = slot_new(plan, thread, event->object);
    if (event->kind != TAPE_ALIGNED && fits(event->size))
        return put_short(plan, thread, kinds[event->kind].code, slot, event->size);
    return put_long(plan, thread, kinds[event->kind].side, slot,
                    (struct plan_side){.size = event->size, .align_log2 = event->align_log2});
}

static uint32_t put_realloc(struct plan *plan, uint32_t thread, const struct tape_event *event,
                            uint64_t old_size)
{
    uint32_t slot = slot_old(plan, thread, event->object);
    /* Only these ways to touch must know which part is new. */
    bool needs_old = plan->settings->touch >= ENGINE_TOUCH_PAGE;
    if (!needs_old && fits(event->size))
        return put_short(plan, thread, PLAN_REALLOC, slot, event->size);
    return put_long(plan, thread, PLAN_SIDE_REALLOC, slot,
                    (struct plan_side){.size = event->size, .old_size = old_size});
}

static uint32_t put_event(struct plan *plan, uint32_t thread, const struct tape_event *event,
                          uint64_t old_size)
{
    switch (event->kind) {
    case TAPE_FREE:
        return put_short(plan, thread, PLAN_FREE, slot_old(plan, thread, event->object), 0);
    case TAPE_FREE_NULL:
        return put_short(plan, thread, PLAN_FREE_NULL, 0, 0);
    case TAPE_USABLE_SIZE:
        return put_short(plan, thread, PLAN_USABLE_SIZE, slot_old(plan, thread, event->object), 0);
    case TAPE_REALLOC:
        return put_realloc(plan, thread, event, old_size);
    case TAPE_REALLOC_FREE:
        return put_long(plan, thread, PLAN_SIDE_REALLOC_FREE, slot_old(plan, thread, event->object),
                        (struct plan_side){0});
    default:
        return put_allocation(plan, thread, event);
    }
}

/* What the order must know of the operation at `index`. */
static void put_done(struct plan *plan, uint32_t thread, uint32_t object, uint32_t index, bool ends)
{
    if (plan->several)
        order_done(&plan->order, thread, object, index, ends);
}

/* An allocation of an id that is live, in a damaged tape: the block that had the id goes first. */
static void put_lost_free(struct plan *plan, uint32_t thread, uint32_t object)
{
    uint32_t slot = slot_old(plan, thread, object);
    put_done(plan, thread, object, put_short(plan, thread, PLAN_FREE, slot, 0), true);
}

static bool is_call(unsigned kind)
{
    return kind != TAPE_FAILED && kind != TAPE_FREE_FOREIGN;
}

static void plan_event(struct plan *plan, uint32_t thread, const struct tape_event *event)
{
    struct tape_track_object before;
    enum tape_track_action action = tape_track_event(&plan->track, event, &before);
    if (action == TAPE_TRACK_NO_MEMORY)
        engine_fail(HEAPTAPE_EXIT_ENVIRONMENT,
                    "no memory for the table of live objects: raise the memory limit");
    if (action == TAPE_TRACK_DROP || !is_call(event->kind)) {
        plan->skipped++;
        return;
    }
    if (plan->several)
        order_event(&plan->order, thread, plan->event == plan->lanes.peak_event);
    if (action == TAPE_TRACK_FREE_FIRST)
        put_lost_free(plan, thread, event->object);
    uint32_t index = put_event(plan, thread, event, before.size);
    put_done(plan, thread, event->object, index, tape_kind_frees(event->kind));
    if (plan->track.live_bytes > plan->peak_bytes) {
        plan->peak_bytes = plan->track.live_bytes;
        plan->peak_index = index;
        plan->peak_here = true;
    }
}

/* Plans as much of what was read as the window takes. False: the window is full. */
static bool plan_event_of_lane(struct plan *plan, const struct tape_event *event)
{
    uint32_t thread = lanes_thread(&plan->lanes, &plan->window, event->lane);
    if (thread == LANES_NONE)
        return false;
    plan_event(plan, thread, event);
    lanes_done(&plan->lanes, thread, plan->event);
    return true;
}

bool plan_window(struct plan *plan)
{
    bool any = false;
    window_clear(&plan->window);
    plan->peak_here = false;
    if (plan->several) {
        lanes_window(&plan->lanes);
        order_window(&plan->order);
    }
    for (const struct tape_event *event;
         !window_full(&plan->window) && (event = next_event(plan));) {
        if (!plan->several)
            plan_event(plan, 0, event);
        else if (!plan_event_of_lane(plan, event))
            break;
        plan->events++;
        plan->events_left--;
        plan->event++;
        any = true;
    }
    bool memory = plan->settings->mode == ENGINE_MODE_MEMORY;
    if (memory && plan->peak_here)
        window_flag(&plan->window, plan->peak_index, PLAN_SIDE_SAMPLE);
    window_finish(&plan->window, !memory);
    plan->calls += plan->window.calls;
    if (plan->several)
        plan->slots = plan->order.slots;
    return any;
}
