/*
 * The collector's side of the shared memory file (recorder/ring.h): made once, handed to the
 * recorded programs by name. One session a collector process; the caller's thread holds `alive`.
 */
#ifndef HEAPTAPE_RECORDER_SESSION_H
#define HEAPTAPE_RECORDER_SESSION_H

#include <stddef.h>
#include "recorder/ring.h"
#include "traces/error.h"

struct session {
    struct ring_session *shared;
    int memory;    /* descriptor of the file, for as long as the session lives */
    char path[64]; /* what RING_ENV names */
    struct ring_chunk *chunk[RING_CHUNKS]; /* mapped when first looked at */
    uint32_t chunks_limit;                 /* the file holds so many */
};

/* `site_depth`: frames of call sites, 0: none. */
enum tape_status session_open(struct session *session, enum ring_follow follow, uint32_t site_depth,
                              struct tape_error *error);
/* No process joins any more and those that are there stop; they run on unrecorded. */
void session_close(struct session *session);
/* NULL: no memory. */
struct ring_chunk *session_chunk(struct session *session, uint32_t index);
/* Gives a chunk back: its memory is freed and zeroed, and it may be claimed again. */
void session_free_chunk(struct session *session, uint32_t index);
/* Sleeps until a producer rings or the time is over. `doorbell`: its value at the last round's
 * beginning. */
void session_sleep(struct session *session, uint32_t doorbell, long timeout_ns);
/* Wakes a producer that waits for room. */
void session_wake(_Atomic uint32_t *word);

#endif
