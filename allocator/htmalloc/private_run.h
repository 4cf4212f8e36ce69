/* The runs and large blocks of a private heap. Nothing here is synchronised but by the caller; see
 * private_heap.h. */
#ifndef HTMALLOC_PRIVATE_RUN_H
#define HTMALLOC_PRIVATE_RUN_H

#include "private_heap.h"

/* --- blocks in the hardened build: no seals, but free ones are linked in code and poisoned, and
 * the first of a run is never handed out --- */

#ifdef HT_HARD
#define private_size(size)        ((size) < SEAL_LEAST ? SEAL_LEAST : (size))
#define private_is_handed_out(at) ((at) != 0)

/* Before the block becomes the program's; after it was. */
static inline void private_taken(void *block, uint32_t bytes)
{
    seal_store((char *)block + bytes, SEAL_BIT); /* no link */
}
void private_freed(void *block, uint32_t bytes);
#else
#define private_size(size)          (size)
#define private_is_handed_out(at)   true
#define private_taken(block, bytes) ((void)0)
#define private_freed(block, bytes) ((void)0)
#endif

/* --- what the fast paths look at --- */

/* The shelf that serves blocks of `size` bytes, up to HT_SMALL_MAX. */
static inline struct run **private_shelf(struct ht_heap *heap, size_t size)
{
    if (heap->shelves != NULL)
        return &heap->shelves[class_of(size)];
    return &heap->small[size <= 16 ? 0 : 32 - __builtin_clz((unsigned)size - 1) - 4];
}

/* Of a run, in the word that other runs have for what other threads free: the bytes of a block, and
 * above them 2^32 / bytes, rounded up, by which a multiplication does for a division. */
static inline uint32_t private_bytes(const struct run *run)
{
    return (uint32_t)run->remote;
}

static inline bool private_has_block(const struct run *run, const void *address)
{
    uint32_t offset = (uint32_t)((const char *)address - slice_base(run));
    uint32_t number = (uint32_t)(offset * (run->remote >> 32) >> 32);
    return number * private_bytes(run) == offset && private_is_handed_out(offset);
}

/* Whether the heap's limit allows so many bytes more. */
static inline bool private_allows(const struct ht_heap *heap, size_t bytes)
{
    return bytes <= PTRDIFF_MAX && heap->live + bytes <= heap->limit;
}

static inline void *private_pop(struct ht_heap *heap, struct run *run)
{
    heap->live += private_bytes(run);
    run->left++;
    struct block *block = run_pop(run);
    private_taken(block, private_bytes(run));
    return block;
}

void private_give_empty(struct ht_heap *heap, struct run *run);

/* The run stands on its shelf. */
static inline void private_push(struct ht_heap *heap, struct run *run, void *address)
{
    private_freed(address, private_bytes(run));
    run_push(run, address);
    heap->live -= private_bytes(run);
    if (ht_unlikely(--run->left == 0))
        private_give_empty(heap, run);
}

/* --- the rest. NULL, and false, when there is no memory or the limit forbids it --- */

void *private_take_small(struct ht_heap *heap, size_t size);
void private_free_small(struct ht_heap *heap, struct run *run, void *address);

void *private_take_large(struct ht_heap *heap, size_t size, size_t align, bool *ret_zero);
bool private_resize_large(struct ht_heap *heap, struct run *head, size_t size);
void private_free_large(struct ht_heap *heap, struct run *head);

/* Gives back all runs and large blocks, whatever is in use, and the shelves. */
void private_give_all(struct ht_heap *heap);

#endif
