/*
 * What the hot path looks at: the thread's own state in TLS, and a few words of the process that a
 * forked child finds zeroed.
 *
 * `wiped` lies in pages of its own that are marked MADV_WIPEONFORK, so whatever way a child with
 * its own memory was made (fork, _Fork, clone, a raw system call), `recording` is 0 in it and its
 * first event takes the slow path before anything is written. A vfork child shares its parent's
 * memory and is told by the thread's state (vfork.c).
 */
#ifndef HEAPTAPE_RECORDER_STATE_H
#define HEAPTAPE_RECORDER_STATE_H

#include <stdatomic.h>
#include <stdint.h>
#include "recorder/ring.h"

/* What a thread is while `ready` is NULL. */
enum thread_state {
    THREAD_NEW = 1,  /* has no lane yet */
    THREAD_INSIDE,   /* in a call of ours; a second one is a signal handler's or the allocator's */
    THREAD_VFORK,    /* we are a vfork child in the parent's memory: record nothing. In asm too */
    THREAD_OFF,      /* nothing is recorded any more */
    THREAD_STARTING, /* inside our own set-up */
};

struct thread_self {
    struct ring_lane *ready; /* the lane to record on; NULL: look at the state. In asm too */
    uint32_t state;          /* enum thread_state. In asm too */
    struct ring_lane *lane;  /* the latest that was made ready */
    struct ring_lane *lanes; /* all that this thread took, linked by `next` */
};
extern __thread struct thread_self self __attribute__((visibility("hidden")));

/*
 * Addresses fall into this many regions of 1 KiB, each with the lane that touched it last
 * (order.h). Finer ones and larger tables cost more misses than they save stamps.
 */
#define ORDER_BITS       14
#define ORDER_SHIFT      10
#define ORDER_AREA_SHIFT 22

/* How much of a call the fast path can do by itself. */
enum record_mode {
    MODE_OFF,     /* nothing: not recording, or a forked child that does not know it yet */
    MODE_ONE,     /* the process has had one thread only */
    MODE_MANY,    /* it has had several, so the owners of regions are looked up */
    MODE_GENERAL, /* nothing: the general_ hooks of interpose.c do */
};

struct wiped_state {
    _Atomic uint32_t mode;      /* enum record_mode */
    _Atomic uint32_t recording; /* 1: this process records */
    _Atomic uint32_t many;      /* 1: it has had a second lane */
    uint32_t sites;             /* 1: with call sites */
    _Atomic uint32_t locked;    /* the process's slow paths (process.c) */
    _Alignas(64) _Atomic uint16_t owner[1 << ORDER_BITS];
};
extern union wiped_pages {
    struct wiped_state state;
    char bytes[(sizeof(struct wiped_state) + 4095) / 4096 * 4096];
} wiped_pages __attribute__((visibility("hidden"), aligned(4096)));
#define wiped (wiped_pages.state)

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
/* Keeps the compiler from moving memory accesses; a signal handler on this thread sees the order.
 */
#define signal_fence() atomic_signal_fence(memory_order_seq_cst)

#endif
