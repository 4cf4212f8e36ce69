/*
 * A bench in memory: what was asked, what was run, and what it comes to. results.c writes it as
 * results.json, series.c its CSV files; the format is described in analysis/METRICS.md and is what
 * the report reads. Everything is kept until the tool ends.
 */
#ifndef HEAPTAPE_REPLAYER_DRIVER_RESULTS_H
#define HEAPTAPE_REPLAYER_DRIVER_RESULTS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "replayer/driver/allocators.h"
#include "replayer/driver/bounds.h"
#include "replayer/driver/engine_run.h"
#include "replayer/driver/fragmentation.h"
#include "replayer/driver/latency.h"
#include "replayer/driver/load.h"
#include "replayer/driver/machine.h"
#include "replayer/driver/run_memory.h"
#include "replayer/driver/statistics.h"
#include "replayer/driver/tape_tables.h"
#include "traces/emit.h"
#include "traces/summary.h"

#define RESULTS_SCHEMA_VERSION 1
#define RESULTS_FILE           "results.json"
#define RESULTS_SERIES         "series"
#define RESULTS_SNAPSHOTS      "snapshots"
#define RESULTS_WARNINGS       64
#define RESULTS_NAME_MAX       128
#define RESULTS_HINT_MAX       2048

struct results_tape {
    char name[RESULTS_NAME_MAX]; /* of the file without .tape, unique, only [A-Za-z0-9._-] */
    struct engine_tape replayed; /* its path is as given */
    char *program, *arguments, *recorded_allocator; /* "" where the tape does not tell */
    struct tape_summary summary;
    uint64_t file_bytes;
    bool complete, tables_known[TAPE_TABLE_LIMIT];
    struct bounds bounds;
    unsigned time_rounds, memory_rounds; /* planned so far */
    uint64_t timeout_ns;
};

/* One run. Figures of the other mode, and all of a run that is not RUN_OK, are no figures. */
struct results_run {
    unsigned tape, allocator; /* indices */
    enum run_mode mode;
    unsigned round, order_in_round;
    enum run_status status;
    int signal, exit_code;
    char detail[512];
    char *output,
        *debugger; /* of one that went wrong: the last it printed, how to see it; or NULL */
    uint64_t operations_done, operations;
    double timed_seconds, wall_seconds, ns_per_operation;
    /* where the bench is paced: first operation to last, the most that an operation was late, and
     * the share of them that was more than a millisecond late */
    double paced_seconds, max_lag_seconds, late_share;
    uint64_t minor_faults, major_faults, waits, wait_spins, failed_calls;
    uint64_t startup_resident_bytes, peak_requested_bytes, peak_usable_bytes, peak_held_bytes,
        peak_resident_bytes;
    bool held_known, damaged;
    bool snapshots;                         /* it left snapshots of the heap */
    struct run_memory memory;               /* of memory mode */
    struct engine_sample *series;           /* likewise */
    double latency_ns[LATENCY_PERCENTILES]; /* of latency mode: of all calls, whatever their kind */
    uint32_t series_count;
};

/* Why an allocator's rounds for time ended where they did. */
enum results_stop {
    RESULTS_STOP_NONE,       /* interrupted before anything else */
    RESULTS_STOP_FIXED,      /* all that -n asked for */
    RESULTS_STOP_PRECISE,    /* the interval of its relative time is narrow enough */
    RESULTS_STOP_MAX_ROUNDS, /* SCHEDULE_AUTO_MAX rounds, and the interval is still wider */
    RESULTS_STOP_MAX_TIME,   /* --max-time */
    RESULTS_STOP_FAILED,     /* it crashed, hung, ... */
    RESULTS_STOP_BASELINE,   /* libc went on until the last of the others stopped */
    RESULTS_STOP_LIMIT,
};
/* "fixed", "precise", ... as in results.json; NULL for RESULTS_STOP_NONE. */
const char *results_stop_word(enum results_stop stop);

/* A ratio to libc with what the test of significance.h says of it, before and after adjusting. */
struct results_ratio {
    struct interval interval;
    double p, p_adjusted;
};

/* What all runs of one allocator on one tape come to. NAN where unknown. */
struct results_summary {
    /* RUN_OK only if every run was; RUN_INTERRUPTED where a mode has no run yet (no row then) */
    enum run_status status;
    const char *detail;
    unsigned rounds_ok, rounds; /* of time mode */
    enum results_stop stopped;
    struct interval ns_per_operation, net_ns_per_operation;
    struct results_ratio relative_time;
    double floor_ns_per_operation;
    struct interval peak_resident_bytes;
    struct results_ratio relative_peak_resident;
    double peak_requested_bytes, peak_usable_bytes, peak_held_bytes, startup_resident_bytes;
    bool held_known, is_baseline;
    struct fragmentation fragmentation;
    struct memory_over_time over_time;
    /* The tape's threads against one thread, of a tape of several: peak H by peak H, P by P. */
    double blow_up, resident_blow_up;
    const struct results_run *median_memory; /* the run whose series is kept; NULL = none */
};

/* What the latency runs of one allocator on one tape come to; zeroed where there is none yet. */
struct results_latency {
    struct engine_latency *sum; /* of all rounds (latency_add_round()) */
    unsigned rounds, written;   /* written: as many as the files have */
};

struct results_warning {
    char code[32], message[256], hint[RESULTS_HINT_MAX];
};

struct results {
    char created_utc[32];
    const char *const *command; /* NULL at the end */
    bool complete;
    struct machine machine;
    struct load load; /* what else ran meanwhile; known once the bench has ended */
    bool load_known;
    double noise_before_percent, noise_percent; /* noise_percent() (noise.h), likewise */
    struct engine_settings settings;
    unsigned rounds;      /* -n, or the most of any tape */
    bool rounds_are_auto; /* then: until each interval is at most `precision` wide */
    double precision;     /* a share: 0.02 */
    uint64_t max_time_ns; /* of one allocator's runs for time on one tape; where rounds are auto */
    unsigned latency_rounds;
    uint64_t seed;
    struct allocator_list allocators;
    struct results_tape *tapes;
    unsigned tape_count;
    struct results_run *runs;
    size_t run_count, run_capacity;
    struct results_summary *summary; /* [tape * allocators.count + allocator] */
    enum results_stop *stops;        /* likewise; NULL: all of them are NONE */
    struct results_latency *latency; /* likewise; NULL: none was measured */
    struct results_warning warnings[RESULTS_WARNINGS];
    unsigned warning_count;
};

/* A new run at the end of the list, zeroed. Dies without memory. */
struct results_run *results_add_run(struct results *results);
/* Once for each code and message; those beyond RESULTS_WARNINGS are left out. */
void results_warn(struct results *results, const char *code, const char *hint, const char *format,
                  ...) __attribute__((format(printf, 4, 5)));

/* Computes `summary` anew from the runs there are (summary.c). */
void results_summarize(struct results *results);
const struct results_summary *results_summary_of(const struct results *results, unsigned tape,
                                                 unsigned allocator);

/* -1 below the baseline, +1 above, 0 no difference shown. */
int results_differs(const struct results_ratio *ratio);
/* "faster", "slower", "no difference shown", "baseline"; NULL where nothing was measured. */
const char *results_time_verdict(const struct results_summary *summary);
/* "less", "more", ... likewise. */
const char *results_memory_verdict(const struct results_summary *summary);

/*
 * Makes FOLDER ready: it is created, or is empty, or holds an earlier bench whose files go.
 * Anything else ends the tool with 4, so that no one's files are lost.
 */
void results_open_folder(const char *folder);
/* Writes the size histogram of every tape. Once. */
void results_write_sizes(const struct results *results, const char *folder);
/*
 * Writes results.json and the series of memory runs, each to a new file that then takes the old
 * one's place, so that a reader or a kill never sees half of one. Ends the tool with 4 where it
 * cannot.
 */
void results_write(const struct results *results, const char *folder);
/* The rows of `summary` alone, as a table's rows, JSON or CSV. */
void results_emit_summary(struct emit *emit, const struct results *results);

#endif
