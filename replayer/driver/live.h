/*
 * The real program under each allocator: its peak resident and its processor time by runs of our
 * own, in turn (so that drift hits all alike), its elapsed time by hyperfine, one allocator after
 * the other.
 */
#ifndef HEAPTAPE_REPLAYER_DRIVER_LIVE_H
#define HEAPTAPE_REPLAYER_DRIVER_LIVE_H

#include "replayer/driver/allocators.h"
#include "replayer/driver/engine_run.h"

#define LIVE_RUNS_MAX 100

struct live_entry {
    enum run_status status;
    char detail[256];                                      /* one line; empty where it is ok */
    int exit_status;                                       /* of its first run */
    double peak_bytes[LIVE_RUNS_MAX], peak_median_bytes;   /* NAN without a run */
    double cpu_seconds[LIVE_RUNS_MAX], cpu_median_seconds; /* user and system, of the same runs */
    unsigned peak_count;
    double mean, stddev, median, min, max; /* seconds; NAN where hyperfine did not get to it */
};

struct live_program {
    char *const *arguments; /* NULL at the end */
    const char *input;      /* a file, or NULL for nothing */
    uint64_t timeout_ns;    /* for each run */
    unsigned runs;
};

/*
 * Fills one entry for each allocator; libc is the first of the list, and what ends otherwise than
 * on libc is an error. False where it was interrupted, with what is there so far in the entries.
 */
bool live_measure_peaks(const struct live_program *program, const struct allocator_list *list,
                        struct live_entry *entries);
bool live_measure_times(const struct live_program *program, const struct allocator_list *list,
                        struct live_entry *entries);

#endif
