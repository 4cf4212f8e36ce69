/* Memory out of the runs that a heap has and does not use well: the answer to programs whose sizes
 * change, which otherwise leave every class with half-empty runs that serve no other. All are
 * called under the heap's lock, by its own thread or with no thread at it. */
#ifndef HTMALLOC_RECLAIM_H
#define HTMALLOC_RECLAIM_H

#include "heap.h"

/* The footprint is about to grow by a new run for the class. A nearly empty run of another class,
 * carved anew for this one (mixed.h), that stands in no list any more; NULL when a short look finds
 * none. */
struct run *reclaim_mix(struct heap *heap, unsigned class);

/* The footprint is about to grow by a new run for the class. A run of larger blocks, nearly all of
 * them free, that serves instead and stands in no list any more; NULL when there is none. */
struct run *reclaim_borrow(struct heap *heap, unsigned class);

/* Gives back `pages` pages or so from nearly empty runs, as far as a short look finds
 * them. */
void reclaim_some(struct heap *heap, size_t pages);

/* At the end of a window of time: gives back the free pages of nearly empty runs that have not
 * changed since the last window. */
void reclaim_idle(struct heap *heap);

/* Gives back every free page of runs that are not current. */
void reclaim_all(struct heap *heap);

#endif
