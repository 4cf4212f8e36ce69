/* Huge blocks: above HT_LARGE_MAX, or with an alignment that no segment can give. They lie in
 * mappings of their own, one or a few to a mapping, and are found by address in a hash table;
 * nothing is written into their pages. What is freed stays for the next (extent.h). All functions
 * are thread-safe. */
#ifndef HTMALLOC_HUGE_H
#define HTMALLOC_HUGE_H

#include "lock.h"

/* A block of `size` bytes at a multiple of `align`, a power of two. NULL when there is no memory.
 */
void *huge_take(size_t size, size_t align, bool *ret_zero);

/* Frees the block; false when no huge block starts at `address`. */
bool huge_free(void *address);

/* The bytes that may be used; 0 when no huge block starts at `address`. */
size_t huge_usable(const void *address);

/* Changes the size, moving pages rather than copying. NULL when the system refuses (the block
 * stands), or when no huge block starts at `address`. */
void *huge_resize(void *address, size_t size);

/* Gives up the kept mappings; returns their bytes. */
size_t huge_flush(void);

/* Gives up what has been kept all through the window that ends now: see footprint.h. */
void huge_decay(void);

struct huge_counts {
    size_t blocks, bytes; /* in use */
    size_t table_bytes;
};
/* Calls `visit` for each huge block; under the lock. */
void huge_each(void (*visit)(void *context, void *address, size_t bytes), void *context);

extern struct huge_counts huge_counts;
extern struct ht_lock huge_lock;

#endif
