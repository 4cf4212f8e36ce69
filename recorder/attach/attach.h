/*
 * Brings the recorder into a running process and has it join a session: `heaptape record --pid`.
 * Either it succeeds, or the process runs on as if nothing had been.
 */
#ifndef HEAPTAPE_RECORDER_ATTACH_SESSION_H
#define HEAPTAPE_RECORDER_ATTACH_SESSION_H

#include <stdbool.h>
#include <sys/types.h>
#include "recorder/collector/session.h"

struct attach_report {
    unsigned objects, words; /* in which, and how many, words were redirected */
    unsigned sealed;         /* words that could not be */
    double held_ms;          /* how long the process stood still, in all */
    double all_ms;
};

/* `preload`: path of the library. The session's chunks hold the process when this returns true. */
bool attach_process(pid_t pid, const struct session *session, const char *preload,
                    struct attach_report *ret_report, struct tape_error *error);

#endif
