/*
 * What latency mode leaves for the driver, in the mapping behind struct engine_result, and the
 * arithmetic of its histograms, for both sides.
 *
 * A histogram holds ticks of the run's clock as they were read; what is told is nanoseconds, with
 * the clock's own cost taken out: latency_ns(). It is log-linear, as HdrHistogram's: a bucket for
 * each value below LATENCY_SUB, then LATENCY_SUB buckets for every doubling, so that a bucket is at
 * most 1/32 of its value wide. `max_ticks` and `sum_ticks` are exact.
 *
 * A percentile is interpolated within its bucket, or within the clock's resolution where that is
 * coarser (a time-stamp counter may move on in steps of 10 ns and more): by at most half of either
 * it is off, LATENCY_ERROR of the value read or latency_resolution_ns() / 2.
 */
#ifndef HEAPTAPE_REPLAYER_LATENCY_RESULT_H
#define HEAPTAPE_REPLAYER_LATENCY_RESULT_H

#include <stdint.h>

#define LATENCY_SUB_BITS  5
#define LATENCY_SUB       (1u << LATENCY_SUB_BITS)
#define LATENCY_TICK_BITS 44 /* larger values count as the largest: an hour and more */
#define LATENCY_BUCKETS   ((LATENCY_TICK_BITS - LATENCY_SUB_BITS + 1) * LATENCY_SUB)
#define LATENCY_ERROR     (1.0 / (2 * LATENCY_SUB)) /* relative: 1.6 % */

/* free(NULL) and malloc_usable_size() are called and not measured. */
enum latency_kind {
    LATENCY_MALLOC,
    LATENCY_CALLOC,
    LATENCY_REALLOC, /* also realloc(NULL, n) and realloc(p, 0) */
    LATENCY_ALIGNED,
    LATENCY_FREE,
    LATENCY_KINDS
};

/*
 * Size classes: up to 16 bytes, then every doubling up to 4 MiB, then the rest. The size is the one
 * asked for: of a realloc the new one, of a free that of the block.
 */
#define LATENCY_CLASSES     20
#define LATENCY_CLASS_FIRST 4 /* log2 of the first class's largest size */

static inline unsigned latency_class(uint64_t size)
{
    if (size <= UINT64_C(1) << LATENCY_CLASS_FIRST)
        return 0;
    unsigned doubling = 64 - (unsigned)__builtin_clzll(size - 1) - LATENCY_CLASS_FIRST;
    return doubling < LATENCY_CLASSES ? doubling : LATENCY_CLASSES - 1;
}
/* The largest size in it; UINT64_MAX for the last. */
static inline uint64_t latency_class_most(unsigned class)
{
    return class == LATENCY_CLASSES - 1 ? UINT64_MAX : UINT64_C(1) << (class + LATENCY_CLASS_FIRST);
}

struct latency_histogram {
    uint64_t count, sum_ticks, max_ticks;
    uint64_t buckets[LATENCY_BUCKETS];
};

static inline unsigned latency_bucket(uint64_t ticks)
{
    if (ticks < LATENCY_SUB)
        return (unsigned)ticks;
    if (ticks >> LATENCY_TICK_BITS)
        return LATENCY_BUCKETS - 1;
    unsigned shift = 63 - (unsigned)__builtin_clzll(ticks) - LATENCY_SUB_BITS;
    return shift * LATENCY_SUB + (unsigned)(ticks >> shift);
}
/* Least value of the bucket; of LATENCY_BUCKETS: one more than the largest of the last. */
static inline uint64_t latency_bucket_least(unsigned bucket)
{
    if (bucket < 2 * LATENCY_SUB)
        return bucket;
    unsigned shift = bucket / LATENCY_SUB - 1;
    return (uint64_t)(bucket % LATENCY_SUB + LATENCY_SUB) << shift;
}
static inline void latency_add(struct latency_histogram *histogram, uint64_t ticks)
{
    histogram->count++;
    histogram->sum_ticks += ticks;
    if (ticks > histogram->max_ticks)
        histogram->max_ticks = ticks;
    histogram->buckets[latency_bucket(ticks)]++;
}
/* Adds what `from` holds. */
static inline void latency_merge(struct latency_histogram *to, const struct latency_histogram *from)
{
    to->count += from->count;
    to->sum_ticks += from->sum_ticks;
    if (from->max_ticks > to->max_ticks)
        to->max_ticks = from->max_ticks;
    for (unsigned i = 0; i < LATENCY_BUCKETS && from->count; i++)
        to->buckets[i] += from->buckets[i];
}

/* The values that a bucket stands for: those of its own, or those that a coarse clock shows as it.
 */
struct latency_span {
    double low, high;
};
static inline struct latency_span latency_bucket_span(unsigned bucket, double resolution_ticks)
{
    uint64_t least = latency_bucket_least(bucket);
    double width = (double)(latency_bucket_least(bucket + 1) - least);
    double middle = (double)least + (width - 1) / 2;
    if (width < resolution_ticks)
        width = resolution_ticks;
    return (struct latency_span){middle - width / 2, middle + width / 2};
}
/* Where the spans of two buckets meet that hold values, with none between: halfway where they
 * overlap. */
static inline double latency_border(struct latency_span below, struct latency_span above,
                                    double own)
{
    return below.high > above.low ? (below.high + above.low) / 2 : own;
}

/*
 * The value that a share of `share` (0.99) of all lie below, in ticks as read; 0 of an empty
 * histogram. It never falls as the share rises. Only worth telling where (1 - share) * count is 1
 * or more: the caller's to judge.
 */
static inline double latency_percentile(const struct latency_histogram *histogram, double share,
                                        double resolution_ticks)
{
    const uint64_t *buckets = histogram->buckets;
    double wanted = share * (double)histogram->count, before = 0;
    unsigned bucket = 0, last = LATENCY_BUCKETS, next;
    if (!histogram->count)
        return 0;
    for (; bucket < LATENCY_BUCKETS - 1; bucket++) {
        if (buckets[bucket] && before + (double)buckets[bucket] >= wanted)
            break;
        before += (double)buckets[bucket];
        last = buckets[bucket] ? bucket : last;
    }
    for (next = bucket + 1; next < LATENCY_BUCKETS && !buckets[next];)
        next++;
    struct latency_span span = latency_bucket_span(bucket, resolution_ticks), own = span;
    if (last < LATENCY_BUCKETS)
        span.low = latency_border(latency_bucket_span(last, resolution_ticks), own, own.low);
    if (next < LATENCY_BUCKETS)
        span.high = latency_border(own, latency_bucket_span(next, resolution_ticks), own.high);
    double inside = buckets[bucket] ? (wanted - before) / (double)buckets[bucket] : 1;
    double value = span.low + (span.high - span.low) * inside;
    if (value < 0)
        value = 0;
    return value < (double)histogram->max_ticks ? value : (double)histogram->max_ticks;
}

/* A stretch of the run: operations `first_operation` and on, in the tape's order. */
struct latency_slice {
    uint64_t first_operation, count; /* count: of those measured */
    double p50_ns, p99_ns, max_ns;
};
#define LATENCY_SLICES 256

struct engine_latency {
    double ns_per_tick;      /* by CLOCK_MONOTONIC over the whole run */
    double resolution_ticks; /* the least step of the clock that was seen */
    double cost_ticks;       /* of two readings with nothing between: in every value as read */
    double cost_after_ticks; /* the same, measured again after the run: shows a drift */
    uint64_t preemptions;    /* involuntary context switches while calls were measured */
    uint32_t has_tsc;        /* 0: clock_gettime(), a tick is a nanosecond */
    uint32_t slice_count;
    struct latency_slice slices[LATENCY_SLICES];
    struct latency_histogram histograms[LATENCY_KINDS][LATENCY_CLASSES];
};

/* Nanoseconds of a call, of ticks as read. */
static inline double latency_ns(const struct engine_latency *latency, double ticks)
{
    return ticks > latency->cost_ticks ? (ticks - latency->cost_ticks) * latency->ns_per_tick : 0;
}
static inline double latency_resolution_ns(const struct engine_latency *latency)
{
    return latency->resolution_ticks * latency->ns_per_tick;
}

#endif
