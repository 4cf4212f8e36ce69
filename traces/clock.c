#include "traces/clock.h"

static void widen(struct tape_clock *clock)
{
    clock->count /= 2;
    for (uint32_t i = 0; i < clock->count; i++)
        clock->time_ns[i] = clock->time_ns[2 * i];
    clock->stride *= 2;
}

void tape_clock_add(struct tape_clock *clock, uint64_t time_ns)
{
    uint64_t index = clock->events++;
    clock->last_ns = time_ns;
    if (!clock->stride)
        clock->stride = 1;
    if (index < clock->count * clock->stride)
        return;
    if (clock->count == TAPE_CLOCK_POINTS)
        widen(clock); /* the event is a multiple of the doubled stride too */
    clock->time_ns[clock->count++] = time_ns;
}

double tape_clock_at(const struct tape_clock *clock, double event)
{
    if (!clock->events || event < 0)
        return 0;
    if (event >= (double)(clock->events - 1))
        return (double)clock->last_ns;
    uint64_t point = (uint64_t)(event / (double)clock->stride), first = point * clock->stride;
    uint64_t next = first + clock->stride;
    uint64_t from_ns = clock->time_ns[point], to_ns = clock->last_ns;
    if (point + 1 < clock->count)
        to_ns = clock->time_ns[point + 1];
    else
        next = clock->events - 1;
    double span = next > first ? (double)(next - first) : 1;
    double share = (event - (double)first) / span;
    return (double)from_ns + ((double)to_ns - (double)from_ns) * share;
}
