#include "traces/clock.h"
#include <stdbool.h>

static bool is_pause(const struct tape_clock *clock, uint64_t from_ns, uint64_t to_ns)
{
    return to_ns > from_ns && to_ns - from_ns >= 1 + clock->last.time_ns / TAPE_CLOCK_PAUSE;
}

/* Whether this point is an end of a pause: its neighbour is the event before or behind it. */
static bool ends_pause(const struct tape_clock *clock, uint32_t i)
{
    const struct tape_clock_point *at = &clock->points[i];
    bool before =
        i > 0 && at[-1].event + 1 == at->event && is_pause(clock, at[-1].time_ns, at->time_ns);
    bool behind = i + 1 < clock->count && at->event + 1 == at[1].event &&
                  is_pause(clock, at->time_ns, at[1].time_ns);
    return before || behind;
}

static void thin(struct tape_clock *clock)
{
    struct tape_clock_point *points = clock->points;
    bool keep[TAPE_CLOCK_POINTS];
    uint32_t kept = 0;
    clock->stride *= 2;
    for (uint32_t i = 0; i < clock->count; i++)
        keep[i] = points[i].event % clock->stride == 0 || ends_pause(clock, i);
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

void tape_clock_add(struct tape_clock *clock, uint64_t time_ns)
{
    struct tape_clock_point before = clock->last, now = {clock->events++, time_ns};
    clock->last = now;
    if (!clock->stride)
        clock->stride = 1;
    bool pause = now.event && is_pause(clock, before.time_ns, time_ns);
    if (pause)
        put(clock, before);
    if (pause || now.event % clock->stride == 0)
        put(clock, now);
}

double tape_clock_at(const struct tape_clock *clock, double event)
{
    uint32_t low = 0, high = clock->count;
    if (!clock->events || event < 0)
        return 0;
    if (event >= (double)clock->last.event)
        return (double)clock->last.time_ns;
    while (high - low > 1) { /* points[low].event <= event, and the first is event 0 */
        uint32_t middle = (low + high) / 2;
        if ((double)clock->points[middle].event <= event)
            low = middle;
        else
            high = middle;
    }
    struct tape_clock_point from = clock->points[low];
    struct tape_clock_point to = high < clock->count ? clock->points[high] : clock->last;
    double span = to.event > from.event ? (double)(to.event - from.event) : 1;
    return (double)from.time_ns +
           ((double)to.time_ns - (double)from.time_ns) * (event - (double)from.event) / span;
}
