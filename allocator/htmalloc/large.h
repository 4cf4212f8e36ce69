/* Large blocks: whole slices, from HT_SMALL_MAX up to HT_LARGE_MAX. A freed one goes to the
 * thread's cache, one of each number of slices, or back to the segments. */
#ifndef HTMALLOC_LARGE_H
#define HTMALLOC_LARGE_H

#include "heap.h"

/* A block from the cache of the caller's heap alone, or NULL. */
static inline void *large_take_cached(struct heap *heap, size_t size)
{
    size_t slices = (size + HT_SLICE - 1) >> HT_SLICE_SHIFT;
    if (slices > HT_LARGE_CACHE_SLICES)
        return NULL;
    struct run *head = heap->large[slices];
    if (head == NULL)
        return NULL;
    heap->large[slices] = NULL;
    heap->large_bytes -= slices << HT_SLICE_SHIFT;
    head->large_bytes = (size + HT_PAGE - 1) & ~(HT_PAGE - 1);
    kind_set(head, SLICE_LARGE);
    return slice_base(head);
}

/* A block of `size` bytes at a multiple of `align` (up to HT_SEGMENT / 4). `heap` is the caller's.
 * `ret_zero` tells that it reads as zeros. NULL when there is no memory. */
void *large_take(struct heap *heap, size_t size, size_t align, bool *ret_zero);

/* Frees the block that starts at `head`; the caller has checked that it is one. */
void large_free(struct heap *heap, struct run *head);

/* Makes the block's usable size at least `size` without moving it; false when that cannot be. Gives
 * back what a smaller block no longer needs. */
bool large_resize(struct run *head, size_t size);

/* Gives up the thread's cache. */
void large_flush(struct heap *heap);

#endif
