/*
 * What the replay loops share, and the loops: one for each way to touch in time mode (time_loop.c),
 * one for memory mode (memory_loop.c), one for verify mode (verify_loop.c). A loop runs one
 * thread's operations of one window to its PLAN_END.
 */
#ifndef HEAPTAPE_REPLAYER_REPLAY_H
#define HEAPTAPE_REPLAYER_REPLAY_H

#include <stdatomic.h>
#include <stddef.h>
#include "replayer/engine/engine.h"
#include "replayer/engine/op.h"

enum replay_started {
    REPLAY_PARKED,
    REPLAY_TOGETHER, /* with the others, as the window begins */
    REPLAY_NOW,      /* at once: the window is running */
};

struct replay;
struct window_origin;

/* A thread of the replay. It alone writes to it while a window runs, but for `started`. */
struct replay_thread {
    _Alignas(64) _Atomic uint32_t published; /* see "Positions" in op.h; 0 at the window's start */
    /* Crowded: the lowest position that a sleeper waits for, UINT32_MAX = no sleeper; and the futex
     * they sleep on, which counts the times they were woken. */
    _Atomic uint32_t wanted, wakes;
    _Alignas(64) _Atomic uint32_t started;                /* futex: enum replay_started */
    _Alignas(64) const struct plan_op *volatile position; /* about here, for the crash handler */
    const struct plan_op *first;                          /* NULL: nothing to do in this window */
    uint64_t failed, waits, wait_spins, realloc_moved, realloc_in_place, realloc_moved_bytes;
    _Atomic uint64_t operations; /* memory mode: done so far, at its last progress */
    _Atomic uint64_t requested_bytes,
        usable_bytes;         /* memory mode: what its calls added, wrapping */
    uint64_t pace_cpu_ns;     /* paced: processor time that waiting for moments took */
    uint64_t pace_max_lag_ns; /* how late the latest of its moments was kept */
    uint64_t pace_late;       /* operations later than PACE_LATE_NS */
    /* Memory mode: how often R and U were brought up to date, how many times of those were timed,
     * and what those took in ticks of the time-stamp counter; and what reading it twice takes. */
    uint64_t accounts, accounts_timed, account_ticks, empty_ticks;
};

/* Memory mode: what a slot's block stands for in R and U. */
struct replay_block {
    uint64_t requested_bytes, usable_bytes;
};

typedef void replay_loop(struct replay *replay, struct replay_thread *self);

struct replay {
    const struct plan_op *ops;
    const struct plan_side *side;
    void **slots;
    struct replay_block *blocks; /* NULL but in memory mode */
    /* With snapshots, else NULL: where each slot's live block began (the event + 1, its lane from
     * ENGINE_BIRTH_LANE on; 0: none), and where the window's operations come from. */
    uint64_t *births;
    const struct window_origin *origins;
    uint64_t first_event; /* of the window */
    void *verify_blocks;  /* verify mode: struct verify_block by slot (verify.h) */
    uint32_t slot_count;  /* of `slots` */
    struct replay_thread *threads;
    uint32_t thread_count; /* 1 + the highest that has ever run */
    enum engine_touch touch;
    bool usable_known; /* malloc_usable_size is the allocator's own */
    bool crowded;      /* more threads than cores: waiting must not spin long */
    bool paced;        /* see pace.h */
    replay_loop *loop;
};

replay_loop replay_time_none, replay_time_first, replay_time_page, replay_time_full, replay_memory,
    replay_latency, replay_verify;

/* Of a realloc that gave a block: whether it stayed where it was, and what had to come along. */
static inline void replay_count_realloc(struct replay_thread *self, uintptr_t before,
                                        const void *after, uint64_t old_size, uint64_t size)
{
    bool moved = (uintptr_t)after != before;
    self->realloc_moved += moved;
    self->realloc_in_place += !moved;
    self->realloc_moved_bytes += moved ? (old_size < size ? old_size : size) : 0;
}

/* A call in its long form: the slot and the counts in `self` take what it gave. */
void replay_call(struct replay *replay, struct replay_thread *self, const struct plan_side *side,
                 uint32_t slot);

/* Blocks until `other` has published `position`. Counts itself in `self`. */
void replay_wait(struct replay *replay, struct replay_thread *self, struct replay_thread *other,
                 uint32_t position);
/* Lets the parked thread go on. */
void replay_start(struct replay_thread *other, enum replay_started how);
/* Parks until let go; returns how. */
enum replay_started replay_park(struct replay_thread *self);

/* Blocks until the word has this value. */
void replay_wait_value(_Atomic uint32_t *word, uint32_t value, bool crowded);

/* One less; the last one wakes who waits for none to remain. */
void replay_count_down(_Atomic uint32_t *remaining);
void replay_wait_none(_Atomic uint32_t *remaining);

/* Wakes who sleeps until the thread has published so much. */
void replay_wake(struct replay_thread *self);

/* A PLAN_WAIT: returns once the other lane is as far as it says. */
static inline __attribute__((always_inline)) void
replay_await(struct replay *replay, struct replay_thread *self, const struct plan_op *op)
{
    struct replay_thread *other = &replay->threads[plan_op_slot(*op)];
    if (atomic_load_explicit(&other->published, memory_order_acquire) < op->size)
        replay_wait(replay, self, other, op->size);
}

/* `op` is done: whoever waits for it may go on. */
static inline void replay_publish(struct replay *replay, struct replay_thread *self,
                                  const struct plan_op *op)
{
    uint32_t position = (uint32_t)(op - replay->ops) + 1;
    if (ENGINE_LIKELY(!replay->crowded)) {
        atomic_store_explicit(&self->published, position, memory_order_release);
        return;
    }
    /* The load must not be done before the store: see sleep_on() in wait.c. */
    atomic_store(&self->published, position);
    if (atomic_load(&self->wanted) <= position)
        replay_wake(self);
}

#endif
