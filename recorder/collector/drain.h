/*
 * The collector's round: which processes are there, what have their lanes published, who has ended.
 */
#ifndef HEAPTAPE_RECORDER_DRAIN_H
#define HEAPTAPE_RECORDER_DRAIN_H

#include "recorder/collector/recorded.h"
#include "traces/window.h"

struct drain {
    struct session *session;
    struct recorded_list *list;
    pid_t root;                 /* the program itself: our child */
    bool root_ended;            /* has been waited for */
    int root_wait_status;       /* then */
    struct window_limit stop;   /* of each process's recording */
    uint32_t seen[RING_CHUNKS]; /* 1: this chunk is some process's already */
};

struct drain_round {
    uint64_t words;   /* that were drained */
    uint64_t fullest; /* words in the fullest ring */
};

/*
 * One round. Processes that have ended are drained to the end and closed. Order matters: endings
 * are looked for first, so that whatever such a process published is there to be drained.
 */
struct drain_round drain_round(struct drain *drain);
/* All processes that live have come to the limit, and record no more. */
bool drain_has_stopped(const struct drain *drain);
/* Ends the recording of all that still live: they run on, unrecorded. */
void drain_detach(struct drain *drain);

#endif
