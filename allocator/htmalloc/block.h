/* Free blocks: how one leads to the next, and what tells that it is free.
 *
 * In the ordinary build a free block's first word is the address of the next. In the hardened build
 * (HT_HARD; see hard.h) it is that address in code, the words behind it are poison, and the last is
 * the seal of a free block. Whoever follows the code checks it; whoever takes the block checks the
 * poison. */
#ifndef HTMALLOC_BLOCK_H
#define HTMALLOC_BLOCK_H

#include "config.h"

#ifndef HT_HARD

struct block {
    struct block *next;
};

static inline struct block *block_next(const struct block *block)
{
    return block->next;
}

static inline void block_link(struct block *block, struct block *next)
{
    block->next = next;
}

/* Before a block is the only one of a chain; before it becomes the program's. */
#define block_end(block)        ((void)0)
#define block_leave(block, run) ((void)0)

#else

#include "seal.h"

struct block {
    uintptr_t code;
};

/* What blocks of each class are divided by, set with hard_key before the first block is made. */
struct hard_class {
    uint32_t bytes;
    uint32_t inverse; /* 2^32 / bytes, rounded up: offset * inverse >> 32 is the block's number */
};
extern struct hard_class hard_classes[] HT_HIDDEN;
void hard_setup(void);

/* Ends the program because a free block was written to. */
HT_COLD _Noreturn void hard_die_written(const void *block);

/* The code is a product, so that whatever changes in it changes high bits of what it stands for:
 * those tell, since a list never leaves its segment. */
#define LINK_FACTOR  0x9e3779b97f4a7c15u
#define LINK_INVERSE 0xf1de83e19937733du
static_assert((uint64_t)(LINK_FACTOR * LINK_INVERSE) == 1, "codes must come back");
#define LINK_STRANGE (~(uintptr_t)(HT_SEGMENT - HT_ALIGN))

static inline uintptr_t block_decode(const struct block *block)
{
    return block->code * LINK_INVERSE ^ hard_key;
}

/* Whether the block's code, which stands for `next`, is one. */
static inline bool block_leads(const struct block *block, uintptr_t next)
{
    return ht_likely(((next ^ (uintptr_t)block) & LINK_STRANGE) == 0) || next == 0;
}

static inline struct block *block_next(const struct block *block)
{
    uintptr_t next = block_decode(block);
    if (ht_unlikely(!block_leads(block, next)))
        hard_die_written(block);
    return (struct block *)next;
}

static inline void block_link(struct block *block, struct block *next)
{
    block->code = ((uintptr_t)next ^ hard_key) * LINK_FACTOR;
    __atomic_signal_fence(__ATOMIC_SEQ_CST); /* before a list leads here: fork may copy it then */
}

static inline void block_end(struct block *block)
{
    block_link(block, NULL);
}

static inline void block_leave(struct block *block, uint32_t bytes)
{
    if (ht_unlikely(!poison_holds(block, bytes)))
        hard_die_written(block);
}

#endif
#endif
