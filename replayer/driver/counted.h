/*
 * A real program run under the counting library (replayer/counter/counter.h): what it cost, and
 * what its heap did. It keeps its terminal, process group, input and output; Ctrl-C is the
 * program's. One run at a time. Needs nothing before.
 */
#ifndef HEAPTAPE_REPLAYER_DRIVER_COUNTED_H
#define HEAPTAPE_REPLAYER_DRIVER_COUNTED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include "replayer/counter/counts.h"
#include "replayer/driver/allocators.h"

/* Exit statuses where a limit ended the program; the first as timeout(1) has it. */
enum { COUNTED_EXIT_TIME = 124, COUNTED_EXIT_MEMORY = 125 };

enum counted_end { COUNTED_ENDED, COUNTED_OVER_TIME, COUNTED_OVER_MEMORY };

struct counted_request {
    char **arguments;                  /* NULL at the end; [0] a path or a name on PATH */
    const struct allocator *allocator; /* NULL: what it has anyway */
    bool count;                        /* false: it cannot be preloaded, or need not be */
    bool own;                          /* the allocator's own statistics too: own_stats.h */
    int input;                         /* a descriptor for its standard input; -1: ours */
    int output;                        /* for its output and errors; -1: ours */
    uint64_t limit_ns, limit_bytes;    /* 0: none. Of each process's resident memory */
};

/* Sums over all processes that were counted, but where it says otherwise. */
struct counted_heap {
    unsigned processes, uncounted; /* uncounted: above COUNTS_PROCESSES */
    unsigned threads;
    enum counts_heap known; /* the worst of all processes' */
    uint64_t largest_bytes; /* of the process with the largest heap */
    double mean_bytes;      /* after each call, over all calls; NAN without calls */
    uint64_t allocations, frees, reallocs, failed, break_moves;
    uint64_t mappings;          /* libc's */
    uint64_t splits, coalesces; /* where all were told */
    /* Of PROGRAM itself (the last image of its process): */
    bool found, left_early; /* left_early: _exit() or a signal */
    int64_t live_blocks, live_bytes;
};

struct counted {
    int status; /* as of wait */
    enum counted_end end;
    double wall_seconds;
    struct rusage usage; /* of PROGRAM and of those it waited for */
    struct counted_heap heap;
    unsigned records; /* for counted_record(): processes in the order of their first calls */
};

/* Runs it to its end; ends the tool with 4 where it cannot be started at all. A program that cannot
 * be run ends with 126 or 127, told on stderr. */
void counted_run(const struct counted_request *request, struct counted *ret_counted);
/* One process of the latest run. Valid until the next. */
const struct counts_process *counted_record(unsigned index);
/* Its threads' counts added up; `pad` is not. */
void counted_sum(const struct counts_process *process, struct counts_thread *ret_sum);
double counted_calls(const struct counts_thread *sum);
/* Sum of heap bytes after each call. */
double counted_heap_sum(const struct counts_thread *sum);
/* The status that the tool is to give: PROGRAM's, 128 + signal, or that of a limit. */
int counted_exit_status(const struct counted *counted);
/* "exact", "sampled", "unknown" */
const char *counted_known_word(const struct counted_heap *heap);

#endif
