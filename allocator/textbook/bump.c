/*
 * Bump: the next block begins where the last one ended, and freed memory is never used again. The
 * least that an allocator can be, and the worst case of every chart.
 *
 *   region | struct region | 8 | block | block | ... | cursor ... end |
 *
 *   block  | tag 8 | payload |        bytes a multiple of 16; no footer, no links
 *
 * A free block is one that was freed, or a gap in front of an aligned payload. realloc grows the
 * last block where it is. Regions are never given back.
 */
#include "policy.h"

#include "block.h"
#include "options.h"

#define FIRST (sizeof(struct region) + TAG_BYTES) /* makes payloads aligned */

static struct region *region; /* the one that is filled; those before it are full */
static char *cursor;          /* where its next block begins */

static void bump_begin(void)
{
    region = NULL;
    cursor = NULL;
}

static size_t tag_bytes(const char *block)
{
    return *(const size_t *)block & ~TAG_FLAGS;
}

static size_t room(void)
{
    return region ? (size_t)(region_end(region) - cursor) & ~(ALIGNMENT - 1) : 0;
}

/* What is left of a region when the next one begins is a free block, so that regions can be walked.
 */
static bool grow(size_t bytes)
{
    size_t least = region || !options.set_aside ? options.growth : options.set_aside;
    if (region && region_extend(region, bytes > least ? bytes : least))
        return true;
    bytes += FIRST + ALIGNMENT;
    struct region *next = region_take(bytes > least ? bytes : least);
    if (!next)
        return false;
    if (room())
        *(size_t *)cursor = room();
    region = next;
    cursor = (char *)region + FIRST;
    return true;
}

static size_t need_of(size_t size)
{
    return round_up(size + TAG_BYTES, ALIGNMENT);
}

static void *bump_take(size_t size, size_t align)
{
    size_t need = need_of(size);
    size_t most = align > ALIGNMENT ? need + align : need;
    if (room() < most && !grow(most))
        return NULL;
    uintptr_t payload = (uintptr_t)cursor + TAG_BYTES;
    size_t gap = round_up(payload, align) - payload;
    if (gap)
        *(size_t *)cursor = gap;
    cursor += gap;
    char *block = cursor;
    *(size_t *)block = need | TAG_USED;
    cursor += need;
    return block + TAG_BYTES;
}

static void bump_give(void *payload)
{
    ((size_t *)payload)[-1] &= ~TAG_USED;
}

static size_t bump_usable(const void *payload)
{
    return tag_bytes((const char *)payload - TAG_BYTES) - TAG_BYTES;
}

static void *bump_resize(void *payload, size_t size)
{
    char *block = (char *)payload - TAG_BYTES;
    size_t bytes = tag_bytes(block), need = need_of(size);
    if (need <= bytes)
        return payload;
    if (block + bytes != cursor || room() < need - bytes)
        return NULL;
    *(size_t *)block = need | TAG_USED;
    cursor = block + need;
    return payload;
}

static void bump_walk(visit_block *visit, void *context)
{
    for (struct region *at = region_first; at; at = at->next) {
        const char *block = (const char *)at + FIRST;
        const char *end = at == region ? cursor : region_end(at) - TAG_BYTES;
        for (; block < end; block += tag_bytes(block))
            visit(context, at, block, tag_bytes(block), tag_bytes(block) - TAG_BYTES,
                  *(const size_t *)block & TAG_USED);
        if (at == region && room())
            visit(context, at, cursor, room(), room() - TAG_BYTES, false);
    }
}

static void bump_walk_free(visit_free *visit, void *context)
{
    (void)visit; /* there is no list */
    (void)context;
}

static const char *bump_check(void)
{
    for (const struct region *at = region_first; at; at = at->next) {
        const char *block = (const char *)at + FIRST;
        const char *end = at == region ? cursor : region_end(at) - TAG_BYTES;
        for (; block < end; block += tag_bytes(block))
            if (tag_bytes(block) < ALIGNMENT || tag_bytes(block) > (size_t)(end - block))
                return "a block's size is impossible";
        if (block != end)
            return "a region's last block passes its end";
    }
    return NULL;
}

const struct policy bump_policy = {bump_begin,  bump_take, bump_give,      bump_resize,
                                   bump_usable, bump_walk, bump_walk_free, bump_check};
