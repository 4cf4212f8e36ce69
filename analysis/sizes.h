/*
 * Exact sizes: how often each was asked for, and how many blocks of it were live when the live
 * bytes peaked. One pass is enough, since the counts at the peak are kept by copy on write: a new
 * peak only raises `epoch`, and a size's count is saved when it first changes after a peak.
 *
 * Memory is bounded: beyond SIZES_EXACT_MAX distinct sizes new ones are rounded up to 64 steps a
 * doubling and `rounded` is set.
 */
#ifndef HEAPTAPE_ANALYSIS_SIZES_H
#define HEAPTAPE_ANALYSIS_SIZES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIZES_SMALL     4096u   /* sizes below have an entry of their own, found by index */
#define SIZES_EXACT_MAX 196608u /* distinct sizes in the hash kept exactly */

struct size_entry {
    uint64_t size;        /* bytes; of a rounded entry the upper end of its step */
    uint64_t allocations; /* calls that asked for it; 0 = free slot of the hash */
    uint64_t live;        /* blocks now */
    uint64_t live_at_peak, saved_epoch;
};

struct size_table {
    struct size_entry *small; /* SIZES_SMALL entries */
    struct size_entry *hash;  /* open addressing */
    size_t hash_slots, hash_used;
    uint64_t epoch;
    bool rounded;
};

/* False where there is no memory. size_table_end() may be called in any case. */
bool size_table_init(struct size_table *table);
void size_table_end(struct size_table *table);
/* A block of `size` begins. False where there is no memory. */
bool size_table_add(struct size_table *table, uint64_t size);
/* A block of `size`, added before, ends. */
void size_table_remove(struct size_table *table, uint64_t size);
/* The live bytes are at a new peak now. */
void size_table_peak(struct size_table *table);
/* Blocks of the entry that were live at the last peak. */
uint64_t size_entry_at_peak(const struct size_table *table, const struct size_entry *entry);

enum size_order { SIZE_BY_ALLOCATIONS, SIZE_BY_BYTES_AT_PEAK };
/*
 * The first `limit` entries of an order into `ret`, largest first (ties: smaller size first);
 * returns how many there are. Entries whose key is 0 are left out.
 */
size_t size_table_top(const struct size_table *table, enum size_order order,
                      const struct size_entry **ret, size_t limit);

#endif
