#include "replayer/engine/timetable.h"

#include <string.h>

void timetable_open(struct timetable *timetable, double speed)
{
    memset(timetable, 0, sizeof(*timetable));
    timetable->speed = speed;
}

void timetable_window(struct timetable *timetable)
{
    timetable->window_number++;
}

void timetable_event(struct timetable *timetable, struct window *window, uint32_t thread,
                     uint64_t time_ns)
{
    if (!timetable->begun) {
        timetable->begun = true;
        timetable->first_ns = time_ns;
    }
    uint64_t passed = time_ns > timetable->first_ns ? time_ns - timetable->first_ns : 0;
    double scaled = (double)passed / timetable->speed;
    uint64_t due_ns = scaled < (double)INT64_MAX ? (uint64_t)scaled : INT64_MAX;
    bool here = timetable->threads[thread].window == timetable->window_number;
    struct plan_side *latest = &window_side(window)[timetable->threads[thread].side];
    if (here && due_ns < latest->due_ns + TIMETABLE_STEP_NS &&
        latest->operations < TIMETABLE_OPERATIONS) {
        latest->operations++;
        return;
    }
    timetable->threads[thread].window = timetable->window_number;
    timetable->threads[thread].side =
        window_put_moment(window, thread, (struct plan_side){.due_ns = due_ns, .operations = 1});
}
