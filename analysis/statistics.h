/*
 * Everything that `heaptape analyze` tells of a tape, gathered in one pass, an event at a time. The
 * formulas are in METRICS.md. Memory: 64 MiB at most plus tables of the live set (40 bytes an
 * object id). Not thread-safe; one tape each.
 */
#ifndef HEAPTAPE_ANALYSIS_STATISTICS_H
#define HEAPTAPE_ANALYSIS_STATISTICS_H

#include <stdbool.h>
#include <stdint.h>

#include "analysis/lane_pairs.h"
#include "analysis/lanes.h"
#include "analysis/lifetime.h"
#include "analysis/live.h"
#include "analysis/sizes.h"
#include "traces/event.h"
#include "traces/summary.h"
#include "traces/track.h"

struct realloc_stats {
    uint64_t grew, shrank, same;        /* calls by what they did to the size */
    uint64_t grown_bytes, shrunk_bytes; /* sums of the differences */
    uint64_t copied_bytes_max; /* sum of min(old, new): what would be copied if all moved */
};

struct statistics {
    struct tape_track track;
    struct size_table sizes;
    struct lifetimes lifetimes;
    struct lane_table lanes;
    struct lane_pairs lane_pairs;
    struct live_series series;
    struct realloc_stats reallocs;
    uint64_t events; /* on the tape, dropped ones included */
    uint64_t by_kind[TAPE_EVENT_KIND_LIMIT];
    uint64_t dropped;         /* events that named no live object: damage before them */
    uint64_t allocated_bytes; /* sizes of allocations and growth by realloc */
    uint64_t duration_ns;     /* time of the last event */
    uint64_t blocks_at_peak;  /* live when the live bytes peaked */
    uint64_t peak_time_ns;
    uint64_t peak_live_bytes, peak_event;
    /* R with every block in granules of its own (packing_granules()), now and at most. */
    uint64_t granule_bytes, peak_granule_bytes;
    double live_bytes_sum; /* of R after each event: over `events` it is the mean */
    uint64_t temporary, cross_lane_frees, ended;
    uint64_t size_count[SUMMARY_SIZE_BINS], size_bytes[SUMMARY_SIZE_BINS];
};

/* False where there is no memory. statistics_end() may be called in any case. */
bool statistics_init(struct statistics *statistics);
void statistics_end(struct statistics *statistics);
/* The next event of the tape. False where there is no memory. */
bool statistics_event(struct statistics *statistics, const struct tape_event *event);
/*
 * The event comes STATISTICS_AHEAD events later: what is known of its object is fetched, since live
 * sets do not fit in the caches and waiting for memory is half of the time otherwise. (Always
 * inline: a function that does nothing but fetch is one that gcc drops.)
 */
#define STATISTICS_AHEAD 12
__attribute__((always_inline)) static inline void
statistics_expect(const struct statistics *statistics, const struct tape_event *event)
{
    uint32_t object = event->object;
    if (object < statistics->track.capacity) {
        const char *entry = (const char *)&statistics->track.objects[object];
        __builtin_prefetch(entry, 1);
        __builtin_prefetch(entry + sizeof(struct tape_track_object) - 1, 1);
    }
    if (object < statistics->lifetimes.capacity)
        __builtin_prefetch(&statistics->lifetimes.born_bytes[object], 1);
}
/* After the last event. */
void statistics_finish(struct statistics *statistics);

/* Calls by family, counted as summary.h does. */
uint64_t statistics_allocations(const struct statistics *statistics);
uint64_t statistics_frees(const struct statistics *statistics);

#endif
