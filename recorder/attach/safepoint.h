/*
 * Where a thread may be made to call the loader: nowhere inside the loader or the allocator, whose
 * locks it would then wait for for ever. Looked for among held threads.
 *
 * A thread is at a safe point when it waits for the world outside (read, poll, nanosleep), which
 * neither the loader nor an allocator does, and is not in a signal handler; or when it waits for
 * another thread, or runs outside of the C library, the loader and the allocator, and its stack
 * shows no return into the loader or the allocator. Old words on a stack look like returns, so the
 * longer the search takes the less of it counts.
 */
#ifndef HEAPTAPE_RECORDER_SAFEPOINT_H
#define HEAPTAPE_RECORDER_SAFEPOINT_H

#include "recorder/attach/tracer.h"

struct code_range {
    uint64_t begin, end;
};

enum { SAFEPOINT_RANGES_MAX = 16 };

struct safepoint {
    int memory; /* /proc/PID/mem */
    /* No return into these may stand on the stack: the loader, allocators. */
    struct code_range locked[SAFEPOINT_RANGES_MAX];
    unsigned locked_count;
    /* Nor may a running thread be in these: the C library, the kernel's own page. */
    struct code_range busy[SAFEPOINT_RANGES_MAX];
    unsigned busy_count;
    struct code_range loader;
    uint64_t handler_return; /* where signal handlers return to */
    /* The program itself holds the allocator, mixed with all else: only what waits is safe. */
    bool allocator_in_program;
};

/* A held thread that is at a safe point, or 0. `waited_ms`: how long it has been looked for. */
pid_t safepoint_find(const struct safepoint *safepoint, const struct tracer *tracer,
                     long waited_ms);
/* No held thread is at work in the loader, and all are held but `but`. */
bool safepoint_loader_is_idle(const struct safepoint *safepoint, const struct tracer *tracer,
                              pid_t but);

#endif
