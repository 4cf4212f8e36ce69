/*
 * Tables indexed by ids that come from a file: mapped, grown by moving pages, zero where nothing
 * was written, and resident only where something was. A hostile id costs address space, not memory.
 */
#ifndef HEAPTAPE_TRACES_GROW_H
#define HEAPTAPE_TRACES_GROW_H

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

/*
 * Room for the entry at `index` in a table of `*capacity` entries of `unit` bytes; doubles from at
 * least `least`. The table (moved or not), or NULL: no memory, table and capacity as they were.
 * NULL is an empty table.
 */
static inline void *grow_table(void *table, uint64_t *capacity, uint64_t index, size_t unit,
                               uint64_t least)
{
    if (index < *capacity)
        return table;
    uint64_t larger = *capacity ? *capacity : least;
    while (larger <= index)
        larger *= 2;
    void *moved = table ? mremap(table, *capacity * unit, larger * unit, MREMAP_MAYMOVE)
                        : mmap(NULL, larger * unit, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (moved == MAP_FAILED)
        return NULL;
    *capacity = larger;
    return moved;
}

static inline void grow_free(void *table, uint64_t capacity, size_t unit)
{
    if (table)
        munmap(table, capacity * unit);
}

#endif
