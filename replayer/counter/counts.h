/*
 * What heaptape stats and the library that it preloads (counter.c) share: a file in memory with a
 * header page and a record for each process image, written by the program itself while it runs, so
 * that it is there whatever way the program ends. A forked child and an exec begin a new record.
 *
 * A thread writes its own struct counts_thread and nobody else does, so that plain stores will do;
 * threads above COUNTS_THREADS share the last one and add atomically.
 */
#ifndef HEAPTAPE_REPLAYER_COUNTS_H
#define HEAPTAPE_REPLAYER_COUNTS_H

#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>

#define COUNTS_VARIABLE  "HEAPTAPE_STATS" /* the file's path, for the program and its children */
#define COUNTS_MAGIC     UINT64_C(0x31746e756f637468)
#define COUNTS_PAGE      4096
#define COUNTS_PROCESSES 4096 /* further ones are not counted */
#define COUNTS_THREADS   127

struct counts_header {
    uint64_t magic;
    _Atomic uint32_t processes; /* that asked for a record, also in vain */
};

struct counts_thread {
    _Atomic uint64_t allocations; /* calls that gave a block; a realloc that moves is none */
    _Atomic uint64_t frees;       /* calls that took one */
    _Atomic uint64_t reallocs;    /* of a block there was, to a size above 0 */
    _Atomic uint64_t failed;      /* calls that gave NULL where a block was asked for */
    _Atomic uint64_t bytes_in, bytes_out;         /* usable bytes that blocks got and gave back */
    _Atomic uint64_t heap_sum_low, heap_sum_high; /* of bytes after each of these calls, 128 bits */
    uint64_t pad[8];
};
static_assert(sizeof(struct counts_thread) == 128, "two lines of the cache to each thread");

/* How the heap's size is known. */
enum counts_heap {
    COUNTS_HEAP_UNKNOWN, /* the program has a malloc of its own, which nothing comes before */
    COUNTS_HEAP_LIBC,    /* exact: the break, arenas and mapped chunks of glibc */
    COUNTS_HEAP_TOLD,    /* exact: the allocator tells it (counter.h) */
    COUNTS_HEAP_SAMPLED, /* private writable memory of the process, looked at now and then */
};

struct counts_process {
    int32_t pid, parent;
    _Atomic uint32_t threads;
    uint32_t heap;                    /* enum counts_heap */
    _Atomic uint32_t end;             /* 1: its exit handlers ran */
    uint32_t is_fork;                 /* begun by fork(): blocks of its parent's are in its heap */
    char program[64], allocator[256]; /* the program's short name; the file that provides malloc */
    _Atomic int64_t held, held_most;  /* bytes from the system, now and at most */
    _Atomic uint64_t break_moves;     /* how often the break was seen elsewhere */
    _Atomic uint64_t mappings;        /* made for blocks; of libc only */
    _Atomic uint64_t splits, coalesces;         /* where `heap` is TOLD */
    uint64_t inherited_blocks, inherited_bytes; /* not freed when it was forked */
    struct counts_thread thread[COUNTS_THREADS + 1] __attribute__((aligned(128)));
};

#define COUNTS_RECORD_BYTES                                                                        \
    ((sizeof(struct counts_process) + COUNTS_PAGE - 1) / COUNTS_PAGE * COUNTS_PAGE)
#define COUNTS_OFFSET(index) (COUNTS_PAGE + (uint64_t)(index)*COUNTS_RECORD_BYTES)
#define COUNTS_FILE_BYTES    COUNTS_OFFSET(COUNTS_PROCESSES)

#endif
