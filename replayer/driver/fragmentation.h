/*
 * What the series of a memory run comes to: fragmentation in the measures of the literature, and
 * the memory used over time. analysis/METRICS.md has formulas, sources and pitfalls. All from the
 * series' points; each stands for the operations up to the next one. NAN where unknown.
 */
#ifndef HEAPTAPE_REPLAYER_DRIVER_FRAGMENTATION_H
#define HEAPTAPE_REPLAYER_DRIVER_FRAGMENTATION_H

#include <stdbool.h>
#include <stdint.h>
#include "replayer/engine/result.h"
#include "traces/clock.h"
#include "traces/emit.h"

/* A memory run. */
struct fragmentation_run {
    const struct engine_sample *series;
    uint32_t series_count;
    uint64_t operations;
    uint64_t peak_requested_bytes, peak_held_bytes, startup_resident_bytes;
    bool held_known;
    double
        speed; /* of a paced run (engine_settings): its own time goes like the recorded; 0: asap */
};

/* Johnstone and Wilson's four and Bohra and Gabber's one as H/R - 1; then ratios. */
struct fragmentation {
    double mean_over_time, at_peak_requested, at_peak_held, max_held_over_max_requested;
    double at_end;
    double area_ratio;       /* sum H / sum R */
    double peak_utilization; /* CS:APP: max R / max H */
};

/*
 * Means in bytes, over the operations; P with what the allocator had at its start, as in its peak.
 * Then P over the time that the program took when it was recorded.
 */
struct memory_over_time {
    double mean_requested_bytes, mean_held_bytes, mean_resident_bytes;
    double resident_byte_seconds, mean_resident_by_time_bytes;
};

struct fragmentation fragmentation_of(const struct fragmentation_run *run);
/* `clock` may be NULL, `events` is how many the tape has: operations are taken to be spread evenly
 * among them. */
struct memory_over_time memory_over_time(const struct fragmentation_run *run,
                                         const struct tape_clock *clock, uint64_t events);

extern const struct fragmentation fragmentation_unknown;
extern const struct memory_over_time memory_over_time_unknown;

/* Their members into the open object, by these names. */
void fragmentation_emit(struct emit *emit, const struct fragmentation *figures);
void memory_over_time_emit(struct emit *emit, const struct memory_over_time *figures);

#endif
