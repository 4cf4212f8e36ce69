/*
 * Allocators with exactly one bug each, that shows only now and then: what --verify must find, and
 * name rightly. They stand before libc's and hand most calls on to it.
 *
 *     #include "tests/wrong/wrong.h"      helpers: the right calls, and memory to go wrong with
 *     static void *malloc_wrong(size_t size) { ... }
 *     #define WRONG_MALLOC malloc_wrong
 *     #include "tests/wrong/exports.h"    malloc, free, ...: those not named are right
 *
 * The bench: a stretch of memory of our own, beside libc's heap, for blocks that lie as no sound
 * allocator would put them. What is known of a block there is kept beside it, not in it, so that
 * nothing but the bug itself goes wrong. Its blocks are never used again.
 */
#ifndef HEAPTAPE_TESTS_WRONG_WRONG_H
#define HEAPTAPE_TESTS_WRONG_WRONG_H

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define WRONG __attribute__((unused)) static

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *block);

/* ---- the bench ----------------------------------------------------------------------------- */

#define BENCH_BYTES ((size_t)1 << 30)

struct bench_block {
    size_t size;
    int owner; /* thread */
    bool live;
};

static char *bench;
static struct bench_block *bench_blocks; /* by granule of 8 bytes */
static _Atomic size_t bench_used;
static size_t (*next_usable)(void *);

__attribute__((constructor)) static void bench_open(void)
{
    if (bench)
        return;
    void *found = dlsym(RTLD_NEXT, "malloc_usable_size");
    memcpy(&next_usable, &found, sizeof(found));
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    bench_blocks =
        mmap(NULL, BENCH_BYTES / 8 * sizeof(*bench_blocks), PROT_READ | PROT_WRITE, flags, -1, 0);
    bench = mmap(NULL, BENCH_BYTES, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (bench == MAP_FAILED || bench_blocks == MAP_FAILED)
        abort();
}

static bool on_bench(const void *block)
{
    return bench && (const char *)block >= bench && (const char *)block < bench + BENCH_BYTES;
}

static struct bench_block *bench_block(const void *block)
{
    return &bench_blocks[((const char *)block - bench) / 8];
}

/* So many bytes of it, 16-aligned; not a block yet. */
WRONG char *bench_take(size_t bytes)
{
    size_t at = atomic_fetch_add(&bench_used, (bytes + 15) & ~(size_t)15);
    if (at + bytes > BENCH_BYTES)
        abort();
    return bench + at;
}

/* A block at this place on the bench. */
WRONG void *bench_give(char *at, size_t size)
{
    *bench_block(at) = (struct bench_block){size, gettid(), true};
    return at;
}

/* ---- the right calls ----------------------------------------------------------------------- */

WRONG void *right_malloc(size_t size)
{
    return __libc_malloc(size);
}

WRONG void *right_calloc(size_t count, size_t size)
{
    return __libc_calloc(count, size);
}

WRONG void right_free(void *block)
{
    if (on_bench(block))
        bench_block(block)->live = false;
    else
        __libc_free(block);
}

WRONG size_t right_usable(void *block)
{
    return on_bench(block) ? bench_block(block)->size : next_usable(block);
}

WRONG void *right_realloc(void *block, size_t size)
{
    if (!on_bench(block))
        return __libc_realloc(block, size);
    void *moved = __libc_malloc(size);
    if (!moved)
        return NULL;
    size_t old = right_usable(block);
    memcpy(moved, block, old < size ? old : size);
    right_free(block);
    return moved;
}

WRONG void *right_memalign(size_t alignment, size_t size)
{
    return __libc_memalign(alignment, size);
}

/* ---- when ---------------------------------------------------------------------------------- */

/* True at every so manieth call that reaches it. */
#define EVERY(count)                                                                               \
    ({                                                                                             \
        static _Atomic uint64_t reached;                                                           \
        atomic_fetch_add(&reached, 1) % (count) == (count)-1;                                      \
    })

static _Atomic int wrong_locked;

WRONG void wrong_lock(void)
{
    while (atomic_exchange(&wrong_locked, 1))
        sched_yield();
}

WRONG void wrong_unlock(void)
{
    atomic_store(&wrong_locked, 0);
}

#endif
