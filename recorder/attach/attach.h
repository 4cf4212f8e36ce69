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

/*
 * `preload`: path of the library. The session's chunks hold the process when this returns true.
 * attach_process() leaves the work to a child of ours, so that a recorder that is killed in the
 * middle does not leave the process with a thread that stands on a borrowed stack.
 */
bool attach_process(pid_t pid, const struct session *session, const char *preload,
                    struct attach_report *ret_report, struct tape_error *error);
/* The work itself, by this process. */
bool attach_from_here(pid_t pid, const struct session *session, const char *preload,
                      struct attach_report *ret_report, struct tape_error *error);

#endif
