/* Free blocks: how one leads to the next, and what tells that it is free.
 *
 * In the ordinary build a free block's first word is the address of the next. In the hardened build
 * (HT_HARD; see hard.h and seal.h) it is the last, in code, and poison stands before it. Whoever
 * follows the code checks it; whoever takes the block checks the poison. */
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
#define block_end(block)          ((void)0)
#define block_leave(block, class) ((void)0)

/* Of a block of a run, in which the hardened build finds the link. */
#define block_next_in(run, block)       block_next(block)
#define block_link_in(run, block, next) block_link(block, next)

#else

#include "seal.h"

struct block; /* bytes: seal.h says where the link is */

/* Of the blocks of each class, set with hard_key before the first block is made. */
struct hard_class {
    _Alignas(8) uint16_t bytes;
    struct poison poison;
};
extern struct hard_class hard_classes[] HT_HIDDEN;
static_assert(sizeof(struct hard_class) == 8 && HT_SMALL_MAX <= UINT16_MAX, "found by one shift");
void hard_setup(void);

/* Ends the program because a free block was written to. */
HT_COLD _Noreturn void hard_die_written(const void *block);

static inline struct block *block_follow(const struct block *block, uint32_t bytes)
{
    uintptr_t next = link_load((const char *)block + bytes);
    if (ht_unlikely(!link_leads(block, next)))
        hard_die_written(block);
    return (struct block *)next;
}

static inline void block_lead(struct block *block, uint32_t bytes, struct block *next)
{
    link_store((char *)block + bytes, (uintptr_t)next);
    __atomic_signal_fence(__ATOMIC_SEQ_CST); /* before a list leads here: fork may copy it then */
}

/* Before it becomes the program's. */
static inline void block_leave(struct block *block, const struct hard_class *class)
{
    if (ht_unlikely(!poison_holds(block, class->poison)))
        hard_die_written(block);
}

#define block_next_in(run, block)       block_follow(block, hard_classes[(run)->class].bytes)
#define block_link_in(run, block, next) block_lead(block, hard_classes[(run)->class].bytes, next)

/* The same where the run is not at hand. */
struct block *block_next(const struct block *block);
void block_link(struct block *block, struct block *next);

static inline void block_end(struct block *block)
{
    block_link(block, NULL);
}

#endif
#endif
