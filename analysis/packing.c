#include "analysis/packing.h"

#include <stddef.h>

#include "analysis/grow.h"

/* Of a block, and of its alignment: larger ones are no tape's. */
#define BYTES_MAX      (UINT64_C(1) << 56)
#define ALIGN_LOG2_MAX 55u
#define TOP_MAX        (SPACE_TOP_MAX / 2)

_Static_assert(TOP_MAX + BYTES_MAX + (UINT64_C(1) << ALIGN_LOG2_MAX) < SPACE_TOP_MAX,
               "what is taken at the top ends where the space has lists for it");

struct packing_block {
    uint64_t offset, bytes; /* bytes 0: not live */
};

/* A place for so many bytes; what alignment leaves around them is a hole again. */
static bool place(struct packing *p, uint64_t bytes, uint64_t align, uint64_t *ret_offset)
{
    uint64_t room = align > PACKING_GRANULE ? bytes + align - PACKING_GRANULE : bytes;
    uint64_t offset;
    if (!space_take(&p->space, room, &offset))
        return false;
    uint64_t end = offset + room, start = (offset + align - 1) & ~(align - 1);
    *ret_offset = start;
    bool fine = space_give(&p->space, start + bytes, end - start - bytes) &&
                space_give(&p->space, offset, start - offset);
    if (p->space.top > p->peak)
        p->peak = p->space.top;
    return fine;
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

bool packing_init(struct packing *packing, enum space_fit fit)
{
    *packing = (struct packing){0};
    return space_init(&packing->space, fit);
}

void packing_end(struct packing *packing)
{
    grow_free(packing->blocks, packing->block_capacity * sizeof *packing->blocks);
    space_end(&packing->space);
}

static bool leave(struct packing *p, struct packing_block *block)
{
    uint64_t bytes = block->bytes;

    block->bytes = 0;
    return space_give(&p->space, block->offset, bytes);
}

/* Given back first, so that the new place may overlap the old one, as memmove could. */
static bool settle(struct packing *p, struct packing_block *block, uint64_t size,
                   unsigned align_log2)
{
    if (!leave(p, block))
        return false;
    if (size > BYTES_MAX || align_log2 > ALIGN_LOG2_MAX || p->space.top > TOP_MAX)
        return true;
    block->bytes = packing_granules(size);
    if (align_log2 >= 4 && block->bytes < PACKING_GRANULE)
        block->bytes = PACKING_GRANULE;
    uint64_t align = block->bytes < PACKING_GRANULE ? SPACE_HALF : PACKING_GRANULE;
    if (align_log2 > 4)
        align = (uint64_t)1 << align_log2;
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
        return packing_granules(event->size) == block->bytes ||
               settle(packing, block, event->size, 0);
    return !tape_kind_frees(event->kind) || leave(packing, block);
}

void packing_expect(const struct packing *packing, const struct tape_event *event)
{
    if (event->object < packing->block_capacity)
        __builtin_prefetch(&packing->blocks[event->object], 1);
}
