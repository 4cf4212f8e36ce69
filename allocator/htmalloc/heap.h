/* A heap: what one thread allocates from. The thread's own calls find everything here without locks
 * as long as the current run of the size class has a free block; the rest (refilling, runs that
 * fill and empty) happens under the heap's lock, so that other threads can take what an idle or
 * departed thread no longer needs.
 *
 * Heaps are never given back to the system: a thread that exits leaves its heap, runs and all, for
 * the next thread. A thread without a heap points to `heap_none`, whose table leads to a run that
 * is always empty, so that the fast path needs no test. */
#ifndef HTMALLOC_HEAP_H
#define HTMALLOC_HEAP_H

#include "lock.h"
#include "remote.h"

#define TABLE_SIZE (HT_FAST_MAX / HT_ALIGN + 1)

enum heap_state {
    HEAP_NONE,   /* heap_none */
    HEAP_OWNED,  /* some thread's */
    HEAP_ORPHAN, /* its thread has exited; under its lock anybody may do anything */
};

/* A chain of blocks on the way to a run of another heap. */
struct outbox_slot {
    struct run *run; /* NULL when the slot is empty */
    struct block *first, *last;
    uint32_t count;
};

struct heap {
    struct run *table[TABLE_SIZE];     /* by (size + 15) / 16: the run that serves it */
    struct run *current[CLASS_COUNT];  /* by class; the same runs */
    struct run *partial[CLASS_COUNT];  /* lists by class, the best to take first */
    struct run *last[CLASS_COUNT];     /* of the partial lists: the run that has waited longest */
    struct run *uncarved[CLASS_COUNT]; /* lists by class, taken when no partial run is left */
    struct run *full;                  /* list of all full runs */
    struct ht_lock lock;
    uint32_t state;
    struct run
        *pending; /* stack of runs with blocks freed by other threads; pushed to by anybody */
    size_t runs;  /* that belong to this heap */
    uint32_t current_runs;    /* of those */
    uint32_t other_runs_high; /* the most of the others since heap_shrink() last did something */

    /* The thread's own, never under the lock. */
    struct run
        *large[HT_LARGE_CACHE_SLICES + 1]; /* one freed large block of each number of slices */
    size_t large_bytes;
    uint32_t window;     /* of time, in which the runs were last looked through: see reclaim.h */
    uint32_t reclaim_at; /* class to look at next when the footprint grows */
    uint32_t mix_at;     /* class whose runs to carve anew then */
    uint32_t ticks;      /* slow paths taken, for a look at the clock now and then */
    bool outbox_used;    /* some slot may be filled */
    struct outbox_slot outbox[HT_OUTBOX_SLOTS];

    struct heap *next;        /* of all heaps, newest first; never changes */
    struct heap *next_orphan; /* in the stack of orphans */
    uint32_t number;          /* from 1 */
    bool exit_armed;          /* its thread will leave it on exit */
    bool resting;             /* an orphan that still has its current runs, for the next thread */
    bool borrowed;            /* for one call: see heap_return() */
};
static_assert(sizeof(struct heap) <= HT_PAGE, "a thread costs one page");

/* The calling thread's heap: its own, or heap_none before it has one and after it has left it.
 */
extern __thread struct heap *heap_self __attribute__((tls_model("initial-exec"))) HT_HIDDEN;
extern struct heap heap_none HT_HIDDEN;

/* The calling thread's heap, made or adopted where it has none; NULL when there is no memory. */
struct heap *heap_get(void);

/* After each call of heap_get() where the heap is `borrowed`: the thread has left its heap already,
 * since it ends, and takes one for one call only. */
void heap_return(struct heap *heap);

/* Sees to it that the thread leaves its heap when it exits. */
void heap_arm_exit(struct heap *heap);

/* One block of the class, from wherever it is cheapest for memory. NULL when there is no memory. */
void *heap_take(struct heap *heap, unsigned class);

/* The same, and never a longer block: for alignments that only the class's own blocks have. */
void *heap_take_exact(struct heap *heap, unsigned class);

/* What free() does when counting a run of its own heap down came to 0. */
void heap_counted_out(struct heap *heap, struct run *run);

/* Frees a block of a run that belongs to another heap than `heap`, the caller's (or
 * heap_none, in which case the block is sent at once). */
void heap_free_remote(struct heap *heap, struct run *run, void *address);

/* Sends what waits in the outbox. */
void heap_flush(struct heap *heap);

/* Gives up what the heap keeps for its thread: the thread is leaving it. */
void heap_settle(struct heap *heap);

/* The same for its current runs alone, of the class and all greater ones; under the heap's lock. */
void heap_retire_from(struct heap *heap, unsigned class);

/* Makes orphans that have kept their current runs for the next thread give them up. */
void heap_wake_orphans(void);

/* Gives up all that the heaps of threads that have ended keep without need. */
void heap_trim_orphans(void);

/* The same for the caller's. */
void heap_trim(struct heap *heap);

/* For fork, stats and the validator: all heaps ever made, newest first. */
struct heap *heap_first(void);
extern struct ht_lock heap_registry_lock;

/* In the child of a fork: every heap but `self` is an orphan now, what its thread was in the middle
 * of is put right. */
void heap_orphan_others(struct heap *self);

#endif
