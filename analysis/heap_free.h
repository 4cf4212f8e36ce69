/*
 * The free runs of a snapshot: stretches of resident memory of the allocator's between live blocks
 * (their usable bytes), which hold nothing. A run ends at a block or where the next page is not
 * resident or another's; gaps between neighbours, in which many allocators keep their headers, are
 * runs too. Formulas in METRICS.md.
 */
#ifndef HEAPTAPE_ANALYSIS_HEAP_FREE_H
#define HEAPTAPE_ANALYSIS_HEAP_FREE_H

#include "analysis/heap_pages.h"

#define HEAP_FREE_BINS 48 /* by powers of two: bin b has runs of 2^b to 2^(b+1) - 1 bytes */

struct heap_free {
    uint64_t runs, bytes; /* all of them: F */
    uint64_t largest;     /* L */
    uint64_t small_bytes; /* in runs shorter than the request */
    uint64_t bin_runs[HEAP_FREE_BINS], bin_bytes[HEAP_FREE_BINS];
};

/* `request`: bytes that one would ask for, for small_bytes. */
struct heap_free heap_free_runs(const struct heap_snapshot *snapshot, uint64_t request);
/* 1 - L/F; 0 where nothing is free. */
double heap_free_external(const struct heap_free *free);
/* The share of F that is no use for the request; 0 where nothing is free. */
double heap_free_unusable(const struct heap_free *free);

#endif
