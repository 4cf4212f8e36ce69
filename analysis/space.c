#include "analysis/space.h"

#include <stddef.h>

#include "analysis/grow.h"
#include "analysis/space_lists.h"

#define HOLES_FIRST 4096u

_Static_assert(sizeof(struct space_hole) == 32, "two a cache line");

/* Keys of the map. Offsets are multiples of 8. */
static uint64_t start_key(uint64_t offset)
{
    return offset | 1;
}

static uint64_t end_key(uint64_t offset)
{
    return offset | 2;
}

/* ---- holes -------------------------------------------------------------------------------------
 */

bool space_init(struct space *space, enum space_fit fit)
{
    *space = (struct space){.fit = fit};
    return space_lists_init(space);
}

void space_end(struct space *space)
{
    grow_free(space->holes, space->hole_capacity * sizeof *space->holes);
    hole_map_end(&space->ends);
    space_lists_end(space);
    *space = (struct space){0};
}

/* Enters the hole wherever it can be found. There is room. */
static void enter(struct space *s, uint32_t id)
{
    const struct space_hole *hole = &s->holes[id];
    hole_map_add(&s->ends, start_key(hole->offset), id);
    hole_map_add(&s->ends, end_key(hole->offset + hole->bytes), id);
    space_lists_add(s, id);
}

static void leave(struct space *s, uint32_t id)
{
    const struct space_hole *hole = &s->holes[id];
    hole_map_remove(&s->ends, start_key(hole->offset));
    hole_map_remove(&s->ends, end_key(hole->offset + hole->bytes));
    space_lists_remove(s, id);
}

/* It has left. */
static void discard(struct space *s, uint32_t id)
{
    s->holes[id].bytes = 0;
    s->holes[id].next = s->unused;
    s->unused = id;
}

/* 0 where there is no memory. */
static uint32_t new_hole(struct space *s)
{
    uint32_t id = s->unused;
    if (id) {
        s->unused = s->holes[id].next;
        return id;
    }
    if (s->hole_count + 1 >= s->hole_capacity) {
        uint64_t more = s->hole_capacity ? 2 * (uint64_t)s->hole_capacity : HOLES_FIRST;
        if (more > UINT32_MAX ||
            !grow_table((void **)&s->holes, s->hole_capacity * sizeof *s->holes,
                        more * sizeof *s->holes))
            return 0;
        s->hole_capacity = (uint32_t)more;
    }
    return ++s->hole_count;
}

/* ---- taking and giving -------------------------------------------------------------------------
 */

/* Enters what is free; nothing where it is empty. Room in the map is reserved. False: no memory. */
static bool add(struct space *s, uint64_t offset, uint64_t bytes)
{
    uint32_t id = bytes ? new_hole(s) : 0;
    if (!id)
        return !bytes;
    s->holes[id].offset = offset;
    s->holes[id].bytes = bytes;
    enter(s, id);
    return true;
}

static bool take_from_top(struct space *s, uint64_t bytes, uint64_t *ret_offset)
{
    uint64_t top = s->top, last = SPACE_GRANULE - 1;
    *ret_offset = bytes < SPACE_GRANULE ? top : (top + last) & ~last;
    s->top = *ret_offset + bytes;
    return add(s, top, *ret_offset - top);
}

bool space_take(struct space *space, uint64_t bytes, uint64_t *ret_offset)
{
    bool half = bytes < SPACE_GRANULE;
    uint32_t id = half ? space->halves : 0;
    if (!id)
        id = space_lists_find(space, half ? SPACE_GRANULE : bytes);
    if (!hole_map_reserve(&space->ends, 4))
        return false;
    if (!id)
        return take_from_top(space, bytes, ret_offset);
    struct space_hole hole = space->holes[id];
    uint64_t last = SPACE_GRANULE - 1, end = hole.offset + hole.bytes;
    *ret_offset = half ? hole.offset : (hole.offset + last) & ~last;
    leave(space, id);
    discard(space, id);
    return add(space, hole.offset, *ret_offset - hole.offset) &&
           add(space, *ret_offset + bytes, end - *ret_offset - bytes);
}

bool space_give(struct space *space, uint64_t offset, uint64_t bytes)
{
    if (!bytes)
        return true;
    if (!hole_map_reserve(&space->ends, 2))
        return false;
    uint32_t before = hole_map_get(&space->ends, end_key(offset));
    uint32_t behind = hole_map_get(&space->ends, start_key(offset + bytes));
    if (before) {
        leave(space, before);
        offset = space->holes[before].offset;
        bytes += space->holes[before].bytes;
        discard(space, before);
    }
    if (behind) {
        leave(space, behind);
        bytes += space->holes[behind].bytes;
        discard(space, behind);
    }
    if (offset + bytes == space->top) { /* then nothing lies behind */
        space->top = offset;
        return true;
    }
    return add(space, offset, bytes);
}
