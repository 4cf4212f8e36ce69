#include "analysis/live.h"

#include <inttypes.h>

void live_series_init(struct live_series *series)
{
    series->count = 0;
    series->stride = 1;
    series->open_events = 0;
    series->points[0] = (struct live_point){0};
}

static void merge_neighbours(struct live_series *series)
{
    for (uint32_t i = 0; i < LIVE_POINTS / 2; i++) {
        struct live_point first = series->points[2 * i], second = series->points[2 * i + 1];
        if (first.most_live_bytes > second.most_live_bytes)
            second.most_live_bytes = first.most_live_bytes;
        series->points[i] = second;
    }
    series->count = LIVE_POINTS / 2;
    series->stride *= 2;
}

static void close_point(struct live_series *series)
{
    series->count++;
    series->open_events = 0;
    if (series->count == LIVE_POINTS)
        merge_neighbours(series);
    series->points[series->count] = (struct live_point){0};
}

void live_series_add(struct live_series *series, struct live_point now)
{
    struct live_point *open = &series->points[series->count];
    uint64_t most = open->most_live_bytes;

    *open = now;
    open->most_live_bytes = most > now.live_bytes ? most : now.live_bytes;
    if (++series->open_events == series->stride)
        close_point(series);
}

void live_series_finish(struct live_series *series, struct live_point now)
{
    uint64_t most = series->points[series->count].most_live_bytes;

    if (!series->open_events)
        return;
    now.most_live_bytes = most;
    series->points[series->count] = now;
    close_point(series);
}

void live_series_write(const struct live_series *series, FILE *out)
{
    fputs("event,time_seconds,live_bytes,live_blocks,most_live_bytes,allocated_bytes\n", out);
    for (uint32_t i = 0; i < series->count; i++) {
        const struct live_point *p = &series->points[i];
        fprintf(out,
                "%" PRIu64 ",%" PRIu64 ".%09" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64
                "\n",
                p->event, p->time_ns / UINT64_C(1000000000), p->time_ns % UINT64_C(1000000000),
                p->live_bytes, p->live_blocks, p->most_live_bytes, p->allocated_bytes);
    }
}
