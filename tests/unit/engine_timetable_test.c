/* Which operations are held back until which moment. */
#include <stdarg.h>
#include <stdlib.h>

#include "replayer/engine/engine.h"
#include "replayer/engine/timetable.h"
#include "tests/unit/check.h"

struct engine_result *engine_result;

void engine_fail(enum heaptape_exit status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    exit((int)status);
}

enum { STEP = TIMETABLE_STEP_NS };

static struct timetable timetable;
static struct window window;

static void begin(double speed)
{
    timetable_open(&timetable, speed);
    window_open(&window, 100000, 16 << 20, 65536);
    window_clear(&window);
    timetable_window(&timetable);
}

/* An operation of the thread, recorded then. */
static void put(uint32_t thread, uint64_t time_ns)
{
    timetable_event(&timetable, &window, thread, time_ns);
    window_put_call(&window, thread, plan_op_make(PLAN_FREE_NULL, 0, 0));
}

/* The n-th operation of the thread's queue; all stand in its first segment here. */
static struct plan_op op(uint32_t thread, uint32_t n)
{
    return window_ops(&window)[window.queues[thread].first + n];
}

static bool is_moment(struct plan_op op, uint64_t due_ns, uint64_t operations)
{
    if (!CHECK_EQ_INT(plan_op_code(op), PLAN_WAIT) || !CHECK_EQ_INT(plan_op_slot(op), PLAN_CLOCK) ||
        !CHECK(op.size > 0 && op.size <= window.side_used))
        return false;
    const struct plan_side *moment = &window_side(&window)[op.size - 1];
    return CHECK_EQ_U64(moment->due_ns, due_ns) & CHECK_EQ_U64(moment->operations, operations);
}

static bool is_call(struct plan_op op)
{
    return plan_op_code(op) == PLAN_FREE_NULL;
}

static void test_what_lies_close_together_is_held_back_together(void)
{
    begin(1);
    put(0, 5000000); /* the recording's first event is moment 0 */
    put(0, 5000000 + STEP - 1);
    put(0, 5000000 + STEP);
    put(0, 5000000 + 2 * STEP - 1);
    put(0, 5000000 + 2 * STEP - 1);
    put(0, 5000000 + 50 * STEP);
    CHECK(is_moment(op(0, 0), 0, 2));
    CHECK(is_call(op(0, 1)) && is_call(op(0, 2)));
    CHECK(is_moment(op(0, 3), STEP, 3));
    CHECK(is_call(op(0, 4)) && is_call(op(0, 5)) && is_call(op(0, 6)));
    CHECK(is_moment(op(0, 7), 50 * STEP, 1));
    CHECK(is_call(op(0, 8)));
    CHECK_EQ_U64(window.side_used, 3);
}

static void test_threads_have_moments_of_their_own_on_one_clock(void)
{
    begin(1);
    put(0, 1000);
    put(3, 1000 + STEP / 2);
    put(0, 1000 + STEP / 2);
    put(3, 1000 + STEP);
    put(3, 1000 + 2 * STEP);
    CHECK(is_moment(op(0, 0), 0, 2));
    CHECK(is_moment(op(3, 0), STEP / 2, 2));
    CHECK(is_moment(op(3, 3), 2 * STEP, 1));
}

static void test_speed(void)
{
    begin(2);
    put(0, 0);
    put(0, STEP); /* half a step of replay */
    put(0, 2 * STEP);
    CHECK(is_moment(op(0, 0), 0, 2));
    CHECK(is_moment(op(0, 3), STEP, 1));
    begin(0.5);
    put(0, 0);
    put(0, STEP / 2);
    put(0, STEP);
    CHECK(is_moment(op(0, 2), STEP, 1));
    CHECK(is_moment(op(0, 4), 2 * STEP, 1));
}

static void test_many_at_once_are_looked_at_from_time_to_time(void)
{
    begin(1000);
    for (uint64_t i = 0; i < 2 * TIMETABLE_OPERATIONS + 1; i++)
        put(0, 1000 * i);
    CHECK_EQ_U64(window.side_used, 3);
    CHECK(is_moment(op(0, 0), 0, TIMETABLE_OPERATIONS));
    CHECK_EQ_U64(window_side(&window)[1].due_ns, TIMETABLE_OPERATIONS);
    CHECK_EQ_U64(window_side(&window)[2].operations, 1);
}

static void test_every_window_begins_with_a_moment(void)
{
    begin(1);
    put(0, 10);
    put(0, 20);
    window_clear(&window);
    timetable_window(&timetable);
    put(0, 30);
    put(0, 40);
    CHECK(is_moment(op(0, 0), 20, 2)); /* counted from the first window */
    CHECK(is_call(op(0, 1)) && is_call(op(0, 2)));
}

static void test_times_of_no_sense(void)
{
    begin(1);
    put(0, 1000);
    put(0, 0); /* a tape never goes back; a wrong one is not waited for */
    put(0, UINT64_MAX);
    CHECK(is_moment(op(0, 0), 0, 2));
    CHECK(is_moment(op(0, 3), INT64_MAX, 1));
}

int main(void)
{
    static struct engine_result result;
    engine_result = &result;
    RUN(test_what_lies_close_together_is_held_back_together);
    RUN(test_threads_have_moments_of_their_own_on_one_clock);
    RUN(test_speed);
    RUN(test_many_at_once_are_looked_at_from_time_to_time);
    RUN(test_every_window_begins_with_a_moment);
    RUN(test_times_of_no_sense);
    return CHECK_MAIN_END();
}
