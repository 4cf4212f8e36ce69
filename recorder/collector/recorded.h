/*
 * One recorded process (one image: an exec begins another): its chunks and lanes, its raw tape, its
 * names and metadata. A list of all of them, in order of registration, those that have ended too.
 */
#ifndef HEAPTAPE_RECORDER_RECORDED_H
#define HEAPTAPE_RECORDER_RECORDED_H

#include <limits.h>
#include <stdbool.h>
#include "recorder/collector/call_sites.h"
#include "recorder/collector/session.h"
#include "traces/raw_words.h"
#include "traces/raw_writer.h"

/* What the collector knows of a lane in its present use. */
struct recorded_lane {
    uint32_t use;    /* ring_lane.use that `number` stands for */
    uint32_t number; /* on the raw tape */
};

struct recorded_chunk {
    uint32_t index; /* in the session */
    struct ring_chunk *shared;
    struct recorded_lane lane[RING_CHUNK_LANES];
};

enum recorded_end {
    RECORDED_LIVES,
    RECORDED_EXITED,   /* wait_status tells how, where wait_known */
    RECORDED_EXECED,   /* another image took its place */
    RECORDED_DETACHED, /* runs on; we stopped */
};

struct recorded {
    struct recorded *next;
    uint32_t pid, parent_pid, order, parent_order;
    bool by_exec; /* else forked */
    uint32_t site_depth;
    bool pooled_python;     /* python with its own pools for small objects */
    bool stopped;           /* was told to record no more, since the user wanted no more */
    struct raw_tally tally; /* what was drained, where a limit is to be kept */
    bool closed;            /* its raw tape is closed, its chunks given back */
    int pidfd;              /* -1: none */
    enum recorded_end end;
    bool wait_known;
    int wait_status;
    char cut_reason[384]; /* empty: not cut */
    struct recorded_chunk *chunks;
    uint32_t chunk_count, lane_count;
    struct call_sites sites;
    struct raw_writer *writer;                 /* NULL: none any more */
    struct finish_job *follower;               /* resolves meanwhile; NULL: nobody does */
    uint64_t words, lost_events, lost_threads; /* drained; see ring.h */
    uint64_t pass_words, pass_ns;              /* since, and time of, the last pass's end */
    uint64_t pass_tsc;   /* this round ends a pass that began then; 0: it does not */
    uint64_t started_ns; /* CLOCK_MONOTONIC of its first event */
    uint64_t sample_ns, sample_resident, sample_held; /* the last sample */
    uint64_t sample_cost_ns;
    char tape_path[PATH_MAX], raw_path[PATH_MAX];
};

struct recorded_list {
    struct recorded *first, **last;
    uint32_t count, live;
    const char *output; /* the path that the user gave */
    bool attached;      /* the first process ran already */
};

void recorded_list_init(struct recorded_list *list, const char *output);
/* The process whose first chunk this is; opens its raw tape. NULL: no memory. */
struct recorded *recorded_begin(struct recorded_list *list, struct session *session,
                                uint32_t index);
/* A further chunk. False: no memory. */
bool recorded_add_chunk(struct recorded *process, struct session *session, uint32_t index);
/* The live one with this pid, or NULL. */
struct recorded *recorded_find(struct recorded_list *list, uint32_t pid);
/* Recording stops here, whatever the program does from now on. */
void recorded_cut(struct recorded *process, const char *reason);
/* Closes the raw tape, hands it on to be resolved and gives the chunks back. */
void recorded_close(struct recorded_list *list, struct session *session, struct recorded *process);
/* As a shell would see it: 128 + signal. */
int recorded_shell_status(int wait_status);
/* "X.tape" becomes "X.PID.tape", with a number that is not 0 "X.PID.NUMBER.tape". */
void recorded_name(char *path, size_t bytes, const char *output, uint32_t pid, unsigned number);

#endif
