/*
 * Live bytes and blocks over a whole tape in a fixed number of points. Each point stands for
 * `stride` events; when the points run out, neighbours are merged and the stride doubles, so that
 * neither the length need be known nor a peak be lost: every point keeps the most that was live
 * within it.
 */
#ifndef HEAPTAPE_ANALYSIS_LIVE_H
#define HEAPTAPE_ANALYSIS_LIVE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define LIVE_POINTS 4096u
_Static_assert(LIVE_POINTS % 2 == 0, "neighbours are merged in pairs");

struct live_point {
    uint64_t event;      /* events done at its end */
    uint64_t time_ns;    /* recorded time there */
    uint64_t live_bytes; /* R there */
    uint64_t live_blocks;
    uint64_t most_live_bytes; /* highest R within the point */
    uint64_t allocated_bytes; /* in all, up to there */
};

struct live_series {
    struct live_point points[LIVE_POINTS];
    uint32_t count;       /* whole points; the open one is points[count] */
    uint64_t stride;      /* events a point */
    uint64_t open_events; /* in the open point */
};

void live_series_init(struct live_series *series);
/* One event is done; `now.most_live_bytes` is ignored. */
void live_series_add(struct live_series *series, struct live_point now);
/* True where the event just done ends its point; if not, live_series_skip() takes its place. */
static inline bool live_series_due(const struct live_series *series)
{
    return series->open_events + 1 == series->stride;
}
/* One event inside a point is done: only the highest R matters. */
static inline void live_series_skip(struct live_series *series, uint64_t live_bytes)
{
    struct live_point *open = &series->points[series->count];

    series->open_events++;
    if (live_bytes > open->most_live_bytes)
        open->most_live_bytes = live_bytes;
}
/* Closes the last, shorter point; `now` as after the last event. */
void live_series_finish(struct live_series *series, struct live_point now);
/* CSV: event,time_seconds,live_bytes,live_blocks,most_live_bytes,allocated_bytes. */
void live_series_write(const struct live_series *series, FILE *out);

#endif
