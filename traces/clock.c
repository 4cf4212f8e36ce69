#include "traces/clock.h"
#include <stdbool.h>

/* How long a pause is at least, once `now_ns` have gone by. */
static uint64_t pause_ns(uint64_t now_ns)
{
    return 1 + now_ns / TAPE_CLOCK_PAUSE;
}

/* Whether this point is an end of a pause: its neighbour is the event before or behind it. */
static bool ends_pause(const struct tape_clock *clock, uint32_t i)
{
    const struct tape_clock_point *at = &clock->points[i];
    bool before = i > 0 && at[-1].event + 1 == at->event &&
                  at->time_ns - at[-1].time_ns >= pause_ns(clock->last_ns);
    bool behind = i + 1 < clock->count && at->event + 1 == at[1].event &&
                  at[1].time_ns - at->time_ns >= pause_ns(clock->last_ns);
    return before || behind;
}

static void thin(struct tape_clock *clock)
{
    struct tape_clock_point *points = clock->points;
    bool keep[TAPE_CLOCK_POINTS];
    uint32_t kept = 0;
    clock->stride *= 2;
    for (uint32_t i = 0; i < clock->count; i++)
        keep[i] = (points[i].event & (clock->stride - 1)) == 0 || ends_pause(clock, i);
    for (uint32_t i = 0; i < clock->count; i++)
        if (keep[i])
            points[kept++] = points[i];
    clock->count = kept;
}

static void put(struct tape_clock *clock, struct tape_clock_point point)
{
    if (clock->count && clock->points[clock->count - 1].event == point.event)
        return;
    while (clock->count == TAPE_CLOCK_POINTS)
        thin(clock);
    clock->points[clock->count++] = point;
}

void tape_clock_point(struct tape_clock *clock, uint64_t time_ns)
{
    uint64_t event = clock->events;
    if (!clock->stride)
        clock->stride = 1;
    clock->patience = pause_ns(time_ns);
    bool pause = event && time_ns - clock->last_ns >= clock->patience;
    if (pause)
        put(clock, (struct tape_clock_point){event - 1, clock->last_ns});
    if (pause || (event & (clock->stride - 1)) == 0)
        put(clock, (struct tape_clock_point){event, time_ns});
    clock->next = (event | (clock->stride - 1)) + 1;
}

void tape_clock_add_events(struct tape_clock *clock, const struct tape_event *events, size_t count)
{
    while (count) {
        /* Up to the grid's next point; without a pause from end to end there is none within. */
        uint64_t left = clock->next - clock->events, last_ns;
        size_t some = left && left < count ? (size_t)left : count;
        last_ns = events[some - 1].time_ns;
        if (left && last_ns >= clock->last_ns && last_ns - clock->last_ns < clock->patience) {
            clock->events += some;
            clock->last_ns = last_ns;
        } else {
            some = 1;
            tape_clock_add(clock, events[0].time_ns);
        }
        events += some;
        count -= some;
    }
}

double tape_clock_at(const struct tape_clock *clock, double event)
{
    uint32_t low = 0, high = clock->count;
    if (!clock->events || event < 0)
        return 0;
    if (event >= (double)(clock->events - 1))
        return (double)clock->last_ns;
    while (high - low > 1) { /* points[low].event <= event, and the first is event 0 */
        uint32_t middle = (low + high) / 2;
        if ((double)clock->points[middle].event <= event)
            low = middle;
        else
            high = middle;
    }
    struct tape_clock_point from = clock->points[low];
    struct tape_clock_point to = {clock->events - 1, clock->last_ns};
    if (high < clock->count)
        to = clock->points[high];
    double span = to.event > from.event ? (double)(to.event - from.event) : 1;
    return (double)from.time_ns +
           ((double)to.time_ns - (double)from.time_ns) * (event - (double)from.event) / span;
}
