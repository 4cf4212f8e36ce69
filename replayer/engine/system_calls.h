/*
 * The memory system calls that are made while the replay runs, counted exactly and by name: mmap,
 * munmap, mremap, mprotect, madvise and brk of whoever makes them, through libc or not.
 *
 * How. A seccomp filter answers these numbers with SIGSYS unless they come from the one instruction
 * of system_calls_raw(). The signal's handler makes the call from there, counts it and puts the
 * answer where the caller looks for it: 2 to 3 us a call (`make bench-calls` measures it), which
 * only memory mode pays. A blocked SIGSYS would end the process, so rt_sigprocmask is caught too
 * and leaves SIGSYS out: allocators' and libc's threads do block all signals.
 *
 * What the engine does between two windows isn't counted (system_calls_count()); inside a window it
 * makes none of these calls. What an allocator's own background thread does between two windows is
 * not counted either.
 *
 * Not permitted, another architecture, or threads there before main() that have SIGSYS blocked (and
 * so cannot be filtered): engine_result->system_calls_known stays 0, and all counts with it. It
 * becomes 1 only once a call on trial has been counted.
 */
#ifndef HEAPTAPE_REPLAYER_SYSTEM_CALLS_H
#define HEAPTAPE_REPLAYER_SYSTEM_CALLS_H

#include <stdbool.h>
#include <stdint.h>

/* For good: the filter cannot be taken off. Before any thread is made. */
void system_calls_open(void);
/* From now on calls count, or do not. Any thread's. */
void system_calls_count(bool counts);
/* All that were counted so far; ENGINE_UNKNOWN where they are not known. */
uint64_t system_calls_total(void);

#endif
