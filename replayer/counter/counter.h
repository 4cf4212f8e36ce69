/*
 * libheaptape-stats.so, preloaded before the allocator by heaptape stats: counts the calls of the
 * malloc family and adds the heap's size up after each. It lives inside the program: libc alone, no
 * heap of its own, no lock, no thread, no signal. Calls that an allocator makes to itself are not
 * counted.
 *
 * An allocator may tell the size of its heap and more by exporting this function, which is called
 * after each call of the program's, with no lock held and from any thread:
 *
 *     void heaptape_heap(struct heaptape_heap *ret_heap);
 *
 * Otherwise glibc's heap is read off its own chunks, and another allocator's is what the process
 * has more of private writable memory than at its start, less the stacks and mappings that the
 * program made by itself, looked at every SAMPLE_CALLS calls of a thread and when it has taken or
 * given SAMPLE_BYTES.
 */
#ifndef HEAPTAPE_REPLAYER_COUNTER_H
#define HEAPTAPE_REPLAYER_COUNTER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "replayer/counter/counts.h"

struct heaptape_heap {
    size_t held;              /* bytes from the system: writable mappings and brk */
    size_t splits, coalesces; /* blocks cut in two, and two made one, since the start */
};

#define SAMPLE_CALLS 1024
#define SAMPLE_BYTES (256 << 10)

/* The allocator behind us. All NULL before the first call. */
struct next_calls {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void *(*reallocarray)(void *, size_t, size_t);
    void (*free)(void *);
    void (*free_sized)(void *, size_t);
    void (*free_aligned_sized)(void *, size_t, size_t);
    void *(*memalign)(size_t, size_t);
    void *(*aligned_alloc)(size_t, size_t);
    int (*posix_memalign)(void **, size_t, size_t);
    void *(*valloc)(size_t);
    void *(*pvalloc)(size_t);
    size_t (*malloc_usable_size)(void *);
    void *(*mmap)(void *, size_t, int, int, int, off_t);
    int (*munmap)(void *, size_t);
    int (*pthread_create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
};
extern struct next_calls next;
/* Whether the address lies in the file that provides malloc. */
bool next_contains(const void *address);
/* A function behind us; NULL where there is none. */
void *next_symbol(const char *name);

/* What a thread knows of itself; begins as zeros. */
struct self {
    struct counts_process *process; /* that `counts` belong to: another one after fork() */
    struct counts_thread *counts;   /* NULL: is not counted */
    unsigned inside;                /* > 0 inside a call of the allocator's */
    unsigned sample_calls;
    size_t sample_bytes;
    bool shares; /* `counts` is not its own alone */
};
extern _Thread_local struct self self;

/* ---- process.c ---- */

/* A page that a forked child finds zeroed, so that it begins a record of its own. */
struct wiped {
    struct counts_process *process;
};
extern struct wiped *wiped; /* NULL before the first call */

/* The thread's counts, its process's record begun where that must be; NULL where there is none. */
struct counts_thread *counter_begin(void);
static inline struct counts_thread *counter_thread(void)
{
    struct counts_process *process = wiped ? wiped->process : NULL;
    if (__builtin_expect(process && self.process == process, 1))
        return self.counts;
    return counter_begin();
}
/* Memory for calls before `next` is known; never given back. */
void *early_allocate(size_t bytes, size_t alignment);
bool early_owns(const void *block);
size_t early_bytes(const void *block);

static inline void count_add(_Atomic uint64_t *count, uint64_t more)
{
    if (__builtin_expect(self.shares, 0))
        atomic_fetch_add_explicit(count, more, memory_order_relaxed);
    else
        atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + more,
                              memory_order_relaxed);
}

/* ---- heap.c ---- */

/* What of a block must be known before it is freed or moved. */
struct heap_before {
    size_t mapped;     /* bytes of a mapping of its own; libc */
    const void *arena; /* libc's, other than the main one */
};

/* Once for each record. `parent`: the one that it was forked from, or NULL. */
void heap_begin(struct counts_process *process, const struct counts_process *parent);
/* Returns its usable bytes. */
size_t heap_look_before(const void *block, struct heap_before *ret_before);
size_t heap_usable(const void *block);
/* After a call: `block` is what it gave or NULL, `before` of what it took or NULL. */
/* Leaves errno as it is. */
void heap_look_after(struct counts_process *process, const void *block,
                     const struct heap_before *before, size_t bytes);
/* Memory that the program itself takes (> 0) or gives, which is not the allocator's. */
void heap_not_ours(long bytes);
/* A stretch that may make memory which is not the allocator's (a thread's stack) and the bytes of
 * it. */
long heap_writable_bytes(void);
bool heap_is_sampled(void);

#endif
