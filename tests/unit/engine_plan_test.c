/*
 * The plan against the tape, without a replay: whatever order the threads happen to run in (a
 * random scheduler that respects waits and starts and nothing else), each operation must find its
 * own object in its slot, every thread must do its lane's calls in their order, and all must come
 * to their end.
 */
#include <stdlib.h>
#include <unistd.h>
#include "replayer/engine/plan.h"
#include "replayer/engine/replay.h"
#include "replayer/engine/sampler.h"
#include "tests/unit/check.h"
#include "traces/writer.h"

struct engine_result *engine_result;

_Noreturn void engine_fail(enum heaptape_exit status, const char *format, ...)
{
    printf("engine_fail: %s\n", format);
    exit((int)status);
}

_Noreturn void engine_fail_tape(const struct tape_error *error)
{
    printf("engine_fail_tape: %s\n", error->message);
    exit(3);
}

uint32_t sampler_stride(uint64_t operations)
{
    (void)operations;
    return 16;
}

static uint64_t state;

static uint32_t random_below(uint32_t limit)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((state >> 33) % limit);
}

/* ---- a tape ------------------------------------------------------------------------------------
 */

#define OBJECTS 200
#define LANES   64

struct tape_shape {
    uint32_t events, lanes;
    uint32_t cross; /* percent of uses by any lane */
    bool producer;  /* lane 0 allocates, the others free */
    bool in_turn;   /* lanes one after the other */
};

static struct tape_event *events; /* as written */
static const char *const tape_path = "engine_plan_test.tape";

static uint32_t random_lane(const struct tape_shape *shape, uint32_t i)
{
    uint32_t known = i < shape->lanes ? i + 1 : shape->lanes;
    if (shape->in_turn)
        return (uint32_t)((uint64_t)i * shape->lanes / shape->events);
    return random_below(known);
}

static struct tape_event random_event(const struct tape_shape *shape, uint32_t i, uint32_t *owner)
{
    uint32_t id = 1 + random_below(OBJECTS);
    uint32_t lane = random_lane(shape, i);
    struct tape_event event = {.object = id, .time_ns = i};
    if (owner[id]) {
        static const uint8_t kinds[] = {TAPE_FREE,    TAPE_FREE,        TAPE_FREE,
                                        TAPE_REALLOC, TAPE_USABLE_SIZE, TAPE_REALLOC_FREE};
        event.kind = kinds[random_below(6)];
        if (random_below(100) >= shape->cross && !shape->in_turn)
            lane = owner[id] - 1;
        if (shape->producer)
            lane = lane ? lane : 1 % shape->lanes;
    } else {
        event.kind = (uint8_t)(TAPE_MALLOC + random_below(4));
        if (shape->producer)
            lane = 0;
    }
    event.lane = lane;
    if (event.kind == TAPE_REALLOC || tape_kind_allocates(event.kind))
        event.size = 1 + random_below(500);
    if (random_below(40) == 0)
        event = (struct tape_event){
            .kind = random_below(2) ? TAPE_FREE_NULL : TAPE_FAILED, .lane = lane, .time_ns = i};
    if (event.object)
        owner[id] = tape_kind_frees(event.kind) ? 0 : lane + 1;
    return event;
}

static void tape_make(const struct tape_shape *shape)
{
    uint32_t owner[OBJECTS + 1] = {0};
    struct tape_writer *writer;
    struct tape_error error;
    events = realloc(events, shape->events * sizeof(*events));
    if (!CHECK_EQ_INT(tape_writer_open(tape_path, NULL, 0, NULL, &writer, &error), TAPE_OK))
        exit(1);
    for (uint32_t i = 0; i < shape->events; i++) {
        events[i] = random_event(shape, i, owner);
        CHECK_EQ_INT(tape_writer_put(writer, &events[i], &error), TAPE_OK);
    }
    CHECK_EQ_INT(tape_writer_close(writer, true, NULL, 0, &error), TAPE_OK);
}

/* ---- a run of the plan
 * --------------------------------------------------------------------------- */

static uint32_t *slots;            /* object that is in the slot; 0 = none */
static uint32_t next_event[LANES]; /* of the lane, index in events */
static uint32_t lane_of_thread[WINDOW_THREADS];
static uint32_t strict_next; /* strict order: the event that must come */

struct simulated {
    const struct plan_op *op;
    uint32_t published;
    bool started, ended;
};

static bool replayed(const struct tape_event *event)
{
    return event->kind != TAPE_FAILED && event->kind != TAPE_FREE_FOREIGN;
}

/* The lane's next call, and on to the one after. */
static const struct tape_event *lane_next(uint32_t lane, uint32_t count, uint32_t *ret_index)
{
    uint32_t at = next_event[lane];
    while (at < count && (events[at].lane != lane || !replayed(&events[at])))
        at++;
    next_event[lane] = at + 1;
    *ret_index = at;
    return at < count ? &events[at] : NULL;
}

static void simulate_call(const struct tape_event *event, struct plan_op op)
{
    uint32_t *slot = &slots[plan_op_slot(op)];
    if (event->kind == TAPE_FREE_NULL)
        return;
    if (tape_kind_allocates(event->kind)) {
        CHECK_EQ_U64(*slot, 0); /* nobody's block is lost */
        *slot = event->object;
        return;
    }
    CHECK_EQ_U64(*slot, event->object);
    if (tape_kind_frees(event->kind))
        *slot = 0;
}

static bool published_by(const struct plan *plan, struct plan_op op)
{
    unsigned code = plan_op_code(op);
    return code == PLAN_MALLOC_PUBLISH || code == PLAN_FREE_PUBLISH ||
           (code == PLAN_EXTENDED && window_side(&plan->window)[op.size].flags & PLAN_SIDE_PUBLISH);
}

/* One operation of the thread. False: it has to wait. */
static bool simulate_one(const struct plan *plan, struct simulated *threads, uint32_t index,
                         uint32_t count)
{
    struct simulated *self = &threads[index];
    struct plan_op op = *self->op;
    uint32_t position = (uint32_t)(self->op - window_ops(&plan->window)) + 1, at;
    switch (plan_op_code(op)) {
    case PLAN_END:
        self->ended = true;
        return true;
    case PLAN_NEXT:
        self->op = window_ops(&plan->window) + op.size;
        return true;
    case PLAN_WAIT:
        if (threads[plan_op_slot(op)].published < op.size)
            return false;
        break;
    case PLAN_START:
        threads[plan_op_slot(op)].started = true;
        break;
    case PLAN_PROGRESS:
        break;
    default: {
        const struct tape_event *event = lane_next(lane_of_thread[index], count, &at);
        if (!CHECK(event != NULL))
            exit(1);
        if (plan->settings->order == ENGINE_ORDER_STRICT) {
            while (strict_next < at && !replayed(&events[strict_next]))
                strict_next++;
            CHECK_EQ_U64(strict_next, at);
            strict_next = at + 1;
        }
        simulate_call(event, op);
    }
    }
    if (published_by(plan, op))
        self->published = position;
    self->op++;
    return true;
}

static bool may_run(const struct plan *plan, const struct simulated *threads, uint32_t i)
{
    const struct lanes_thread *lane = &plan->lanes.threads[i];
    if (threads[i].ended || !threads[i].op)
        return false;
    if (!plan->several || lane->state != LANES_NEW)
        return true;
    return (lane->at_once || threads[i].started) &&
           (lane->after == LANES_NONE || !threads[lane->after].op || threads[lane->after].ended);
}

/* Runs the window with a random scheduler; no progress by anybody is a deadlock. */
static void simulate_window(const struct plan *plan, uint32_t count)
{
    struct simulated threads[WINDOW_THREADS] = {0};
    uint32_t left = 0, used = plan->window.threads;
    for (uint32_t i = 0; i < used; i++) {
        const struct window_queue *queue = &plan->window.queues[i];
        if (!queue->limit)
            continue;
        threads[i].op = window_ops(&plan->window) + queue->first;
        left++;
    }
    for (uint32_t stuck = 0; left;) {
        uint32_t i = random_below(used);
        /* Short and long runs: threads drift as far apart as the plan lets them. */
        uint32_t run = 1u << random_below(14);
        bool any = false;
        while (run-- && may_run(plan, threads, i) && simulate_one(plan, threads, i, count)) {
            any = true;
            left -= threads[i].ended;
        }
        stuck = any ? 0 : stuck + 1;
        if (!CHECK_LE_U64(stuck, 100000))
            exit(1);
    }
}

/* Which lane has which thread, for those that begin in this window. */
static void learn_threads(const struct plan *plan)
{
    const struct lane *lanes = plan->lanes.table.base;
    for (uint32_t lane = 0; plan->several && lane < plan->lanes.count; lane++)
        if (lanes[lane].thread != LANES_NONE &&
            plan->lanes.threads[lanes[lane].thread].state == LANES_NEW && next_event[lane] == 0)
            lane_of_thread[lanes[lane].thread] = lane;
}

static void run_shape(struct tape_shape shape, enum engine_order order, enum engine_mode mode)
{
    static struct plan plan;
    static struct pages pages;
    struct engine_settings settings = {.tape = tape_path,
                                       .mode = mode,
                                       .touch = ENGINE_TOUCH_PAGE,
                                       .order = order,
                                       .plan_bytes = shape.producer ? 16 << 20 : 256 << 10};
    tape_make(&shape);
    memset(next_event, 0, sizeof(next_event));
    memset(lane_of_thread, 0, sizeof(lane_of_thread));
    strict_next = 0;
    pages_release(&pages);
    plan_open(&plan, &settings);
    uint32_t calls = 0;
    while (plan_window(&plan)) {
        slots = pages_reserve(&pages, plan.slots * sizeof(*slots));
        learn_threads(&plan);
        simulate_window(&plan, shape.events);
    }
    for (uint32_t i = 0; i < shape.events; i++)
        calls += replayed(&events[i]);
    CHECK_EQ_U64(plan.calls, calls);
    CHECK_EQ_U64(plan.calls + plan.skipped, shape.events);
    for (uint32_t lane = 0, at; lane < shape.lanes; lane++)
        CHECK(lane_next(lane, shape.events, &at) == NULL);
    tape_reader_close(plan.reader);
    unlink(tape_path);
}

static void test_one_lane(void)
{
    run_shape((struct tape_shape){50000, 1, 0, false, false}, ENGINE_ORDER_CAUSAL,
              ENGINE_MODE_TIME);
}

static void test_lanes_apart(void)
{
    run_shape((struct tape_shape){60000, 4, 0, false, false}, ENGINE_ORDER_CAUSAL,
              ENGINE_MODE_TIME);
}

static void test_lanes_crossing(void)
{
    for (uint32_t i = 0; i < 5; i++) {
        state = 77 + i;
        run_shape((struct tape_shape){40000, 3 + 7 * i, 40, false, false}, ENGINE_ORDER_CAUSAL,
                  ENGINE_MODE_TIME);
    }
}

static void test_memory_mode_meets(void)
{
    run_shape((struct tape_shape){60000, 8, 30, false, false}, ENGINE_ORDER_CAUSAL,
              ENGINE_MODE_MEMORY);
}

static void test_producer(void)
{
    run_shape((struct tape_shape){200000, 2, 0, true, false}, ENGINE_ORDER_CAUSAL,
              ENGINE_MODE_TIME);
}

static void test_lanes_in_turn(void)
{
    run_shape((struct tape_shape){60000, LANES, 0, false, true}, ENGINE_ORDER_CAUSAL,
              ENGINE_MODE_TIME);
}

static void test_strict(void)
{
    run_shape((struct tape_shape){40000, 5, 30, false, false}, ENGINE_ORDER_STRICT,
              ENGINE_MODE_TIME);
    run_shape((struct tape_shape){20000, LANES, 30, false, true}, ENGINE_ORDER_STRICT,
              ENGINE_MODE_MEMORY);
}

/* A consumer hands slots back: the table stays near the live set however long the tape. */
static void test_slots_are_bounded(void)
{
    static struct order order;
    static struct window window;
    enum { LIVE = 100, PAIRS = 400000 };
    window_open(&window, 0, 64 << 20, 1 << 30);
    order_open(&order, &window, false);
    order_window(&order);
    for (uint32_t i = 0; i < PAIRS; i++) {
        uint32_t born = 1 + i % LIVE;
        if (i >= LIVE) {
            uint32_t slot = order_old(&order, 1, born);
            order_done(&order, 1, born,
                       window_put_call(&window, 1, plan_op_make(PLAN_FREE, slot, 0)), true);
        }
        uint32_t slot = order_new(&order, 0, born);
        order_done(&order, 0, born, window_put_call(&window, 0, plan_op_make(PLAN_MALLOC, slot, 1)),
                   false);
    }
    CHECK_LE_U64(order.slots, 3 * 4096);
}

static void test_quads(void)
{
    static struct window window;
    window_open(&window, 100, 1 << 20, 1 << 30);
    for (uint32_t i = 0; i < 11; i++) /* malloc, free, free, malloc; free, free, ... */
        window_put_call(&window, 0,
                        plan_op_make(i == 0 || i == 3 ? PLAN_MALLOC : PLAN_FREE, i + 1, 8));
    window_put_call(&window, 0, plan_op_make(PLAN_CALLOC, 12, 8));
    window_finish(&window, true);
    const struct plan_op *ops = window_ops(&window);
    CHECK_EQ_U64(plan_op_code(ops[0]), 6);
    CHECK_EQ_U64(plan_op_slot(ops[0]), 1);
    CHECK_EQ_U64(plan_op_code(ops[1]), PLAN_FREE);
    CHECK_EQ_U64(plan_op_code(ops[4]), 15);
    CHECK_EQ_U64(plan_op_code(ops[8]), PLAN_FREE); /* three are left over */
    CHECK_EQ_U64(plan_op_code(ops[11]), PLAN_CALLOC);
    CHECK_EQ_U64(plan_op_code(ops[12]), PLAN_END);
}

/* What came along is what both sizes have; nothing did where the block stayed. */
static void test_reallocs_are_told_apart(void)
{
    static struct replay_thread thread;
    static char blocks[2];
    replay_count_realloc(&thread, (uintptr_t)&blocks[0], &blocks[1], 10, 30);
    replay_count_realloc(&thread, (uintptr_t)&blocks[0], &blocks[1], 500, 7);
    replay_count_realloc(&thread, (uintptr_t)&blocks[1], &blocks[1], 10, 3000);
    CHECK_EQ_U64(thread.realloc_moved, 2);
    CHECK_EQ_U64(thread.realloc_in_place, 1);
    CHECK_EQ_U64(thread.realloc_moved_bytes, 10 + 7);
}

int main(void)
{
    static struct engine_result result;
    engine_result = &result;
    state = 1;
    RUN(test_quads);
    RUN(test_slots_are_bounded);
    RUN(test_one_lane);
    RUN(test_lanes_apart);
    RUN(test_lanes_crossing);
    RUN(test_memory_mode_meets);
    RUN(test_producer);
    RUN(test_lanes_in_turn);
    RUN(test_strict);
    RUN(test_reallocs_are_told_apart);
    return CHECK_MAIN_END();
}
