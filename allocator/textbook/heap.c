/*
 * The boundary-tag heap.
 *
 *   region | struct region | fence | block | block | ... | block | fence |
 *                             8                                     8
 *
 * The fences are tags of size 0 that say "used": the first is the footer of a block before the
 * first, the last the tag of one behind the last, so that merging stops there by itself. When a
 * region from brk grows its last fence becomes the tag of the new block.
 */
#include "policy.h"

#include <string.h>

#include "block.h"
#include "free_list.h"
#include "options.h"

#define FENCE         (TAG_USED | TAG_FENCE)
#define REGION_BLOCKS (sizeof(struct region) + TAG_BYTES) /* the first block's offset */
#define REGION_COST   (REGION_BLOCKS + TAG_BYTES)

_Static_assert(REGION_BLOCKS % ALIGNMENT == TAG_BYTES, "payloads are aligned");

struct policy_counts policy_counts;
static size_t freed_since; /* deferred coalescing: bytes freed since all blocks were merged */

static struct block *first_block(const struct region *region)
{
    return (struct block *)((char *)region + REGION_BLOCKS);
}

static void heap_begin(void)
{
    list_begin();
    freed_since = 0;
}

/* ---- giving ---- */

/* A region from mmap with nothing in it but this free block goes back to the system. */
static void give_region(struct block *block)
{
    struct region *region = (struct region *)((char *)block - REGION_BLOCKS);
    if (!(block_tag_before(block) & TAG_FENCE) || !(block_after(block)->tag & TAG_FENCE) ||
        !region->mapped)
        return;
    list_remove(block);
    if (!region_give(region))
        list_insert(block, NULL);
}

/*
 * Puts a block on its list. Coalescing at once has four cases:
 *
 *      | used | BLOCK | used |     stays alone
 *      | used | BLOCK   free |     takes the one behind in
 *      | free   BLOCK | used |     becomes part of the one before
 *      | free   BLOCK   free |     all three become one
 */
static struct block *release(struct block *block)
{
    size_t bytes = block_bytes(block);
    struct block *after = block_after(block), *before, *place = NULL;
    if (options.coalesce == COALESCE_NOW && !block_is_used(after)) {
        place = after->next;
        list_remove(after);
        bytes += block_bytes(after);
        policy_counts.coalesces++;
    }
    if (options.coalesce == COALESCE_NOW && !(block_tag_before(block) & TAG_USED)) {
        before = block_before(block);
        place = before->next;
        list_remove(before);
        bytes += block_bytes(before);
        block = before;
        policy_counts.coalesces++;
    }
    block_set(block, bytes, 0);
    list_insert(block, place);
    return block;
}

/* Deferred coalescing: each free block takes in the free ones behind it. */
static void merge_region(struct region *region)
{
    struct block *block = first_block(region);
    for (; !(block->tag & TAG_FENCE); block = block_after(block)) {
        size_t bytes = block_bytes(block);
        if (block_is_used(block) || block_is_used(block_after(block)))
            continue;
        struct block *after = block_after(block), *place = block->next;
        list_remove(block);
        for (; !block_is_used(after); after = block_after(after)) {
            place = after->next;
            list_remove(after);
            bytes += block_bytes(after);
            policy_counts.coalesces++;
        }
        block_set(block, bytes, 0);
        list_insert(block, place);
    }
    if (!block_is_used(first_block(region)))
        give_region(first_block(region));
}

static void merge_all(void)
{
    for (struct region *region = region_first, *next; region; region = next) {
        next = region->next;
        merge_region(region);
    }
    freed_since = 0;
}

static void heap_give(void *payload)
{
    struct block *block = block_of(payload);
    freed_since += block_bytes(block);
    block = release(block);
    if (options.coalesce == COALESCE_NOW)
        give_region(block);
}

/* ---- taking ---- */

/* The memory from `start` to the region's end, but for the last fence, becomes a free block. */
static struct block *arrange(struct region *region, char *start)
{
    struct block *block = (struct block *)start;
    size_t bytes = (size_t)(region_end(region) - TAG_BYTES - start);
    block_set(block, bytes, TAG_USED);
    block_after(block)->tag = FENCE;
    return release(block);
}

/* More memory from the system: a free block of at least `bytes` at the end of the heap. */
static struct block *grow(size_t bytes)
{
    size_t least = region_first || !options.set_aside ? options.growth : options.set_aside;
    struct region *region = region_first;
    while (region && region->next)
        region = region->next;
    if (region && region_is_top(region)) {
        char *fence = region_end(region) - TAG_BYTES;
        if (region_extend(region, bytes > least ? bytes : least))
            return arrange(region, fence);
    }
    bytes += REGION_COST;
    region = region_take(bytes > least ? bytes : least);
    if (!region)
        return NULL;
    *(size_t *)region_start(region) = FENCE;
    return arrange(region, (char *)first_block(region));
}

static struct block *find_or_grow(size_t bytes)
{
    struct block *block = list_find(bytes);
    if (!block && options.coalesce == COALESCE_DEFERRED && freed_since >= bytes) {
        merge_all();
        block = list_find(bytes);
    }
    if (block)
        return block;
    block = grow(bytes);
    return block && block_bytes(block) >= bytes ? block : NULL;
}

/* Makes `need` bytes of a free block used; what remains stays free in its place on the list. */
static void *place(struct block *block, size_t need)
{
    size_t rest = block_bytes(block) - need;
    if (rest < options.min_split) {
        list_remove(block);
        block_set(block, need + rest, TAG_USED);
    } else {
        struct block *remainder = (struct block *)((char *)block + need);
        unsigned class = list_class(need + rest);
        block_set(remainder, rest, 0);
        list_replace(block, remainder, class);
        block_set(block, need, TAG_USED);
        policy_counts.splits++;
    }
    return block_payload(block);
}

/*
 * A block is found that is large enough wherever in it the aligned payload must begin. What lies
 * before that becomes a free block by itself, so it has to be one: 32 bytes, or none at all.
 *
 *      | free ..................................... |
 *      | free, kept | tag | aligned payload  | rest |
 */
static struct block *cut_front(struct block *block, size_t align)
{
    uintptr_t payload = (uintptr_t)block_payload(block), aligned = round_up(payload, align);
    if (aligned != payload && aligned - payload < BLOCK_LEAST)
        aligned += align;
    size_t front = aligned - payload, rest = block_bytes(block) - front;
    if (front == 0)
        return block;
    struct block *back = (struct block *)((char *)block + front);
    list_remove(block);
    block_set(back, rest, TAG_USED);
    block_set(block, front, 0);
    list_insert(block, NULL);
    block_set(back, rest, 0);
    list_insert(back, NULL);
    policy_counts.splits++;
    return back;
}

static void *heap_take(size_t size, size_t align)
{
    size_t need = block_need(size);
    struct block *block = find_or_grow(align > ALIGNMENT ? need + align + BLOCK_LEAST : need);
    if (!block)
        return NULL;
    if (align > ALIGNMENT)
        block = cut_front(block, align);
    return place(block, need);
}

/* ---- changing ---- */

/* Gives back what a used block has above `need`, where that makes a block. */
static void trim(struct block *block, size_t need)
{
    size_t rest = block_bytes(block) - need;
    if (rest < options.min_split)
        return;
    block_set(block, need, TAG_USED);
    block_set(block_after(block), rest, TAG_USED);
    policy_counts.splits++;
    release(block_after(block));
}

static void take_in_after(struct block *block)
{
    struct block *after = block_after(block);
    list_remove(after);
    block_set(block, block_bytes(block) + block_bytes(after), TAG_USED);
    policy_counts.coalesces++;
}

/* The block before is free: the contents slide down into it. */
static struct block *take_in_before(struct block *block)
{
    struct block *before = block_before(block);
    size_t usable = block_usable(block), bytes = block_bytes(before) + block_bytes(block);
    list_remove(before);
    memmove(block_payload(before), block_payload(block), usable);
    block_set(before, bytes, TAG_USED);
    policy_counts.coalesces++;
    return before;
}

static void *heap_resize(void *payload, size_t size)
{
    struct block *block = block_of(payload);
    size_t need = block_need(size), bytes = block_bytes(block);
    struct block *after = block_after(block);
    size_t behind = block_is_used(after) ? 0 : block_bytes(after);
    size_t before = block_tag_before(block);
    before = before & TAG_USED ? 0 : before & ~TAG_FLAGS;
    if (bytes < need) {
        if (bytes + behind + before < need)
            return NULL;
        if (behind && bytes + behind >= need) {
            take_in_after(block);
        } else {
            if (behind)
                take_in_after(block);
            block = take_in_before(block);
        }
    }
    trim(block, need);
    return block_payload(block);
}

static size_t heap_usable(const void *payload)
{
    return block_usable(block_of(payload));
}

/* ---- looking ---- */

static void heap_walk(visit_block *visit, void *context)
{
    for (struct region *region = region_first; region; region = region->next)
        for (struct block *block = first_block(region); !(block->tag & TAG_FENCE);
             block = block_after(block))
            visit(context, region, (char *)block, block_bytes(block), block_usable(block),
                  block_is_used(block));
}

static void heap_walk_free(visit_free *visit, void *context)
{
    for (unsigned list = 0; list < list_count(); list++)
        for (struct block *block = list_first(list); block; block = list_next(list, block))
            visit(context, list, (char *)block, block_bytes(block));
}

/* One region: every tag, and how many blocks are free in it. */
static const char *check_region(const struct region *region, size_t *free_blocks)
{
    const char *end = region_end(region) - TAG_BYTES;
    const struct block *block = first_block(region);
    bool free_before = false;
    if (*(const size_t *)region_start(region) != FENCE)
        return "a region's first fence is damaged";
    for (; (const char *)block < end; block = block_after(block)) {
        size_t bytes = block_bytes(block);
        bool used = block_is_used(block);
        if (bytes < BLOCK_LEAST || bytes > (size_t)(end - (const char *)block))
            return "a block's size is impossible";
        if (*block_footer(block) != block->tag)
            return "a block's footer is not its tag";
        if (!used && free_before && options.coalesce == COALESCE_NOW)
            return "two free blocks lie side by side";
        free_before = !used;
        *free_blocks += !used;
    }
    return (const char *)block != end || block->tag != FENCE ? "a region's last fence is damaged"
                                                             : NULL;
}

static const char *heap_check(void)
{
    size_t free_blocks = 0, listed = 0;
    for (const struct region *region = region_first; region; region = region->next) {
        const char *wrong = check_region(region, &free_blocks);
        if (wrong)
            return wrong;
    }
    for (unsigned list = 0; list < list_count(); list++) {
        const struct block *before = NULL;
        for (const struct block *block = list_first(list); block; block = list_next(list, block)) {
            if (block_is_used(block))
                return "a used block is on a free list";
            if (list_class(block_bytes(block)) != list)
                return "a block is on the list of another class";
            if (before &&
                (block->prev != before || (options.order == ORDER_ADDRESS && before > block)))
                return "a free list is out of order";
            before = block;
            if (++listed > free_blocks)
                return "a free list has more blocks than are free";
        }
    }
    return listed != free_blocks ? "a free block is on no list" : NULL;
}

const struct policy heap_policy = {heap_begin,  heap_take, heap_give,      heap_resize,
                                   heap_usable, heap_walk, heap_walk_free, heap_check};
