/*
 * Touching memory that may not be there. Between guard_enter() and guard_leave() a SIGSEGV or
 * SIGBUS of the calling thread makes guard_enter() return once more, with true; `guard` then tells
 * where. At any other time (in the allocator's own code) a fatal signal is told to `on_death` and
 * goes its usual way.
 *
 *     if (guard_enter())
 *         return ...; guard.address faulted
 *     ... touch ...
 *     guard_leave();
 *
 * Locals that are changed in between and read after a fault must be volatile.
 */
#ifndef HEAPTAPE_REPLAYER_GUARD_H
#define HEAPTAPE_REPLAYER_GUARD_H

#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct guard {
    sigjmp_buf jump;
    volatile sig_atomic_t armed;
    uintptr_t address; /* that faulted */
    bool write;        /* by a store */
};
extern __thread struct guard guard;

/* From now on. `on_death` is called in the signal's handler, before the handlers that were there.
 */
void guard_open(void (*on_death)(int signal_number, uintptr_t address));

/* The signal mask isn't saved: the handler leaves it alone. */
#define guard_enter() (sigsetjmp(guard.jump, 0) ? true : (guard.armed = 1, false))

static inline void guard_leave(void)
{
    guard.armed = 0;
}

#endif
