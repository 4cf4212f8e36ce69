/*
 * The binary buddy system, after Knowlton (1965). A region holds one arena of 2^k bytes. A block of
 * 2^j bytes lies at a multiple of 2^j in its arena; its buddy is the other half of the block of
 * 2^(j+1) that holds both, at the offset with bit j turned over. A block is halved until it is as
 * small as it may be, and merges with its buddy as soon as both are free: no searching, no footers,
 * and up to half of a block is lost inside it.
 *
 *   arena  |        32K        |   8K   |   8K, used   |   16K   |
 *           0                   32K      40K            48K
 *
 *   block  | struct head (16) | payload |        while it is free, two links lie in the payload
 *
 * An aligned payload may begin deeper in its block; a second head in front of it says how far, as
 * the first does for those who walk.
 */
#include "policy.h"

#include "block.h"
#include "options.h"

#define ORDER_LEAST 5 /* 32 bytes: head and links */
#define ORDERS      40
#define ORDER_SHIFT 8

struct head {
    uint32_t place; /* offset in the arena, in units of 16 bytes */
    uint32_t back;  /* from the block's start to this head, in units of 16 bytes */
    size_t tag;     /* order << ORDER_SHIFT, flags */
};

struct buddy {
    struct head head;
    struct buddy *next, *prev;
};

_Static_assert(sizeof(struct head) == ALIGNMENT, "payloads are aligned");
_Static_assert(sizeof(struct buddy) == 1 << ORDER_LEAST, "the links fit in the least block");

static struct buddy *lists[ORDERS];

static void buddy_begin(void)
{
    for (unsigned i = 0; i < ORDERS; i++)
        lists[i] = NULL;
}

static unsigned order_of(const struct buddy *block)
{
    return (unsigned)(block->head.tag >> ORDER_SHIFT);
}

static bool is_used(const struct buddy *block)
{
    return block->head.tag & TAG_USED;
}

static unsigned order_for(size_t bytes)
{
    unsigned order = ORDER_LEAST;
    while (order < ORDERS && (size_t)1 << order < bytes)
        order++;
    return order;
}

static char *arena_of(struct buddy *block)
{
    return (char *)block - (size_t)block->head.place * ALIGNMENT;
}

static void list_add(struct buddy *block, unsigned order)
{
    block->head.tag = (size_t)order << ORDER_SHIFT;
    block->prev = NULL;
    block->next = lists[order];
    if (block->next)
        block->next->prev = block;
    lists[order] = block;
}

static void list_drop(struct buddy *block)
{
    *(block->prev ? &block->prev->next : &lists[order_of(block)]) = block->next;
    if (block->next)
        block->next->prev = block->prev;
}

/* The block of that order at an offset of the arena. */
static struct buddy *block_at(char *arena, size_t offset)
{
    struct buddy *block = (struct buddy *)(arena + offset);
    block->head.place = (uint32_t)(offset / ALIGNMENT);
    block->head.back = 0;
    return block;
}

/* ---- taking ---- */

static unsigned arena_order(const struct region *region)
{
    unsigned order = order_for(region->bytes - sizeof *region);
    return (size_t)1 << order > region->bytes - sizeof *region ? order - 1 : order;
}

static bool grow(unsigned order)
{
    size_t least = region_first || !options.set_aside ? options.growth : options.set_aside;
    unsigned least_order = order_for(least);
    if (order < least_order)
        order = least_order;
    struct region *region = region_take(((size_t)1 << order) + sizeof *region);
    if (!region)
        return false;
    list_add(block_at(region_start(region), 0), order);
    return true;
}

/* A free block of that order, taken from its list; a larger one is halved, and its upper halves
 * stay free. */
static struct buddy *take_order(unsigned order)
{
    unsigned from = order;
    while (from < ORDERS && !lists[from])
        from++;
    if (from == ORDERS)
        return grow(order) ? take_order(order) : NULL;
    struct buddy *block = lists[from];
    list_drop(block);
    while (from > order) {
        size_t half = (size_t)1 << --from;
        list_add(block_at(arena_of(block), block->head.place * ALIGNMENT + half), from);
        policy_counts.splits++;
    }
    block->head.tag = (size_t)order << ORDER_SHIFT | TAG_USED;
    return block;
}

static void *buddy_take(size_t size, size_t align)
{
    size_t bytes = size + sizeof(struct head) + (align > ALIGNMENT ? align : 0);
    struct buddy *block = take_order(order_for(bytes));
    if (!block)
        return NULL;
    char *payload = (char *)block + sizeof(struct head);
    size_t gap = round_up((uintptr_t)payload, align) - (uintptr_t)payload;
    if (gap) {
        struct head *second = (struct head *)((char *)block + gap);
        block->head.back = (uint32_t)(gap / ALIGNMENT);
        *second = block->head;
    }
    return payload + gap;
}

/* ---- giving ---- */

static struct buddy *block_of_payload(const void *payload)
{
    const struct head *head = (const struct head *)payload - 1;
    return (struct buddy *)((char *)(uintptr_t)head - (size_t)head->back * ALIGNMENT);
}

static void buddy_give(void *payload)
{
    struct buddy *block = block_of_payload(payload);
    struct region *region = (struct region *)(arena_of(block) - sizeof *region);
    unsigned order = order_of(block), whole = arena_order(region);
    size_t offset = block->head.place * ALIGNMENT;
    ((struct head *)payload)[-1].tag &= ~TAG_USED;
    for (; order < whole; order++) {
        struct buddy *other =
            (struct buddy *)(region_start(region) + (offset ^ (size_t)1 << order));
        if (is_used(other) || order_of(other) != order)
            break;
        list_drop(other);
        offset &= ~((size_t)1 << order);
        policy_counts.coalesces++;
    }
    if (order < whole || !region_give(region))
        list_add(block_at(region_start(region), offset), order);
}

/* ---- changing ---- */

static size_t buddy_usable(const void *payload)
{
    struct buddy *block = block_of_payload(payload);
    return ((size_t)1 << order_of(block)) - (size_t)((const char *)payload - (char *)block);
}

/* Smaller: upper halves become free. Larger: as long as the block is the lower half and its buddy
 * is free, they become one; backward it does not grow, since that would be another block's place.
 */
static void *buddy_resize(void *payload, size_t size)
{
    struct buddy *block = block_of_payload(payload);
    char *arena = arena_of(block);
    unsigned whole = arena_order((struct region *)(arena - sizeof(struct region)));
    size_t offset = block->head.place * ALIGNMENT;
    unsigned had = order_of(block), order = had;
    unsigned wanted = order_for(size + (size_t)((char *)payload - (char *)block));
    for (; order < wanted; order++) {
        struct buddy *other = (struct buddy *)(arena + (offset ^ (size_t)1 << order));
        if (order >= whole || offset & (size_t)1 << order || is_used(other) ||
            order_of(other) != order)
            return NULL;
    }
    for (order = had; order < wanted; order++, policy_counts.coalesces++)
        list_drop((struct buddy *)(arena + (offset ^ (size_t)1 << order)));
    for (; order > wanted; policy_counts.splits++) {
        order--;
        list_add(block_at(arena, offset + ((size_t)1 << order)), order);
    }
    block->head.tag = (size_t)order << ORDER_SHIFT | TAG_USED;
    ((struct head *)payload)[-1].tag = block->head.tag;
    return payload;
}

/* ---- looking ---- */

static void buddy_walk(visit_block *visit, void *context)
{
    for (struct region *region = region_first; region; region = region->next) {
        const char *arena = region_start(region), *end = arena + ((size_t)1 << arena_order(region));
        for (const char *at = arena; at < end;) {
            const struct buddy *block = (const struct buddy *)at;
            size_t bytes = (size_t)1 << order_of(block);
            size_t front = sizeof(struct head) + (size_t)block->head.back * ALIGNMENT;
            visit(context, region, at, bytes, bytes - front, is_used(block));
            at += bytes;
        }
    }
}

static void buddy_walk_free(visit_free *visit, void *context)
{
    for (unsigned order = ORDER_LEAST; order < ORDERS; order++)
        for (struct buddy *block = lists[order]; block; block = block->next)
            visit(context, order, (char *)block, (size_t)1 << order);
}

static const char *check_block(const char *arena, const struct buddy *block, unsigned whole)
{
    size_t offset = (size_t)((const char *)block - arena), order = order_of(block);
    if (order < ORDER_LEAST || order > whole)
        return "a block's order is impossible";
    if (offset & (((size_t)1 << order) - 1) || block->head.place * ALIGNMENT != offset)
        return "a block is not where its order puts it";
    const struct buddy *other = (const struct buddy *)(arena + (offset ^ (size_t)1 << order));
    if (order < whole && !is_used(block) && !is_used(other) && order_of(other) == order)
        return "two free buddies have not become one";
    return NULL;
}

static const char *buddy_check(void)
{
    size_t free_blocks = 0, listed = 0;
    for (struct region *region = region_first; region; region = region->next) {
        unsigned whole = arena_order(region);
        const char *arena = region_start(region), *at = arena;
        while (at < arena + ((size_t)1 << whole)) {
            const struct buddy *block = (const struct buddy *)at;
            const char *wrong = check_block(arena, block, whole);
            if (wrong)
                return wrong;
            free_blocks += !is_used(block);
            at += (size_t)1 << order_of(block);
        }
    }
    for (unsigned order = 0; order < ORDERS; order++)
        for (const struct buddy *block = lists[order]; block; block = block->next)
            if (is_used(block) || order_of(block) != order || ++listed > free_blocks)
                return "a free list has what does not belong there";
    return listed != free_blocks ? "a free block is on no list" : NULL;
}

const struct policy buddy_policy = {buddy_begin,  buddy_take, buddy_give,      buddy_resize,
                                    buddy_usable, buddy_walk, buddy_walk_free, buddy_check};
