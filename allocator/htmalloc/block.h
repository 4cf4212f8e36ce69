/* Free blocks: how one leads to the next, and what tells that it is free.
 *
 * In the ordinary build a free block's first word is the address of the next. In the hardened build
 * (HT_HARD; see hard.h) it is that address in code, and the second word is a mark made from both
 * words and the block's own address, which no block in use has: a write to a free block, or a block
 * freed twice, breaks or shows the mark. Every walk along a list checks it. */
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

struct block {
    uintptr_t code;
    uintptr_t mark;
};

/* Secrets of the process, and what blocks of each class are divided by: set before the first block
 * is made. */
struct hard_class {
    uint32_t bytes;
    uint32_t inverse; /* 2^32 / bytes, rounded up: offset * inverse >> 32 is the block's number */
};
extern uintptr_t hard_key HT_HIDDEN;
extern struct hard_class hard_classes[] HT_HIDDEN;
void hard_setup(void);

/* Ends the program because a free block was written to. */
HT_COLD _Noreturn void hard_die_written(const void *block);

/* Free blocks hold this from their third word to their tail, up to so many words. */
#define HARD_POISON       0xdbdbdbdbdbdbdbdbu
#define HARD_POISON_WORDS 32u

static inline uintptr_t block_mark(const struct block *block, uintptr_t code)
{
    return (code << 21 | code >> 43) + ((uintptr_t)block ^ hard_key);
}

static inline bool block_is_marked(const struct block *block)
{
    return block->mark == block_mark(block, block->code);
}

static inline struct block *block_next(const struct block *block)
{
    uintptr_t code = block->code;
    if (ht_unlikely(block->mark != block_mark(block, code)))
        hard_die_written(block);
    return (struct block *)(code ^ hard_key);
}

static inline void block_link(struct block *block, struct block *next)
{
    uintptr_t code = (uintptr_t)next ^ hard_key;
    block->code = code;
    block->mark = block_mark(block, code);
    __atomic_signal_fence(__ATOMIC_SEQ_CST); /* before a list leads here: fork may copy it then */
}

static inline void block_end(struct block *block)
{
    block_link(block, NULL);
}

/* The words that poison covers: not the two of the list, nor the block's last. */
static inline uint32_t block_poison_end(uint32_t bytes)
{
    uint32_t words = bytes / 8 - 1;
    return words < HARD_POISON_WORDS ? words : HARD_POISON_WORDS;
}

static inline void block_poison(void *block, uint32_t bytes)
{
    uint64_t *words = block;
    for (uint32_t at = 2, end = block_poison_end(bytes); at < end; at++)
        words[at] = HARD_POISON;
}

static inline bool block_is_poisoned(const void *block, uint32_t bytes)
{
    const uint64_t *words = block;
    uint64_t wrong = 0;
    for (uint32_t at = 2, end = block_poison_end(bytes); at < end; at++)
        wrong |= words[at] ^ HARD_POISON;
    return wrong == 0;
}

static inline void block_leave(struct block *block, uint32_t bytes)
{
    if (ht_unlikely(!block_is_poisoned(block, bytes)))
        hard_die_written(block);
    block->code = block->mark = 0;
}

#endif
#endif
