/*
 * Latency runs: how long single calls take, from the engine's histograms (latency_result.h) to rows
 * of results. What is read from too few calls is NAN: a percentile needs at least one call beyond
 * it. Formulas and pitfalls in analysis/METRICS.md, "Latency".
 */
#ifndef HEAPTAPE_REPLAYER_DRIVER_LATENCY_H
#define HEAPTAPE_REPLAYER_DRIVER_LATENCY_H

#include <stdbool.h>
#include <stdint.h>
#include "replayer/engine/latency_result.h"
#include "traces/emit.h"

#define LATENCY_PERCENTILES 5
extern const double latency_shares[LATENCY_PERCENTILES];           /* 0.5 ... 0.9999 */
extern const char *const latency_share_words[LATENCY_PERCENTILES]; /* "p50" ... "p99_99" */
extern const char *const latency_kind_words[LATENCY_KINDS];        /* "malloc", ... */

/* Nanoseconds, the clock's own cost taken out. */
struct latency_figures {
    uint64_t count;
    double mean_ns, max_ns, percentiles_ns[LATENCY_PERCENTILES];
};

/* `histogram` is one of `latency`'s, or a sum of some. */
struct latency_figures latency_figures(const struct engine_latency *latency,
                                       const struct latency_histogram *histogram);
/* All size classes of a kind as one, in *ret_histogram. */
void latency_of_kind(const struct engine_latency *latency, enum latency_kind kind,
                     struct latency_histogram *ret_histogram);
/* The percentiles of all calls, whatever their kind and size. */
void latency_of_all(const struct engine_latency *latency, double ret_ns[LATENCY_PERCENTILES]);
/*
 * Adds a round's histograms; the first one into zeroed memory. The clock's facts become the means
 * over the rounds (`rounds` so far, with this one), the slices are those of the latest round.
 */
void latency_add_round(struct engine_latency *sum, const struct engine_latency *round,
                       unsigned rounds);

/*
 * A row for every kind that was called, and with `classes` for each of its size classes
 * (size_low_bytes and size_high_bytes; null where the row is of all sizes), as objects of the open
 * array. With `tape` each row stands alone and so has error_share too; NULL: neither.
 */
void latency_emit_rows(struct emit *emit, const struct engine_latency *latency, const char *tape,
                       const char *allocator, bool classes);
/* malloc_count, malloc_ns_mean, malloc_ns_p50, ... of each kind, as members of the open object. */
void latency_emit_flat(struct emit *emit, const struct engine_latency *latency);
/* clock_cost_ns, clock_resolution_ns, preemptions, error_share: likewise. */
void latency_emit_clock(struct emit *emit, const struct engine_latency *latency);

#endif
