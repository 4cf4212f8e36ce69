/*
 * One run of the engine: a fresh process under one allocator, with time and memory limits, and what
 * became of it in the words of the results. A crash, a hang or a greedy allocator is a result like
 * any other. Needs interrupt_begin() (process.h). Not thread-safe.
 */
#ifndef HEAPTAPE_REPLAYER_DRIVER_ENGINE_RUN_H
#define HEAPTAPE_REPLAYER_DRIVER_ENGINE_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include "replayer/driver/allocators.h"
#include "replayer/driver/process.h"
#include "replayer/engine/latency_result.h"
#include "replayer/engine/result.h"

struct engine_settings {
    const char *touch;   /* one of options_touch_words; NULL: "first" for time, "page" for memory */
    const char *order;   /* one of options_order_words */
    const char *pace;    /* "recorded" or a factor, as --pace has it; NULL: asap */
    double speed;        /* that as a number; 0: asap */
    uint64_t timeout_ns; /* 0: by the tape's length, engine_timeout_ns() */
    uint64_t memory_bytes;   /* resident at most */
    const char *snapshots;   /* memory: file for snapshots of the heap (snapshots.h); NULL: none */
    const char *snapshot_at; /* one of them after this event of the tape in any case; NULL: none */
    bool usable_skip;        /* verify: write no more of a block than was asked for */
};

#define ENGINE_DEFAULT_ORDER "causal"
#define ENGINE_SERIAL_ORDER  "serial"
#define ENGINE_DEFAULT_PACE  "asap" /* what is written where pace is NULL */
/* What is written where touch is NULL, for results and people. */
#define ENGINE_TOUCH_BY_MODE "first for time, page for memory"

/* What a run is for. All but serial runs are one of the engine's modes. */
enum run_mode {
    RUN_MODE_TIME,
    RUN_MODE_MEMORY,
    RUN_MODE_LATENCY,
    RUN_MODE_VERIFY,
    RUN_MODE_SERIAL, /* memory, with one thread doing what all of the tape's threads did */
    RUN_MODE_LIMIT,
};
/* "time", "memory", ... as in results.json. */
const char *run_mode_word(enum run_mode mode);
/* The engine's --mode and --order for it. */
const char *run_mode_engine_word(enum run_mode mode);
const char *run_mode_order(enum run_mode mode, const struct engine_settings *settings);

enum run_status {
    RUN_OK,
    RUN_CRASHED,       /* ended by a signal that was not ours */
    RUN_TIMEOUT,       /* killed by us */
    RUN_OUT_OF_MEMORY, /* killed by us over the limit, or malloc returned NULL where it had not */
    RUN_ERROR,         /* ended early by itself; `detail` has its words */
    RUN_FAILED,        /* verify: it broke a promise; `detail` says which */
    RUN_INTERRUPTED,   /* killed by us since we were asked to end: no result at all */
    RUN_STATUS_LIMIT,
};
/* "ok", "crashed", ... as in results.json. */
const char *run_status_word(enum run_status status);

struct engine_run {
    enum run_status status;
    int signal, exit_code;
    char detail[512];                    /* one line; empty where status is RUN_OK */
    char output[PROCESS_TAIL_BYTES + 1]; /* the last that it and the allocator printed */
    bool result_is_there;                /* the engine got as far as main() */
    uint64_t process_ns;                 /* fork to end */
    struct engine_result result;
    const struct engine_latency *latency; /* of latency mode; until the next run in it */
};

/*
 * A tape that will be run more than once, with the plans that the engine keeps from run to run: an
 * anonymous file for each mode, made by a run of its own before the first that is measured, so that
 * all of them begin alike and none decodes. Zeroed but for `path` and `events` there are none yet.
 */
struct engine_tape {
    const char *path;
    uint64_t events;          /* about how many: 0 = not known, and no plan is kept */
    int plan[RUN_MODE_LIMIT]; /* 0 = not made yet, -1 = not to be had */
};

/*
 * All plans that are kept at a time come to at most an eighth of the memory that was free at the
 * start. Tapes beyond that are planned anew by each run.
 */
#define ENGINE_PLANS_SHARE 8

/* Runs it on `allocator`. */
void engine_run(struct engine_tape *tape, const struct allocator *allocator, enum run_mode mode,
                const struct engine_settings *settings, struct engine_run *ret_run);
/* Gives its plans back. */
void engine_tape_end(struct engine_tape *tape);

/* Operations done, as far as it is known. */
uint64_t engine_run_progress(const struct engine_run *run);

/*
 * The default limits: a minute, a microsecond for each event, and where the run is paced the
 * recording's time at that pace; four fifths of the free memory.
 */
uint64_t engine_timeout_ns(const struct engine_settings *settings, uint64_t events,
                           uint64_t recorded_ns);
uint64_t engine_default_memory_bytes(void);

/* Of a paced run: the operations that ran more than a millisecond late, 0 to 1. */
double engine_run_late_share(const struct engine_result *result);

#endif
