/*
 * What the size classes of an allocator (classes.h) would make of a tape's sizes: which classes
 * they fall into, and what is lost inside blocks, when most is live and over all calls. From the
 * table of exact sizes (sizes.h), after the whole tape. One thread.
 */
#ifndef HEAPTAPE_ANALYSIS_CLASS_USE_H
#define HEAPTAPE_ANALYSIS_CLASS_USE_H

#include <stdbool.h>

#include "analysis/classes.h"
#include "analysis/sizes.h"

#define CLASS_USE_LARGE UINT64_C(65536) /* above: what is lost is pages that nobody may touch */

/* A class that the tape uses. Lost: usable less requested bytes. */
struct class_use {
    uint64_t usable;        /* bytes of a block */
    uint64_t least;         /* the smallest size that was asked for and falls into it */
    uint64_t allocations;   /* and reallocs to such a size */
    uint64_t lost_in_calls; /* bytes, summed over those */
    uint64_t blocks_at_peak, requested_at_peak, lost_at_peak;
};

struct class_waste {
    uint64_t classes; /* that the tape uses */
    uint64_t lost_at_peak, large_lost_at_peak;
    uint64_t headers_at_peak; /* bytes of headers, not in lost_at_peak */
    double lost_in_calls, requested_in_calls;
};

/* The sizes of a table, smallest first. */
struct class_sizes {
    struct size_entry *entries; /* live_at_peak is of the last peak */
    size_t count;
};

/* False: no memory. class_sizes_end() in any case. */
bool class_sizes_begin(struct class_sizes *sizes, const struct size_table *table);
void class_sizes_end(struct class_sizes *sizes);
/* The classes, smallest first, into `ret` (room for sizes->count); returns their number. */
size_t class_use(const struct class_sizes *sizes, const struct class_rule *rule,
                 struct class_use *ret);
struct class_waste class_waste(const struct class_sizes *sizes, const struct class_rule *rule);
/* Sorts those that lose most at the peak to the front. */
void class_use_rank(struct class_use *uses, size_t count);

#endif
