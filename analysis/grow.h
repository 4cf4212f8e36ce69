/*
 * Tables that grow by mremap: zero-filled, page-aligned, without a heap call and without a copy.
 * For tools that hold one table for each object id of a tape.
 */
#ifndef HEAPTAPE_ANALYSIS_GROW_H
#define HEAPTAPE_ANALYSIS_GROW_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>

/*
 * Makes *table (old_bytes long, NULL at first) at least new_bytes long; the new part is zero.
 * False where there is no memory: *table is as it was.
 */
static inline bool grow_table(void **table, size_t old_bytes, size_t new_bytes)
{
    void *grown;

    if (*table)
        grown = mremap(*table, old_bytes, new_bytes, MREMAP_MAYMOVE);
    else
        grown = mmap(NULL, new_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (grown == MAP_FAILED)
        return false;
    *table = grown;
    return true;
}

/* The count to grow to so that index `wanted` exists: doubling from `least`. */
static inline size_t grow_count(size_t count, size_t wanted, size_t least)
{
    if (count < least)
        count = least;
    while (count <= wanted)
        count *= 2;
    return count;
}

static inline void grow_free(void *table, size_t bytes)
{
    if (table)
        munmap(table, bytes);
}

#endif
