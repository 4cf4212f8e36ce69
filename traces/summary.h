/*
 * The figures of a whole tape that its tool, the bench and the analysis all show: counts by kind,
 * peak and final live set, size histogram. One pass over a reader, memory for the live set only.
 */
#ifndef HEAPTAPE_TRACES_SUMMARY_H
#define HEAPTAPE_TRACES_SUMMARY_H

#include "traces/clock.h"
#include "traces/reader.h"
#include "traces/track.h"

/*
 * Size histogram of allocations and of reallocs' new sizes: bins of 16 bytes to 1 KiB, then 8 a
 * doubling. Bin i holds sizes summary_bin_low(i) .. summary_bin_low(i + 1) - 1.
 */
#define SUMMARY_SIZE_BINS 512
unsigned summary_size_bin(uint64_t size);
uint64_t summary_bin_low(unsigned bin);

struct tape_summary {
    uint64_t events, by_kind[TAPE_EVENT_KIND_LIMIT];
    uint64_t allocations; /* MALLOC, CALLOC, ALIGNED, REALLOC_NEW */
    uint64_t frees;       /* FREE, FREE_NULL, FREE_FOREIGN, REALLOC_FREE: calls, as a counter in the
                             program would */
    uint64_t reallocs;    /* REALLOC */
    uint64_t failed;
    uint64_t allocated_bytes; /* sum of sizes of allocations and of growth by realloc */
    uint64_t peak_live_bytes, peak_live_objects, peak_event;
    uint64_t live_at_end_bytes, live_at_end_objects;
    uint64_t duration_ns;
    struct tape_clock clock; /* recorded time by event */
    uint64_t max_object_id;
    uint64_t damaged_blocks, orphans, overwritten;
    uint64_t peak_sampled_resident_bytes, peak_sampled_held_bytes,
        peak_sampled_requested_bytes; /* of the recorded program; 0 = no sample */
    uint32_t lanes;
    uint64_t size_count[SUMMARY_SIZE_BINS], size_bytes[SUMMARY_SIZE_BINS];
};

/* Reads everything from the reader's start. Damage is counted, the first message kept in *error. */
enum tape_status tape_summarize(struct tape_reader *reader, struct tape_summary *ret_summary,
                                struct tape_error *error);

#endif
