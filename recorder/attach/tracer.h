/*
 * All threads of a process under ptrace, by one thread of ours: held still and let go on, with
 * signals and stops passed on as if nobody were there. A system call that was interrupted goes on.
 */
#ifndef HEAPTAPE_RECORDER_TRACER_H
#define HEAPTAPE_RECORDER_TRACER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>
#include "traces/error.h"

struct tracer_thread {
    pid_t tid;
    bool gone;
    bool held;      /* in a ptrace stop */
    bool by_job;    /* held because the whole process is stopped (SIGSTOP, Ctrl-Z) */
    bool call_stop; /* at the entry or exit of a system call: remote.c */
    int signal;     /* that ended or would stop it: remote.c */
};

struct tracer {
    pid_t pid;
    struct tracer_thread *threads;
    size_t count, capacity;
};

/* Takes hold of the first thread, which tells whether we may. Then errno is in *ret_errno. */
bool tracer_begin(struct tracer *tracer, pid_t pid, int *ret_errno);
/*
 * Holds every thread but those that cannot be stopped now (they wait in the kernel for a disk or a
 * vfork child). `but` goes on if it runs; 0: none. False: the process is gone.
 */
bool tracer_hold(struct tracer *tracer, pid_t but);
/* Lets all held threads but `but` go on. */
void tracer_release(struct tracer *tracer, pid_t but);
/* Leaves the process, which goes on as it was. */
void tracer_end(struct tracer *tracer);
/*
 * Waits until something happens to `thread` or `timeout_ms` is over (false), serving the others
 * meanwhile.
 */
bool tracer_wait(struct tracer *tracer, struct tracer_thread *thread, long timeout_ms);

#endif
