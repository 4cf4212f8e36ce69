/* Blocks freed by threads that do not own their run. The freeing thread links a chain of them and
 * pushes it with one compare-and-swap on the run's `remote` word, which holds
 *     bits  0..31  offset of the chain's first block in the run, plus 1; 0 when there is no chain
 *     bits 32..47  how many blocks the chain has
 *     bit  48      the run stands (or is about to stand) in its heap's pending stack
 * The count in the word tells that a run is wholly free without its owner's help. */
#ifndef HTMALLOC_REMOTE_H
#define HTMALLOC_REMOTE_H

#include "run.h"

#define REMOTE_COUNT_SHIFT 32
#define REMOTE_PENDING     ((uint64_t)1 << 48)

static inline uint32_t remote_count(uint64_t word)
{
    return (uint32_t)(word >> REMOTE_COUNT_SHIFT) & 0xffff;
}

static inline struct block *remote_first(const struct run *run, uint64_t word)
{
    uint32_t offset = (uint32_t)word;
    return offset == 0 ? NULL : (struct block *)(slice_base(run) + offset - 1);
}

/* Pushes a chain of `count` blocks. True when the run was not pending, so that the caller must push
 * it to its heap's pending stack. `ret_total` gets the count of all blocks now in the word. */
bool remote_push(struct run *run, struct block *first, struct block *last, uint32_t count,
                 uint32_t *ret_total);

/* Moves what other threads freed to the run's free list and returns how many blocks that was. Call
 * as the owner, or with the owner away. `clear_pending` says that the run has just been popped. */
uint32_t remote_collect(struct run *run, bool clear_pending);

#endif
