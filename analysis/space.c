#include "analysis/space.h"

#include <assert.h>
#include <stddef.h>

#include "analysis/grow.h"

#define HOLES_FIRST 4096u

/* The two treaps. */
enum tree { BY_ADDRESS, BY_LENGTH };

struct space_hole {
    uint64_t offset, bytes;
    uint64_t longest; /* by address, first fit alone: of this one and all below it */
    struct {
        uint32_t left, right;
    } below[2];
    uint32_t priority; /* not less than those below it, in both */
};

/* ---- treaps ------------------------------------------------------------------------------------
 */

static uint64_t longest(const struct space *s, uint32_t node)
{
    return node == 0 ? 0 : s->holes[node].longest;
}

static void pull(struct space *s, enum tree tree, uint32_t node)
{
    struct space_hole *hole = &s->holes[node];
    if (tree == BY_LENGTH || s->fit == SPACE_BEST_FIT)
        return;
    uint64_t left = longest(s, hole->below[tree].left);
    uint64_t right = longest(s, hole->below[tree].right);
    uint64_t most = left > hole->bytes ? left : hole->bytes;
    hole->longest = right > most ? right : most;
}

/* Whether the node stands before a hole at that place and of that length. */
static bool is_before(const struct space *s, enum tree tree, uint32_t node, uint64_t offset,
                      uint64_t bytes)
{
    const struct space_hole *hole = &s->holes[node];
    if (tree == BY_LENGTH && hole->bytes != bytes)
        return hole->bytes < bytes;
    return hole->offset < offset;
}

/* All of `a` stands before all of `b`. */
static uint32_t merge(struct space *s, enum tree tree, uint32_t a, uint32_t b)
{
    if (a == 0 || b == 0)
        return a == 0 ? b : a;
    uint32_t root = s->holes[a].priority > s->holes[b].priority ? a : b;
    struct space_hole *hole = &s->holes[root];
    if (root == a)
        hole->below[tree].right = merge(s, tree, hole->below[tree].right, b);
    else
        hole->below[tree].left = merge(s, tree, a, hole->below[tree].left);
    pull(s, tree, root);
    return root;
}

/* *ret_a gets what stands before such a hole, *ret_b the rest. */
static void split(struct space *s, enum tree tree, uint32_t node, uint64_t offset, uint64_t bytes,
                  uint32_t *ret_a, uint32_t *ret_b)
{
    if (node == 0) {
        *ret_a = *ret_b = 0;
        return;
    }
    struct space_hole *hole = &s->holes[node];
    if (is_before(s, tree, node, offset, bytes)) {
        split(s, tree, hole->below[tree].right, offset, bytes, &hole->below[tree].right, ret_b);
        *ret_a = node;
    } else {
        split(s, tree, hole->below[tree].left, offset, bytes, ret_a, &hole->below[tree].left);
        *ret_b = node;
    }
    pull(s, tree, node);
}

/* Takes the node out of the subtree; returns its new root. */
static uint32_t erase(struct space *s, enum tree tree, uint32_t root, uint32_t node)
{
    struct space_hole *hole = &s->holes[root];
    assert(root != 0);
    if (root == node)
        return merge(s, tree, hole->below[tree].left, hole->below[tree].right);
    if (is_before(s, tree, root, s->holes[node].offset, s->holes[node].bytes))
        hole->below[tree].right = erase(s, tree, hole->below[tree].right, node);
    else
        hole->below[tree].left = erase(s, tree, hole->below[tree].left, node);
    pull(s, tree, root);
    return root;
}

/* A node that is in no treap of lengths yet, or no more. */
static void insert_length(struct space *s, uint32_t node)
{
    struct space_hole *hole = &s->holes[node];
    uint32_t shorter, longer;
    if (s->fit != SPACE_BEST_FIT)
        return;
    hole->below[BY_LENGTH].left = hole->below[BY_LENGTH].right = 0;
    split(s, BY_LENGTH, s->root[BY_LENGTH], hole->offset, hole->bytes, &shorter, &longer);
    s->root[BY_LENGTH] = merge(s, BY_LENGTH, merge(s, BY_LENGTH, shorter, node), longer);
}

static void erase_length(struct space *s, uint32_t node)
{
    if (s->fit == SPACE_BEST_FIT)
        s->root[BY_LENGTH] = erase(s, BY_LENGTH, s->root[BY_LENGTH], node);
}

/* ---- nodes -------------------------------------------------------------------------------------
 */

void space_init(struct space *space, enum space_fit fit)
{
    *space = (struct space){.fit = fit, .random = 1};
}

void space_end(struct space *space)
{
    grow_free(space->holes, space->hole_capacity * sizeof *space->holes);
    *space = (struct space){0};
}

static void discard(struct space *s, uint32_t node)
{
    s->holes[node].below[BY_ADDRESS].left = s->unused;
    s->unused = node;
}

/* A node that is one hole; 0 where there is no memory. */
static uint32_t new_hole(struct space *s, uint64_t offset, uint64_t bytes)
{
    uint32_t node = s->unused;

    if (node != 0) {
        s->unused = s->holes[node].below[BY_ADDRESS].left;
    } else {
        if (s->hole_count + 1 >= s->hole_capacity) {
            uint64_t more = s->hole_capacity == 0 ? HOLES_FIRST : 2 * s->hole_capacity;
            if (more > UINT32_MAX ||
                !grow_table((void **)&s->holes, s->hole_capacity * sizeof *s->holes,
                            more * sizeof *s->holes))
                return 0;
            s->hole_capacity = more;
        }
        node = (uint32_t)++s->hole_count;
    }
    s->random = s->random * 1664525u + 1013904223u;
    s->holes[node] = (struct space_hole){
        .offset = offset, .bytes = bytes, .longest = bytes, .priority = s->random};
    return node;
}

/* ---- taking ------------------------------------------------------------------------------------
 */

/* From the first hole of the subtree, which has one long enough; returns its new root. */
static uint32_t take_first(struct space *s, uint32_t node, uint64_t bytes, uint64_t *ret_offset)
{
    struct space_hole *hole = &s->holes[node];

    if (longest(s, hole->below[BY_ADDRESS].left) >= bytes) {
        hole->below[BY_ADDRESS].left =
            take_first(s, hole->below[BY_ADDRESS].left, bytes, ret_offset);
    } else if (hole->bytes >= bytes) {
        *ret_offset = hole->offset;
        hole->offset += bytes;
        hole->bytes -= bytes;
        if (hole->bytes == 0) {
            uint32_t rest =
                merge(s, BY_ADDRESS, hole->below[BY_ADDRESS].left, hole->below[BY_ADDRESS].right);
            discard(s, node);
            return rest;
        }
    } else {
        hole->below[BY_ADDRESS].right =
            take_first(s, hole->below[BY_ADDRESS].right, bytes, ret_offset);
    }
    pull(s, BY_ADDRESS, node);
    return node;
}

/* The shortest that is long enough, 0 where there is none. */
static uint32_t best(const struct space *s, uint64_t bytes)
{
    uint32_t found = 0;
    for (uint32_t node = s->root[BY_LENGTH]; node != 0;) {
        const struct space_hole *hole = &s->holes[node];
        if (hole->bytes >= bytes) {
            found = node;
            node = hole->below[BY_LENGTH].left;
        } else {
            node = hole->below[BY_LENGTH].right;
        }
    }
    return found;
}

static uint64_t take_from(struct space *s, uint32_t node, uint64_t bytes)
{
    struct space_hole *hole = &s->holes[node];
    uint64_t offset = hole->offset;
    erase_length(s, node);
    if (hole->bytes == bytes) {
        s->root[BY_ADDRESS] = erase(s, BY_ADDRESS, s->root[BY_ADDRESS], node);
        discard(s, node);
        return offset;
    }
    hole->offset += bytes; /* its neighbours in the treap by address stay what they are */
    hole->bytes -= bytes;
    insert_length(s, node);
    return offset;
}

uint64_t space_take(struct space *space, uint64_t bytes)
{
    uint64_t offset = space->top;
    uint32_t node = space->fit == SPACE_BEST_FIT ? best(space, bytes) : 0;
    if (node != 0)
        return take_from(space, node, bytes);
    if (space->fit == SPACE_FIRST_FIT && longest(space, space->root[BY_ADDRESS]) >= bytes)
        space->root[BY_ADDRESS] = take_first(space, space->root[BY_ADDRESS], bytes, &offset);
    else
        space->top += bytes;
    return offset;
}

/* ---- giving back -------------------------------------------------------------------------------
 */

/* The last hole of the treap by address is taken out and added where it ends at `offset`. */
static uint32_t absorb_before(struct space *s, uint32_t tree, uint64_t *offset, uint64_t *bytes)
{
    uint32_t last = tree;

    while (last != 0 && s->holes[last].below[BY_ADDRESS].right != 0)
        last = s->holes[last].below[BY_ADDRESS].right;
    if (last == 0 || s->holes[last].offset + s->holes[last].bytes != *offset)
        return tree;
    uint32_t rest = erase(s, BY_ADDRESS, tree, last);
    erase_length(s, last);
    *offset -= s->holes[last].bytes;
    *bytes += s->holes[last].bytes;
    discard(s, last);
    return rest;
}

/* The first one, where it begins at the end of those bytes. */
static uint32_t absorb_behind(struct space *s, uint32_t tree, uint64_t offset, uint64_t *bytes)
{
    uint32_t first = tree;

    while (first != 0 && s->holes[first].below[BY_ADDRESS].left != 0)
        first = s->holes[first].below[BY_ADDRESS].left;
    if (first == 0 || s->holes[first].offset != offset + *bytes)
        return tree;
    uint32_t rest = erase(s, BY_ADDRESS, tree, first);
    erase_length(s, first);
    *bytes += s->holes[first].bytes;
    discard(s, first);
    return rest;
}

bool space_give(struct space *space, uint64_t offset, uint64_t bytes)
{
    uint32_t before, behind;

    if (bytes == 0)
        return true;
    split(space, BY_ADDRESS, space->root[BY_ADDRESS], offset, 0, &before, &behind);
    before = absorb_before(space, before, &offset, &bytes);
    behind = absorb_behind(space, behind, offset, &bytes);
    if (offset + bytes == space->top) { /* then nothing lies behind */
        space->top = offset;
        space->root[BY_ADDRESS] = before;
        return true;
    }
    uint32_t hole = new_hole(space, offset, bytes);
    if (hole != 0) {
        before = merge(space, BY_ADDRESS, before, hole);
        insert_length(space, hole);
    }
    space->root[BY_ADDRESS] = merge(space, BY_ADDRESS, before, behind);
    return hole != 0;
}
