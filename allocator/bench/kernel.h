/*
 * What the workloads share: `workloads NAME SEED` runs one kernel, a small program that does little
 * but use the heap in one way. Sizes, orders and counts come from the seed, so that no figure
 * belongs to one sequence of sizes.
 *
 * Each file of kernels gives one array that ends with a NULL name; workloads.c knows the arrays.
 */
#ifndef BENCH_KERNEL_H
#define BENCH_KERNEL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct kernel {
    const char *name;
    const char *what; /* one line for --list */
    void (*run)(uint64_t *state);
};

extern const struct kernel churn_kernels[], lifetime_kernels[], grow_kernels[], large_kernels[],
    structure_kernels[], passing_kernels[], server_kernels[], thread_kernels[];

/* xorshift64*; the state must not be 0. */
static inline uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * 0x2545f4914f6cdd1du >> 16;
}

/* A number from 0 to below. */
static inline size_t random_below(uint64_t *state, size_t below)
{
    return below == 0 ? 0 : next_random(state) % below;
}

static inline size_t random_between(uint64_t *state, size_t least, size_t most)
{
    return least + next_random(state) % (most - least + 1);
}

/* A state of its own for a thread or a part. */
static inline uint64_t random_branch(uint64_t *state)
{
    return next_random(state) * 0x9e3779b97f4a7c15u | 1;
}

/* Sizes as programs have them: each doubling above 16 half as frequent as the one before. */
static inline size_t mixed_size(uint64_t *state, unsigned doublings)
{
    uint64_t random = next_random(state);
    unsigned up = (unsigned)__builtin_ctzll(random | (uint64_t)1 << doublings);
    size_t base = (size_t)16 << up;
    return base + (random >> 32) % base;
}

/* Keeps the compiler from knowing that a block is not used. */
static inline void *used(void *block)
{
    __asm__ volatile("" : : "r"(block) : "memory");
    return block;
}

/* Writes a block as a program would: its head, and a byte of every page. */
static inline void *fill(void *block, size_t size)
{
    unsigned char *bytes = block;
    if (bytes == NULL)
        abort();
    memset(bytes, 1, size < 64 ? size : 64);
    for (size_t at = 4096; at < size; at += 4096)
        bytes[at] = 1;
    return used(bytes);
}

static inline void *take(size_t size)
{
    return fill(malloc(size), size);
}

/* Starts `count` threads (at most 16), each with a random state of its own, and waits for them. */
struct worker {
    int number; /* from 0 */
    uint64_t state;
};
void run_workers(int count, uint64_t *state, void (*main)(struct worker *worker));

#endif
