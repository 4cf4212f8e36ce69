#include "replayer/engine/plan.h"

#include <string.h>
#include "replayer/engine/sampler.h"
#include "replayer/engine/snapshot.h"

#define PROGRESS_STRIDE   65536 /* in time mode */
#define CHANCE_STRIDE     4096  /* for a snapshot, of a tape whose length is not known */
#define CHANCE_STRIDE_MIN 64
#define PAUSES            256
#define PAUSE_MIN_NS      UINT64_C(1000000)
#define MEET_STRIDE       64 /* in memory mode: see "Drift" in order.h */

/* Events between two chances for a snapshot. */
static uint64_t chance_stride(uint64_t events)
{
    uint64_t stride = events / SNAPSHOT_CHANCES;
    return !events ? CHANCE_STRIDE : stride < CHANCE_STRIDE_MIN ? CHANCE_STRIDE_MIN : stride;
}

/* At most PAUSES of them, none shorter than PAUSE_MIN_NS; 0: not known. */
static uint64_t pause_ns(const struct tape_reader *reader)
{
    uint64_t duration = tape_reader_duration_ns(reader), pause = duration / PAUSES;
    return !duration ? 0 : pause < PAUSE_MIN_NS ? PAUSE_MIN_NS : pause;
}

void plan_open(struct plan *plan, const struct engine_settings *settings)
{
    struct tape_error error;
    memset(plan, 0, sizeof(*plan));
    plan->settings = settings;
    if (tape_reader_open(settings->tape, &plan->reader, &error))
        engine_fail_tape(&error);
    struct tape_reader_totals totals = tape_reader_totals(plan->reader);
    plan->events_claimed = totals.events;
    plan->several =
        settings->order != ENGINE_ORDER_SERIAL && (!totals.complete || totals.lanes != 1);
    tape_track_init(&plan->track);
    bool memory = settings->mode == ENGINE_MODE_MEMORY;
    bool verify = settings->mode == ENGINE_MODE_VERIFY;
    plan->quick = settings->mode == ENGINE_MODE_TIME && settings->touch < ENGINE_TOUCH_PAGE;
    /* Waits take places too. */
    bool waits = plan->several || settings->speed > 0;
    window_open(&plan->window, waits ? 2 * totals.events : totals.events, settings->plan_bytes,
                memory ? sampler_stride(totals.events) : PROGRESS_STRIDE);
    if (verify || settings->snapshots)
        window_keep_origins(&plan->window);
    if (settings->snapshots)
        plan->chance_stride = plan->next_chance = chance_stride(totals.events);
    plan->asked = settings->snapshots ? settings->snapshot_at : ENGINE_NO_EVENT;
    plan->slots = 1;
    if (memory)
        plan->pause_ns = pause_ns(plan->reader);
    timetable_open(&plan->timetable, settings->speed);
    plan->plain = plan->quick && !waits;
    if (!plan->several)
        return;
    lanes_open(&plan->lanes, plan->reader, memory);
    plan->several = plan->lanes.count > 1;
    plan->plain = plan->quick && !plan->several && settings->speed <= 0;
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

static inline uint32_t slot_by_id(struct plan *plan, uint32_t object)
{
    if (object > PLAN_SLOT_MASK)
        engine_fail(HEAPTAPE_EXIT_BAD_INPUT, "object %u: the engine holds at most %u live objects",
                    object, PLAN_SLOT_MASK);
    if (object >= plan->slots)
        plan->slots = object + 1;
    return object;
}

static inline uint32_t slot_new(struct plan *plan, uint32_t thread, uint32_t object)
{
    return plan->several ? order_new(&plan->order, thread, object) : slot_by_id(plan, object);
}

static inline uint32_t slot_old(struct plan *plan, uint32_t thread, uint32_t object)
{
    return plan->several ? order_old(&plan->order, thread, object) : slot_by_id(plan, object);
}

/* ---- one event
 * ----------------------------------------------------------------------------------- */

static bool fits(uint64_t size)
{
    return size > 0 && size <= UINT32_MAX;
}

static inline uint32_t put_short(struct plan *plan, uint32_t thread, enum plan_code code,
                                 uint32_t slot, uint64_t size)
{
    return window_put_call(&plan->window, thread, plan_op_make(code, slot, (uint32_t)size));
}

static inline uint32_t put_long(struct plan *plan, uint32_t thread, enum plan_side_kind kind,
                                uint32_t slot, struct plan_side side)
{
    side.kind = kind;
    return window_put_extended(&plan->window, thread, slot, side);
}

static inline uint32_t put_allocation(struct plan *plan, uint32_t thread,
                                      const struct tape_event *event)
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

static inline uint32_t put_realloc(struct plan *plan, uint32_t thread,
                                   const struct tape_event *event, uint64_t old_size)
{
    uint32_t slot = slot_old(plan, thread, event->object);
    /* Only these ways to touch must know which part is new. */
    bool needs_old = plan->settings->touch >= ENGINE_TOUCH_PAGE;
    if (!needs_old && fits(event->size))
        return put_short(plan, thread, PLAN_REALLOC, slot, event->size);
    return put_long(plan, thread, PLAN_SIDE_REALLOC, slot,
                    (struct plan_side){.size = event->size, .old_size = old_size});
}

/* Its size is for latency mode's size classes. */
static inline uint32_t put_free(struct plan *plan, uint32_t thread, uint32_t object, uint64_t size)
{
    uint32_t slot = slot_old(plan, thread, object);
    return put_short(plan, thread, PLAN_FREE, slot, size < UINT32_MAX ? size : UINT32_MAX);
}

static inline uint32_t put_event(struct plan *plan, uint32_t thread, const struct tape_event *event,
                                 uint64_t old_size)
{
    switch (event->kind) {
    case TAPE_FREE:
        return put_free(plan, thread, event->object, old_size);
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
    put_done(plan, thread, object, put_free(plan, thread, object, 0), true);
}

static bool is_call(unsigned kind)
{
    return kind != TAPE_FAILED && kind != TAPE_FREE_FOREIGN;
}

/* What to do with the event; *ret_old_size: of the object before it, where sizes are tracked. */
static inline enum tape_track_action judge(struct plan *plan, const struct tape_event *event,
                                           uint64_t *ret_old_size)
{
    *ret_old_size = 0;
    if (plan->quick)
        return live_event(&plan->live, event);
    struct tape_track_object before;
    enum tape_track_action action = tape_track_event(&plan->track, event, &before);
    *ret_old_size = before.size;
    if (action == TAPE_TRACK_NO_MEMORY)
        engine_fail(HEAPTAPE_EXIT_ENVIRONMENT,
                    "no memory for the table of live objects: raise the memory limit");
    return action;
}

/* Memory that is held while the program waits counts for all of that time: the point of the series
 * that stands for it is right before. */
static inline void mark_pause(struct plan *plan, uint64_t time_ns)
{
    if (plan->last_index != UINT32_MAX && time_ns > plan->last_ns &&
        time_ns - plan->last_ns >= plan->pause_ns)
        window_flag(&plan->window, plan->last_index, PLAN_SIDE_PAUSE);
}

static inline void plan_event(struct plan *plan, uint32_t thread, const struct tape_event *event)
{
    uint64_t old_size;
    enum tape_track_action action = judge(plan, event, &old_size);
    if (action == TAPE_TRACK_DROP || !is_call(event->kind)) {
        plan->skipped++;
        return;
    }
    if (ENGINE_UNLIKELY(plan->pause_ns))
        mark_pause(plan, event->time_ns);
    bool asked = plan->event >= plan->asked;
    bool chance = asked || (plan->chance_stride && plan->event >= plan->next_chance);
    plan->window.origin =
        (struct window_origin){(uint32_t)(plan->event - plan->window.first_event), event->lane};
    if (plan->timetable.speed > 0)
        timetable_event(&plan->timetable, &plan->window, thread, event->time_ns);
    if (plan->several)
        order_event(&plan->order, thread, chance || plan->event == plan->lanes.peak_event);
    if (action == TAPE_TRACK_FREE_FIRST)
        put_lost_free(plan, thread, event->object);
    uint32_t index = put_event(plan, thread, event, old_size);
    put_done(plan, thread, event->object, index, tape_kind_frees(event->kind));
    plan->last_ns = event->time_ns;
    plan->last_index = index;
    if (chance) {
        window_flag(&plan->window, index, PLAN_SIDE_SNAPSHOT);
        plan->next_chance = plan->event + plan->chance_stride;
    }
    if (asked) {
        window_flag(&plan->window, index, PLAN_SIDE_ASKED);
        plan->asked = ENGINE_NO_EVENT;
    }
    if (plan->track.live_bytes > plan->peak_bytes) {
        plan->peak_bytes = plan->track.live_bytes;
        plan->peak_index = index;
        plan->peak_here = true;
    }
}

/*
 * Most events of most tapes are plain mallocs and frees, and most tapes have one lane: those events
 * straight from the batch into the window, without a branch on which of the two it is, and grouped
 * to quads while they are in the cache. Stops at the first event that is anything else.
 */
static void plan_plain(struct plan *plan)
{
    struct window *window = &plan->window;
    struct window_queue *queue = &window->queues[0];
    size_t count = plan->events_left;
    if (count > queue->limit - queue->next)
        count = queue->limit - queue->next;
    if (count > window->progress_stride - queue->since_progress)
        count = window->progress_stride - queue->since_progress;
    struct plan_op *out = window_ops(window) + queue->next;
    uint64_t *bits = plan->live.bits.base;
    const uint64_t capacity = plan->live.capacity;
    uint32_t highest = plan->slots - 1;
    size_t done = 0;
    uint32_t pattern = 0;
    for (; done < count; done++) {
        const struct tape_event *event = &plan->events[done];
        uint32_t object = event->object, is_free = event->kind == TAPE_FREE;
        uint64_t size = is_free ? 1 : event->size;
        if (ENGINE_UNLIKELY(!(is_free | (event->kind == TAPE_MALLOC)) || object >= capacity ||
                            !object || !fits(size)))
            break;
        uint64_t word = bits[object / 64];
        if (ENGINE_UNLIKELY((word >> object % 64 & 1) != is_free))
            break;
        bits[object / 64] = word ^ UINT64_C(1) << object % 64;
        out[done] = plan_op_make(PLAN_MALLOC + is_free, object, (uint32_t)size);
        highest = object > highest ? object : highest;
        pattern = (pattern >> 1 | is_free << 3) & (PLAN_QUADS - 1);
        if (done % 4 == 3)
            out[done - 3].head = plan_op_slot(out[done - 3]) | pattern << PLAN_SLOT_BITS;
    }
    plan->slots = highest + 1;
    plan->events += done;
    plan->events_left -= done;
    plan->event += done;
    queue->next += (uint32_t)done;
    queue->since_progress += (uint32_t)done;
    window->calls += done;
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

/* Plans events until the window is full or the tape ends. */
static void plan_events(struct plan *plan)
{
    while (!window_full(&plan->window) && next_event(plan)) {
        if (plan->plain)
            plan_plain(plan);
        if (!plan->events_left)
            continue;
        const struct tape_event *event = plan->events;
        if (!plan->several)
            plan_event(plan, 0, event);
        else if (!plan_event_of_lane(plan, event))
            break;
        plan->events++;
        plan->events_left--;
        plan->event++;
    }
}

bool plan_window(struct plan *plan)
{
    if (!next_event(plan)) /* what the last window held stays */
        return false;
    window_clear(&plan->window);
    plan->window.first_event = plan->event;
    plan->peak_here = false;
    plan->last_index = UINT32_MAX;
    timetable_window(&plan->timetable);
    if (plan->several) {
        lanes_window(&plan->lanes);
        order_window(&plan->order);
    }
    plan_events(plan);
    enum engine_mode mode = plan->settings->mode;
    if (mode == ENGINE_MODE_MEMORY && plan->peak_here)
        window_flag(&plan->window, plan->peak_index, PLAN_SIDE_SAMPLE);
    window_finish(&plan->window, mode == ENGINE_MODE_TIME && !plan->plain);
    plan->calls += plan->window.calls;
    if (plan->several)
        plan->slots = plan->order.slots;
    plan->windows++;
    return true;
}
