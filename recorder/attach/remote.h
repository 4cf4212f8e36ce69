/*
 * One held thread of another process is made to run system calls and functions on a stack of its
 * own making, and afterwards stands where it stood: registers, vector state, signal mask, errno,
 * and a system call that was interrupted goes on. While it works for us its signals wait.
 */
#ifndef HEAPTAPE_RECORDER_REMOTE_H
#define HEAPTAPE_RECORDER_REMOTE_H

#include "recorder/attach/tracer.h"

struct remote {
    struct tracer *tracer;
    pid_t tid;
    int memory;              /* /proc/PID/mem, open for writing; the caller's */
    uint64_t syscall_at;     /* a "syscall" instruction that the calls themselves do not use */
    uint64_t stack, scratch; /* its top; below it, the words that we pass */
    uint64_t mark;           /* 0: none is looked for */
    bool marked;
    uint64_t errno_at; /* 0: unknown */
    int saved_errno;
    uint64_t saved_mask;
    struct user_regs_struct saved;
    size_t vector_bytes;
    _Alignas(64) uint8_t vector[16384];
};

/* The thread must be held at a safe point (safepoint.h). `errno_location`: of the C library, or 0.
 */
bool remote_begin(struct remote *remote, struct tracer *tracer, pid_t tid, int memory,
                  uint64_t syscall_at, struct tape_error *error);
/* Gives everything back; the thread is held still. */
void remote_end(struct remote *remote);
/* The kernel's result, -4095..-1 for errors. False: the thread could not be made to (error set). */
bool remote_syscall(struct remote *remote, long number, const uint64_t arguments[6],
                    long *ret_result, struct tape_error *error);
/*
 * A function of up to three arguments. `timeout_ms`: then false, with errno ETIMEDOUT and the
 * thread still in there. Where `marked` is true afterwards, the thread has not returned but stands
 * at a getpid() whose argument is `mark`.
 */
bool remote_call(struct remote *remote, uint64_t function, const uint64_t arguments[3],
                 long timeout_ms, uint64_t *ret_result, struct tape_error *error);
/* Goes on with a call that had a timeout, or stood at its mark. */
bool remote_call_again(struct remote *remote, long timeout_ms, uint64_t *ret_result,
                       struct tape_error *error);
/* Keeps the thread's errno as it is now, at the address that the C library's function tells. */
bool remote_keep_errno(struct remote *remote, uint64_t errno_location, struct tape_error *error);

/* The process's memory, at any time. */
bool remote_read(const struct remote *remote, uint64_t address, void *buffer, size_t bytes);
bool remote_write(const struct remote *remote, uint64_t address, const void *buffer, size_t bytes);
/* A text, cut to fit. */
void remote_read_text(const struct remote *remote, uint64_t address, char *text, size_t bytes);

#endif
