/* The statistics of a tape as `heaptape analyze` prints them for programs: JSON and CSV. Keys are
 * explained in METRICS.md. */
#ifndef HEAPTAPE_ANALYSIS_ANALYZE_EMIT_H
#define HEAPTAPE_ANALYSIS_ANALYZE_EMIT_H

#include "analysis/statistics.h"
#include "traces/emit.h"
#include "traces/reader.h"

/* Parts of the output: in CSV one at a time, since a CSV file is one table. */
enum analyze_part {
    ANALYZE_SUMMARY = 1,   /* every single figure */
    ANALYZE_TOP = 2,       /* top sizes by calls and by bytes at the peak */
    ANALYZE_SIZES = 4,     /* size histogram */
    ANALYZE_LIFETIMES = 8, /* lifetime histograms by events and by bytes */
    ANALYZE_LANES = 16,
    ANALYZE_JOINT = 32,    /* blocks by size and lifetime */
    ANALYZE_PAIRS = 64,    /* who frees whose blocks */
    ANALYZE_WASTE = 128,   /* lost inside blocks by allocators' size classes */
    ANALYZE_CLASSES = 256, /* those classes, the worst of each allocator */
    ANALYZE_ALL = 511
};

struct analyze_output {
    const char *path;
    struct tape_reader_totals totals;
    const char *program; /* may be NULL */
    uint64_t damaged_blocks;
    unsigned parts;                           /* set of enum analyze_part */
    bool packed;                              /* whether the next are known */
    uint64_t first_fit_bytes, best_fit_bytes; /* see packing.h */
    unsigned top; /* entries in each list of top sizes, at most ANALYZE_TOP_MAX */
};

#define ANALYZE_TOP_MAX 1000u

/* Word of --part ("summary", "top", ...) to its bit; 0 for anything else. */
unsigned analyze_part_named(const char *word);
/* The lower of the two placements. */
uint64_t analyze_packing_bytes(const struct analyze_output *output);
/* 0, or -1 where stdout could not be written. */
int analyze_emit(const struct analyze_output *output, const struct statistics *statistics,
                 enum emit_format format);

#endif
