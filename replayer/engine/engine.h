/*
 * What every part of the engine shares: the settings of the run, the result mapping, and how a run
 * that cannot go on ends. The engine makes no heap call of its own: nothing here or below may call
 * malloc, stdio on a buffered stream, or anything in libc that does.
 */
#ifndef HEAPTAPE_REPLAYER_ENGINE_H
#define HEAPTAPE_REPLAYER_ENGINE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#include "replayer/engine/result.h"
#include "traces/error.h"

enum engine_mode {
    ENGINE_MODE_TIME,    /* as fast as it goes; nothing is sampled */
    ENGINE_MODE_MEMORY,  /* R, U, H and P sampled; the time is not the allocator's alone */
    ENGINE_MODE_LATENCY, /* every call timed by itself (latency.h) */
    ENGINE_MODE_VERIFY, /* every answer of the allocator's checked; no time, no memory (verify.h) */
};

/*
 * What of a new block is written, right after the call that gave it and inside the timed window, as
 * a program would: written later, the pages would be faulted in an order that no program has.
 */
enum engine_touch {
    ENGINE_TOUCH_NONE,  /* nothing */
    ENGINE_TOUCH_FIRST, /* its first byte */
    ENGINE_TOUCH_PAGE,  /* a byte of every page that it lies on; of a realloc, of the part that is
                           new */
    ENGINE_TOUCH_FULL,  /* all of it; of a realloc, the part that is new */
};

enum engine_order {
    ENGINE_ORDER_CAUSAL, /* an event waits for the last use of its object by another lane */
    ENGINE_ORDER_STRICT, /* an event waits for the event before it */
    ENGINE_ORDER_SERIAL, /* one thread does all lanes' events, in the recorded order */
};

struct engine_settings {
    const char *tape;
    double speed; /* of the recording, see timetable.h: 2 = twice as fast; 0 = as fast as it goes */
    enum engine_mode mode;
    enum engine_touch touch;
    enum engine_order order;
    uint64_t plan_bytes;  /* memory for the planned operations of a window */
    bool snapshots;       /* memory mode: of the heap (snapshot.h) */
    uint64_t snapshot_at; /* one after this event of the tape in any case; ENGINE_NO_EVENT = none */
    bool usable_skip;     /* verify mode: leave the bytes past the requested size alone */
    uint64_t stop_at;     /* verify mode: SIGTRAP before the call of this event of the tape;
                             ENGINE_NO_EVENT = never */
};

/* The result mapping: always there once main() has looked at its options. */
extern struct engine_result *engine_result;

/* Leaves the message and the status in the result, prints the line on stderr, ends the process. */
_Noreturn void engine_fail(enum heaptape_exit status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same with what the tape library said. */
_Noreturn void engine_fail_tape(const struct tape_error *error);

/* CLOCK_MONOTONIC in nanoseconds. */
static inline uint64_t engine_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

#define ENGINE_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define ENGINE_LIKELY(x)   __builtin_expect(!!(x), 1)

#endif
