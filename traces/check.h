/*
 * Is a tape whole, and does it make sense? Every finding is one line with a byte offset or an event
 * index. Structure: checksums, sequence, the end block and its claims. Sense: every event that
 * names an object finds it live, no id is allocated twice, time does not go back.
 */
#ifndef HEAPTAPE_TRACES_CHECK_H
#define HEAPTAPE_TRACES_CHECK_H

#include <stdbool.h>
#include <stdint.h>
#include "traces/error.h"

struct tape_check {
    uint64_t events;
    uint64_t damage;        /* findings about structure */
    uint64_t nonsense;      /* findings about sense */
    uint64_t behind_damage; /* of these, behind damage: a consequence of it, not told one by one */
    bool complete;          /* the recording was not cut */
};

/* So many findings of sense are told; all are counted. */
#define TAPE_CHECK_TOLD_MAX 20

/*
 * Reads the whole tape. Each finding goes to `tell` (may be NULL). TAPE_OK where the tape could be
 * read to its end, whatever was found; TAPE_BAD_INPUT where it is no tape.
 */
enum tape_status tape_check(const char *path, void (*tell)(void *context, const char *finding),
                            void *context, struct tape_check *ret_check, struct tape_error *error);

#endif
