/*
 * Starts the program with the preload in front of the user's own, and keeps signals in order: those
 * that are meant for the program reach it once, and the collector outlives it.
 */
#ifndef HEAPTAPE_RECORDER_LAUNCH_H
#define HEAPTAPE_RECORDER_LAUNCH_H

#include <stdbool.h>
#include <sys/types.h>
#include "recorder/collector/session.h"

/*
 * Forks and execs. `path` is the program as found, `argv` what the user typed. Returns once exec
 * has happened; dies with 126 or 127 and a message where it could not.
 */
pid_t launch_program(struct session *session, const char *path, char **argv, const char *preload);

/* Signals that asked us to end since the start; the latest. */
struct launch_interrupts {
    unsigned count;
    int signal;
    bool by_terminal; /* the whole foreground group got it, so the program has it too */
};

/* Installs the handlers; ignored signals stay ignored. The program gets what was before. */
void launch_catch_signals(struct session *session);
struct launch_interrupts launch_interrupts(void);

#endif
