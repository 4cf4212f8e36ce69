/* A run: consecutive slices of a segment that hold equal blocks of one size class, or one large
 * block. Its descriptor lies in the segment's slice 0, at the run's first slice number, so that it
 * is found from any pointer into that slice by mask and shift. Slices behind the first lead there
 * by `back`.
 *
 * A run of blocks belongs to one heap. Only the heap's thread touches `free` and `left`, without
 * locks; other threads push freed blocks to `remote`. State, lists and the page mask change under
 * the heap's lock. A run is CURRENT  the one that the heap allocates its class from; nothing is
 * counted (so that neither malloc nor free has to), `left` starts at RUN_UNCOUNTED and never gets
 * to 0 in practice; PARTIAL  has free blocks; `left` is the number of blocks in use, so that it
 *            comes to 0 exactly when the run is empty;
 *   UNCARVED is counted like a partial one, but was set aside for its pages that nobody has touched
 * yet; FULL     had no free block when it got here; `left` is the number of frees until it counts
 * as partial again, so that a run does not come back for each single block. In all of them free()
 * is the same: push, count down, look only at 0. */
#ifndef HTMALLOC_RUN_H
#define HTMALLOC_RUN_H

#include "block.h"
#include "config.h"
#include "sizeclass.h"

struct heap;

enum slice_kind {
    SLICE_UNUSED,   /* not the head of anything */
    SLICE_FREE,     /* first slice of a free span */
    SLICE_FREE_END, /* last slice of a free span of two or more; `back` leads to its first */
    SLICE_RUN,      /* first slice of a run of blocks */
    SLICE_LARGE,    /* first slice of a large block */
    SLICE_CACHED,   /* first slice of a large block that its last thread keeps for itself, freed */
    SLICE_PRIVATE,  /* first slice of a run or a large block of a private heap: private_heap.h */
    SLICE_INSIDE,   /* slice of a run or a large block behind its first; `back` leads there */
};

enum run_state { RUN_CURRENT = 1, RUN_PARTIAL, RUN_UNCARVED, RUN_FULL };

/* Frees to a current run until free() leaves its fast path for a moment, to look at the clock. */
#define RUN_UNCOUNTED 65536u

struct run {
    struct heap *owner; /* whose thread may use `free`; NULL unless the kind is SLICE_RUN */
    union {
        struct block *free; /* SLICE_RUN: blocks that malloc may take */
        size_t large_bytes; /* SLICE_LARGE: bytes of the block that may be used */
    };
    uint32_t left; /* see above */
    uint32_t
        carve; /* one bit a page: the blocks that start in it have not been put in circulation */
    uint64_t remote;          /* blocks freed by other threads: see remote.h */
    struct run *next, *prev;  /* in a list of its heap, or of free spans */
    struct run *pending_next; /* in its heap's pending stack */
    uint16_t circulating;     /* blocks that have been carved: free or in use */
    uint8_t kind;             /* enum slice_kind */
    uint8_t state;            /* enum run_state */
    uint8_t class;            /* size class of the blocks */
    uint8_t slices;           /* of the run, the large block or the free span */
    union {
        uint8_t back; /* of a further slice: how many slices back the first one is */
        uint8_t mark; /* of a run: see reclaim.c */
    };
    bool mixed; /* holds blocks of other classes, too, and `left` is elsewhere: see mixed.h */
};
static_assert(sizeof(struct run) == HT_RUN_BYTES,
              "descriptors are found by shifting slice numbers");

/* The descriptor of the slice that `address` lies in; `address` must lie in a segment. */
static inline struct run *slice_of(const void *address)
{
    uintptr_t at = (uintptr_t)address;
    uintptr_t segment = at & ~(uintptr_t)(HT_SEGMENT - 1);
    uintptr_t offset = (at & (HT_SEGMENT - 1)) >> HT_SLICE_SHIFT;
    return (struct run *)(segment + offset * HT_RUN_BYTES);
}

/* Neighbours look at each other's kind under the span lock only, for "is it free?", while the owner
 * of a span says what it is without. */
static inline enum slice_kind kind_of(const struct run *slice)
{
    return (enum slice_kind)__atomic_load_n(&slice->kind, __ATOMIC_RELAXED);
}

static inline void kind_set(struct run *slice, enum slice_kind kind)
{
    __atomic_store_n(&slice->kind, (uint8_t)kind, __ATOMIC_RELAXED);
}

/* The slice's number in its segment, 1 to 255. */
static inline unsigned slice_number(const struct run *slice)
{
    return (unsigned)(((uintptr_t)slice & (HT_SLICE - 1)) / HT_RUN_BYTES);
}

/* The first byte of the slice that a descriptor stands for. */
static inline char *slice_base(const struct run *slice)
{
    uintptr_t segment = (uintptr_t)slice & ~(uintptr_t)(HT_SEGMENT - 1);
    return (char *)(segment + ((uintptr_t)slice_number(slice) << HT_SLICE_SHIFT));
}

static inline size_t run_bytes(const struct run *run)
{
    return (size_t)run->slices << HT_SLICE_SHIFT;
}

/* Blocks of the whole run, carved or not. */
static inline uint32_t run_capacity(const struct run *run)
{
    return (uint32_t)(run_bytes(run) / class_bytes(run->class));
}

/* The number of frees after which a full run counts as partial. */
static inline uint32_t run_threshold(const struct run *run)
{
    uint32_t blocks = run->circulating / 16;
    return blocks == 0 ? 1 : blocks;
}

/* Makes the span at `run` a run of blocks of `class`, with no page carved yet. */
void run_init(struct run *run, struct heap *owner, unsigned class, unsigned slices);

/* To be called before the run's span is given back, when no block is in use. Returns a bit for each
 * slice whose pages may have been touched. */
uint32_t run_finish(struct run *run);

/* Puts the blocks of the next pages in circulation; false when there are none left. */
bool run_carve(struct run *run);

/* Takes the pages in which all blocks are free out of circulation again and gives them back to the
 * system. Returns how many pages that was. Call as run_used(). */
uint32_t run_purge(struct run *run);

/* The number of blocks in use; walks the free list. The owner's thread (or nobody) must be at rest.
 * Blocks that other threads have freed and the owner has not collected count as in use. */
uint32_t run_used(const struct run *run);

/* Whether `address` is the start of one of the run's blocks. */
bool run_has_block(const struct run *run, const void *address);

/* How long the block at the address is: by class unless the run is a mixed one. */
size_t run_block_bytes(const struct run *run, const void *address);

/* Ends the program when `block`, of the run's free list or of what others have freed, is no block
 * of the run, or the `count`-th where there are fewer: to be asked on every step of a walk, so that
 * a smashed list and the circle that a second free leaves are found before they are followed. */
void run_check_listed(const struct run *run, const struct block *block, uint32_t count);

/* Takes the first free block, which there must be. */
static inline struct block *run_pop(struct run *run)
{
    struct block *block = run->free;
    run->free = block_next_in(run, block);
    block_leave(block, &hard_classes[run->class]);
    return block;
}

static inline void run_push(struct run *run, struct block *block)
{
    block_link_in(run, block, run->free);
    run->free = block;
}

/* Lists by `next` and `prev`, the newest first. */
static inline void run_list_insert(struct run **list, struct run *run)
{
    run->prev = NULL;
    run->next = *list;
    if (run->next != NULL)
        run->next->prev = run;
    *list = run;
}

static inline void run_list_remove(struct run **list, struct run *run)
{
    if (run->next != NULL)
        run->next->prev = run->prev;
    if (run->prev != NULL)
        run->prev->next = run->next;
    else
        *list = run->next;
    run->next = run->prev = NULL;
}

#endif
