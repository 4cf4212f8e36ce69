/* Segments: aligned mappings of HT_SEGMENT bytes, divided in slices. Slice 0 holds the descriptors
 * (run.h), touched as they are needed. The rest is handed out as spans of whole slices, best fit
 * over all segments, so that a hole left by one kind of block serves any other.
 *
 * All functions are thread-safe; they take the span lock. */
#ifndef HTMALLOC_SEGMENT_H
#define HTMALLOC_SEGMENT_H

#include "lock.h"
#include "run.h"

/* Lies where slice 0's own descriptor would. */
struct segment {
    struct segment *next, *prev;
    uint64_t dirty[HT_SEGMENT_SLICES / 64]; /* one bit a slice: its pages may be resident */
    uint32_t free;                          /* slices in free spans */
    uint32_t number;                        /* of the mapping, from 1: which came first */
    uint64_t unused;
};
static_assert(sizeof(struct segment) == HT_RUN_BYTES, "a segment's own data fills descriptor 0");

/* One byte a segment-sized piece of the address space: 1 where a segment of ours lies. The one load
 * by which free() knows our blocks from NULL, huge blocks and foreign pointers. */
extern uint8_t *segment_map HT_HIDDEN;

static inline bool segment_holds(const void *address)
{
    const uint8_t *map = __atomic_load_n(&segment_map, __ATOMIC_RELAXED);
    return map[(uintptr_t)address >> HT_SEGMENT_SHIFT] != 0;
}

/* To be called once before anything else; false when the system refuses memory. */
bool segment_setup(void);

/* A span of `slices`, its address a multiple of `align` (a power of two, from HT_SLICE to
 * HT_SEGMENT / 4). The caller sets the descriptor's kind. `ret_zero` tells that all of it reads as
 * zeros. NULL when there is no memory. */
struct run *span_take(unsigned slices, size_t align, bool *ret_zero);

/* Takes a span back. `dirty` says whether its pages may have been touched since it was handed out;
 * slices that were dirty before remain so. */
void span_give(struct run *span, unsigned slices, bool dirty);

/* Makes a span longer in place; false when what lies behind it is taken. */
bool span_extend(struct run *span, unsigned old_slices, unsigned new_slices);

/* Takes back the end of a large block that stays in use; its pages count as dirty. */
void span_shorten(struct run *span, unsigned old_slices, unsigned new_slices);

/* Gives pages of free slices to the system until no more than `keep` dirty slices stand. Returns
 * the number of slices given back. */
size_t span_purge(size_t keep);

/* Counts kept under the lock, for stats and limits; each is read without it. */
struct span_counts {
    size_t segments;     /* mapped */
    size_t slices_free;  /* in free spans */
    size_t slices_dirty; /* of those, perhaps resident */
    size_t slices_used;  /* handed out */
};
extern struct span_counts span_counts;

/* For fork, stats and the validator, which walk segments under the lock. */
extern struct ht_lock span_lock;
struct segment *segment_first(void);
struct run *span_bin(unsigned slices);    /* the first free span of that many slices */
bool span_bin_is_filled(unsigned slices); /* what the bit for that length says */
bool span_is_dirty(const struct run *slice);

#endif
