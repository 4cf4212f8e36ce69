/*
 * A block with boundary tags, after Knuth (The Art of Computer Programming 1, 2.5, exercise 12).
 *
 *      block                                                    block + bytes
 *        | tag 8 | payload, as the program sees it          | tag 8 |
 *        |       | next 8 | prev 8 | (while it is free)     |       |
 *                ^ 16-aligned                               ^ copy of the tag (the footer)
 *
 * A tag is the size of the whole block, a multiple of 16, and flags in the low bits. Because the
 * footer of the block before lies right in front of a block's tag, both neighbours are one step
 * away and merging with them needs no search. The least block is 32 bytes: two tags and two links.
 * Each block costs 16 bytes of tags, so malloc(16) takes 32 bytes and malloc(17) takes 48.
 *
 * Every allocator of this folder keeps a tag in the 8 bytes before what it hands out, so that
 * free() can tell a large block (large.h) from the others.
 */
#ifndef TEXTBOOK_BLOCK_H
#define TEXTBOOK_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ALIGNMENT   ((size_t)16)
#define TAG_BYTES   sizeof(size_t)
#define BLOCK_LEAST ((size_t)32)
#define PAGE_BYTES  ((size_t)4096)

#define TAG_USED  ((size_t)1)
#define TAG_LARGE ((size_t)2) /* a mapping of its own */
#define TAG_FENCE ((size_t)4) /* no block: the end of a region; always with TAG_USED */
#define TAG_FLAGS ((size_t)15)

struct block {
    size_t tag;
    struct block *next, *prev; /* of the free list, only while it is free */
};

_Static_assert(sizeof(struct block) + TAG_BYTES == BLOCK_LEAST, "links and tags fill the least");
_Static_assert(BLOCK_LEAST % ALIGNMENT == 0, "blocks stay aligned");

static inline size_t round_up(size_t bytes, size_t to)
{
    return (bytes + to - 1) & ~(to - 1); /* `to` a power of two */
}

static inline size_t block_bytes(const struct block *block)
{
    return block->tag & ~TAG_FLAGS;
}

static inline bool block_is_used(const struct block *block)
{
    return block->tag & TAG_USED;
}

static inline size_t *block_footer(const struct block *block)
{
    return (size_t *)((char *)block + block_bytes(block) - TAG_BYTES);
}

static inline void block_set(struct block *block, size_t bytes, size_t flags)
{
    block->tag = bytes | flags;
    *block_footer(block) = block->tag;
}

static inline struct block *block_after(const struct block *block)
{
    return (struct block *)((char *)block + block_bytes(block));
}

/* The footer of the block before; a fence where there is none. */
static inline size_t block_tag_before(const struct block *block)
{
    return ((const size_t *)block)[-1];
}

static inline struct block *block_before(const struct block *block)
{
    return (struct block *)((char *)block - (block_tag_before(block) & ~TAG_FLAGS));
}

static inline void *block_payload(const struct block *block)
{
    return (char *)block + TAG_BYTES;
}

static inline struct block *block_of(const void *payload)
{
    return (struct block *)((char *)payload - TAG_BYTES);
}

static inline size_t block_usable(const struct block *block)
{
    return block_bytes(block) - 2 * TAG_BYTES;
}

/* The block that `size` bytes of payload need; `size` at most PTRDIFF_MAX. */
static inline size_t block_need(size_t size)
{
    size_t bytes = round_up(size + 2 * TAG_BYTES, ALIGNMENT);
    return bytes < BLOCK_LEAST ? BLOCK_LEAST : bytes;
}

#endif
