#include "analysis/packing.h"

#include <stddef.h>

#include "analysis/grow.h"

struct packing_block {
    uint64_t offset, bytes; /* bytes 0: not live */
};

struct packing_hole {
    uint64_t offset, bytes;
    uint64_t longest; /* of this one and all below it */
    uint32_t left, right;
    uint32_t priority; /* not less than those below it */
};

/* --- the treap --- */

static uint64_t longest(const struct packing *p, uint32_t node)
{
    return node == 0 ? 0 : p->holes[node].longest;
}

static void pull(struct packing *p, uint32_t node)
{
    struct packing_hole *hole = &p->holes[node];
    uint64_t most = hole->bytes, left = longest(p, hole->left), right = longest(p, hole->right);

    most = left > most ? left : most;
    hole->longest = right > most ? right : most;
}

/* All of `a` lies before all of `b`. */
static uint32_t merge(struct packing *p, uint32_t a, uint32_t b)
{
    if (a == 0 || b == 0)
        return a == 0 ? b : a;
    if (p->holes[a].priority > p->holes[b].priority) {
        p->holes[a].right = merge(p, p->holes[a].right, b);
        pull(p, a);
        return a;
    }
    p->holes[b].left = merge(p, a, p->holes[b].left);
    pull(p, b);
    return b;
}

/* *ret_a gets what starts before `offset`, *ret_b the rest. */
static void split(struct packing *p, uint32_t node, uint64_t offset, uint32_t *ret_a,
                  uint32_t *ret_b)
{
    if (node == 0) {
        *ret_a = *ret_b = 0;
    } else if (p->holes[node].offset < offset) {
        split(p, p->holes[node].right, offset, &p->holes[node].right, ret_b);
        *ret_a = node;
        pull(p, node);
    } else {
        split(p, p->holes[node].left, offset, ret_a, &p->holes[node].left);
        *ret_b = node;
        pull(p, node);
    }
}

static void discard(struct packing *p, uint32_t node)
{
    p->holes[node].left = p->unused;
    p->unused = node;
}

/* A node that is one hole; 0 where there is no memory. */
static uint32_t new_hole(struct packing *p, uint64_t offset, uint64_t bytes)
{
    uint32_t node = p->unused;

    if (node != 0) {
        p->unused = p->holes[node].left;
    } else {
        if (p->hole_count + 1 >= p->hole_capacity) {
            uint64_t more = p->hole_capacity == 0 ? 4096 : 2 * p->hole_capacity;
            if (more > UINT32_MAX ||
                !grow_table((void **)&p->holes, p->hole_capacity * sizeof *p->holes,
                            more * sizeof *p->holes))
                return 0;
            p->hole_capacity = more;
        }
        node = (uint32_t)++p->hole_count;
    }
    p->random = p->random * 1664525u + 1013904223u;
    p->holes[node] = (struct packing_hole){
        .offset = offset, .bytes = bytes, .longest = bytes, .priority = p->random};
    return node;
}

/* --- placing --- */

/* Takes `bytes` from the start of the first hole that has them; returns the subtree's new root. */
static uint32_t take_first(struct packing *p, uint32_t node, uint64_t bytes, uint64_t *ret_offset)
{
    struct packing_hole *hole = &p->holes[node];

    if (longest(p, hole->left) >= bytes) {
        hole->left = take_first(p, hole->left, bytes, ret_offset);
    } else if (hole->bytes >= bytes) {
        *ret_offset = hole->offset;
        hole->offset += bytes;
        hole->bytes -= bytes;
        if (hole->bytes == 0) {
            uint32_t rest = merge(p, hole->left, hole->right);
            discard(p, node);
            return rest;
        }
    } else {
        hole->right = take_first(p, hole->right, bytes, ret_offset);
    }
    pull(p, node);
    return node;
}

/* The hole of the treap that ends at `offset`, or starts there, is taken out and added. */
static uint32_t absorb_before(struct packing *p, uint32_t tree, uint64_t *offset, uint64_t *bytes)
{
    uint32_t last = tree, rest, alone;

    while (last != 0 && p->holes[last].right != 0)
        last = p->holes[last].right;
    if (last == 0 || p->holes[last].offset + p->holes[last].bytes != *offset)
        return tree;
    split(p, tree, p->holes[last].offset, &rest, &alone);
    *offset -= p->holes[alone].bytes;
    *bytes += p->holes[alone].bytes;
    discard(p, alone);
    return rest;
}

static uint32_t absorb_behind(struct packing *p, uint32_t tree, uint64_t offset, uint64_t *bytes)
{
    uint32_t first = tree, rest, alone;

    while (first != 0 && p->holes[first].left != 0)
        first = p->holes[first].left;
    if (first == 0 || p->holes[first].offset != offset + *bytes)
        return tree;
    split(p, tree, p->holes[first].offset + 1, &alone, &rest);
    *bytes += p->holes[alone].bytes;
    discard(p, alone);
    return rest;
}

static bool give(struct packing *p, uint64_t offset, uint64_t bytes)
{
    uint32_t before, behind;

    if (bytes == 0)
        return true;
    split(p, p->root, offset, &before, &behind);
    before = absorb_before(p, before, &offset, &bytes);
    behind = absorb_behind(p, behind, offset, &bytes);
    if (offset + bytes == p->top) { /* then nothing lies behind */
        p->top = offset;
        p->root = before;
        return true;
    }
    uint32_t hole = new_hole(p, offset, bytes);
    if (hole != 0)
        before = merge(p, before, hole);
    p->root = merge(p, before, behind);
    return hole != 0;
}

/* The lowest place for so many bytes; what alignment leaves before them is a hole again. */
static bool place(struct packing *p, uint64_t bytes, uint64_t align, uint64_t *ret_offset)
{
    uint64_t room = bytes + align - PACKING_GRANULE, offset;

    if (longest(p, p->root) >= room) {
        p->root = take_first(p, p->root, room, &offset);
    } else {
        offset = p->top;
        p->top += room;
    }
    uint64_t start = (offset + align - 1) & ~(align - 1), end = offset + room;
    *ret_offset = start;
    bool fine = give(p, start + bytes, end - start - bytes) && give(p, offset, start - offset);
    if (p->top > p->peak)
        p->peak = p->top;
    return fine;
}

/* --- events --- */

static uint64_t granules(uint64_t size)
{
    return size == 0 ? PACKING_GRANULE
                     : (size + PACKING_GRANULE - 1) & ~(uint64_t)(PACKING_GRANULE - 1);
}

static struct packing_block *block_of(struct packing *p, uint32_t object)
{
    if (object >= p->block_capacity) {
        size_t more = grow_count(p->block_capacity, object, 4096);
        if (!grow_table((void **)&p->blocks, p->block_capacity * sizeof *p->blocks,
                        more * sizeof *p->blocks))
            return NULL;
        p->block_capacity = more;
    }
    return &p->blocks[object];
}

void packing_init(struct packing *packing)
{
    *packing = (struct packing){.random = 1};
}

void packing_end(struct packing *packing)
{
    grow_free(packing->blocks, packing->block_capacity * sizeof *packing->blocks);
    grow_free(packing->holes, packing->hole_capacity * sizeof *packing->holes);
}

static bool leave(struct packing *p, struct packing_block *block)
{
    uint64_t bytes = block->bytes;

    block->bytes = 0;
    return give(p, block->offset, bytes);
}

/* Given back first, so that the new place may overlap the old one, as memmove could. */
static bool settle(struct packing *p, struct packing_block *block, uint64_t size,
                   unsigned align_log2)
{
    if (!leave(p, block))
        return false;
    uint64_t align = align_log2 > 4 ? (uint64_t)1 << align_log2 : PACKING_GRANULE;
    block->bytes = granules(size);
    return place(p, block->bytes, align, &block->offset);
}

bool packing_event(struct packing *packing, const struct tape_event *event)
{
    if (event->object == TAPE_NO_OBJECT)
        return true;
    struct packing_block *block = block_of(packing, event->object);
    if (!block)
        return false;
    if (tape_kind_allocates(event->kind))
        return settle(packing, block, event->size, event->align_log2);
    if (block->bytes == 0) /* damage before it */
        return true;
    if (event->kind == TAPE_REALLOC)
        return granules(event->size) == block->bytes || settle(packing, block, event->size, 0);
    return !tape_kind_frees(event->kind) || leave(packing, block);
}
