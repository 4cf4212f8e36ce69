/* Spans: consecutive slices of a segment, free or handed out as a run or a large block. Best fit
 * over all segments, so that a hole left by one kind of block serves any other. All functions are
 * thread-safe; they take the span lock. */
#ifndef HTMALLOC_SPAN_H
#define HTMALLOC_SPAN_H

#include "lock.h"
#include "run.h"

/* A span of `slices`, its address a multiple of `align` (a power of two, from HT_SLICE to
 * HT_SEGMENT / 4). The caller sets the descriptor's kind. `ret_zero` tells that all of it reads as
 * zeros. NULL when there is no memory. */
struct run *span_take(unsigned slices, size_t align, bool *ret_zero);

/* `slices` of them at any slice, or as many as there are, down to `least`, where only so many lie
 * together that may be resident, while for `slices` fresh pages would be needed, and much is. */
struct run *span_take_resident(unsigned slices, unsigned least, unsigned *ret_slices);

/* Takes a span back. `touched` has a bit for each of the first slices whose pages may have been
 * touched since it was handed out; SPAN_TOUCHED means all, also behind the 32nd. Slices that were
 * dirty before remain so. */
#define SPAN_TOUCHED UINT32_MAX
void span_give(struct run *span, unsigned slices, uint32_t touched);

/* Makes a span longer in place; false when what lies behind it is taken. */
bool span_extend(struct run *span, unsigned old_slices, unsigned new_slices);

/* Takes back the end of a large block that stays in use; its pages count as dirty. */
void span_shorten(struct run *span, unsigned old_slices, unsigned new_slices);

/* Gives pages of free slices to the system until no more than `keep` dirty slices stand. Returns
 * the number of slices given back. */
size_t span_purge(size_t keep);

/* Gives back at least so many pages, if that many are dirty. */
void span_purge_some(size_t pages);

/* Gives back what has been dirty all through the window that ends now: see footprint.h. */
void span_decay(void);

/* Kept under the lock, for stats and limits. */
struct span_counts {
    size_t segments;     /* mapped */
    size_t slices_free;  /* in free spans */
    size_t slices_dirty; /* of those, perhaps resident */
    size_t slices_used;  /* handed out */
};
extern struct span_counts span_counts;

/* For fork, stats and the validator, which walk segments under the lock. */
extern struct ht_lock span_lock;
/* The first free span of that many slices, and what the bit for that length says. */
struct run *span_bin(unsigned slices, bool dirty);
bool span_bin_is_filled(unsigned slices, bool dirty);

#endif
