/* The runs of a heap: which list each stands in and what its state is (run.h). Called under the
 * heap's lock, by the heap's own thread or with no thread at it. */
#ifndef HTMALLOC_HEAP_RUNS_H
#define HTMALLOC_HEAP_RUNS_H

#include "heap.h"

/* A run that is always empty and belongs to nobody: what a table entry leads to that has no run. */
extern struct run run_none HT_HIDDEN;

/* Points the class, and every size that it serves, to the run. */
void heap_set_current(struct heap *heap, unsigned class, struct run *run);

/* The run, in no list, becomes partial with `used` blocks in use; an empty one goes back to its
 * segment, unless it stands in the pending stack, which must be popped first. */
void heap_become_partial(struct heap *heap, struct run *run, uint32_t used);
void heap_become_full(struct heap *heap, struct run *run);

/* The run, in no list, becomes the one that the class is served from; its own class may be a
 * greater. */
void heap_become_current(struct heap *heap, struct run *run, unsigned class);

/* The run, in no list, is set aside: it is taken when no partial run is left. */
void heap_become_uncarved(struct heap *heap, struct run *run, uint32_t used);

/* The run stops being current, its free list empty; the caller sets another one. */
void heap_retire(struct heap *heap, struct run *run);

/* The current run of the class, free blocks or not, stops being current. */
void heap_retire_any(struct heap *heap, unsigned class);

/* Moves a partial run to the end of its list, where it is taken from first. */
void heap_defer(struct heap *heap, struct run *run);

/* Takes the run out of the list that it stands in. */
void heap_leave_list(struct heap *heap, struct run *run);

/* Gives the run, in no list and empty, back to its segment. */
void heap_release(struct heap *heap, struct run *run);

/* `blocks` more blocks of the run turned out to be free. */
void heap_count_freed(struct heap *heap, struct run *run, uint32_t blocks);

/* Takes the run to use next for the class out of the heap's lists; NULL when there is none. */
struct run *heap_pick(struct heap *heap, unsigned class);

/* Takes over a run of the class from the heap of a thread that has exited; NULL when there is none.
 */
struct run *thread_adopt_run(struct heap *heap, unsigned class);

/* Collects what other threads freed. */
void pending_drain(struct heap *heap);

/* With another heap's lock held: gives back those of its pending runs that are wholly free by the
 * count of what other threads freed. Its own thread can then have no block of them, and they are
 * not current, so that it does not touch them. The others stay pending. */
void pending_reap(struct heap *heap);

#endif
