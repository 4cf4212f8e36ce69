/* Private heaps: see htmalloc.h. A private heap has runs and large blocks of its own in the common
 * segments (slice kind SLICE_PRIVATE, `owner` leads to the heap) and huge blocks with a head before
 * them; nothing of it is shared, so that only taking and giving spans takes a lock.
 *
 * Runs with free blocks stand on a shelf by class. A heap starts with a shelf for each doubling of
 * size only, so that a few blocks of mixed sizes need few runs; with GROWN_RUNS runs it gets a
 * shelf for each class. `left` of a run counts its blocks in use. */
#ifndef HTMALLOC_PRIVATE_HEAP_H
#define HTMALLOC_PRIVATE_HEAP_H

#include "htmalloc.h"
#include "run.h"

#define SHELVES_SMALL 12u /* 16 bytes to 32 KiB */
#define GROWN_RUNS    8u

/* What free() and its kin say to a block of a private heap. */
#define PRIVATE_MISUSE "in a private heap, for ht_heap_free() alone"

/* Of a slice of kind SLICE_PRIVATE: a large block rather than a run of blocks. */
static inline bool private_is_large(const struct run *head)
{
    return head->class == CLASS_COUNT;
}

struct ht_heap {
    struct run *small[SHELVES_SMALL]; /* as long as `shelves` is NULL */
    struct run **shelves;             /* by class */
    struct run *others;        /* runs with no free block when last looked at, large blocks */
    struct private_huge *huge; /* list of all */
    size_t live, limit;        /* bytes of blocks in use, whole blocks counted */
    size_t slices, huge_bytes; /* that it has */
    size_t runs;
#ifdef HT_VALGRIND
    struct memcheck_owned *owned; /* for the leak search: see memcheck.c */
#endif
};
#ifndef HT_VALGRIND
static_assert(sizeof(struct ht_heap) <= 160, "an empty heap is one block of 160 bytes");
#endif

#endif
