/*
 * One child process from start to end: its descriptors, its environment, its limits, and that
 * nothing of it is left. The child leads a process group of its own (Ctrl-C on the terminal is for
 * us, who kill the group), and dies with us (PR_SET_PDEATHSIG). Needs interrupt_begin() before. Not
 * thread-safe.
 */
#ifndef HEAPTAPE_REPLAYER_DRIVER_PROCESS_H
#define HEAPTAPE_REPLAYER_DRIVER_PROCESS_H

#include <stdint.h>
#include <sys/resource.h>

#define PROCESS_NULL    -1 /* a descriptor: /dev/null */
#define PROCESS_INHERIT -2 /* a descriptor: ours */

#define PROCESS_KEEP 2

/*
 * What a child printed last, however much it prints: a pipe that process_run() empties while it
 * waits. A child that prints faster than that waits a little.
 */
#define PROCESS_TAIL_BYTES 2048
struct process_tail {
    int read_fd, write_fd;
    char text[PROCESS_TAIL_BYTES + 1]; /* ended by NUL */
    unsigned length;
};
/* 0, or -1 with errno where no pipe is to be had. */
int process_tail_open(struct process_tail *tail);
void process_tail_close(struct process_tail *tail);

struct process_request {
    const char *const *arguments; /* NULL at the end; [0] is a path or a name on PATH */
    /* LD_PRELOAD for the child: a path, "" for none at all, NULL to leave what we have */
    const char *preload;
    const char *const
        *environment;          /* "NAME=VALUE", NULL at the end, put over ours; NULL for none */
    struct process_tail *tail; /* gets output and error, instead of the two below; NULL: none */
    int input, output, error;  /* descriptors, or PROCESS_NULL, PROCESS_INHERIT */
    int keep[PROCESS_KEEP];    /* stay open under their numbers; 0 or -1 for none */
    uint64_t timeout_ns;       /* 0 = none */
    uint64_t memory_bytes;     /* resident, watched every few ms; 0 = none */
};

enum process_end {
    PROCESS_EXITED,
    PROCESS_SIGNALED,
    PROCESS_TIMEOUT,     /* killed by us */
    PROCESS_MEMORY,      /* killed by us over memory_bytes */
    PROCESS_INTERRUPTED, /* killed by us since we were asked to end */
    PROCESS_NOT_STARTED, /* `error` says why */
};

struct process_result {
    enum process_end end;
    int exit_status, signal; /* of EXITED, of SIGNALED */
    int error;               /* errno of NOT_STARTED */
    uint64_t wall_ns;        /* fork to end */
    uint64_t resident_bytes; /* at the last look that the watch took; 0 = none taken */
    struct rusage usage;     /* the child's and that of its own waited-for children */
};

/* Runs it to its end. */
void process_run(const struct process_request *request, struct process_result *ret_result);

/*
 * An anonymous file for a child's output, of PROCESS_SCRATCH_BYTES that it cannot grow beyond:
 * writes behind that fail, so a child that prints for ever does no harm. -1 with errno on failure.
 */
#define PROCESS_SCRATCH_BYTES (64 << 10)
int process_scratch(const char *name);
/* What was written, at most bytes - 1 from its start, or the last of it; NUL at its end. */
void process_scratch_text(int fd, char *text, unsigned bytes);
void process_scratch_tail(int fd, char *text, unsigned bytes);
/* "SIGSEGV" and so on; "signal 42" for those without a name. Static memory. */
const char *process_signal_name(int signal_number);

#endif
