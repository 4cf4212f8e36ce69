#include "analysis/heap_pages.h"

static bool is_heap(const struct heap_range *mapping)
{
    return (mapping->flags & HEAP_WRITE) && !(mapping->flags & HEAP_FILE);
}

/* The part that mapping and run share; false: they share none. */
static bool common(const struct heap_range *mapping, const struct heap_range *run, uint64_t from,
                   struct heap_range *ret)
{
    ret->start = mapping->start > run->start ? mapping->start : run->start;
    ret->start = from > ret->start ? from : ret->start;
    ret->end = mapping->end < run->end ? mapping->end : run->end;
    return ret->start < ret->end;
}

/* As heap_stretch_next(), one run at most. */
static bool part_next(const struct heap_snapshot *snapshot, struct heap_stretches *cursor,
                      struct heap_range *ret)
{
    while (cursor->mapping < snapshot->head.mappings && cursor->run < snapshot->head.runs) {
        const struct heap_range *mapping = &snapshot->mappings[cursor->mapping];
        const struct heap_range *run = &snapshot->runs[cursor->run];
        bool there = is_heap(mapping) && common(mapping, run, cursor->at, ret);
        if (mapping->end <= run->end)
            cursor->mapping++;
        else
            cursor->run++;
        if (there) {
            cursor->at = ret->end;
            return true;
        }
    }
    return false;
}

bool heap_stretch_next(const struct heap_snapshot *snapshot, struct heap_stretches *cursor,
                       struct heap_range *ret)
{
    if (!part_next(snapshot, cursor, ret))
        return false;
    for (;;) {
        struct heap_stretches ahead = *cursor;
        struct heap_range more;
        if (!part_next(snapshot, &ahead, &more) || more.start != ret->end)
            return true;
        ret->end = more.end;
        *cursor = ahead;
    }
}

/* The blocks of the page, and what they have of it. *first: the first that may reach this far. */
static struct heap_page look_at(const struct heap_snapshot *snapshot, uint64_t address,
                                size_t *first)
{
    const struct heap_block *blocks = snapshot->blocks;
    size_t count = (size_t)snapshot->head.blocks;
    while (*first < count && blocks[*first].address + heap_block_extent(&blocks[*first]) <= address)
        ++*first;
    struct heap_page page = {.address = address, .first = *first, .end = *first};
    for (; page.end < count && blocks[page.end].address < address + HEAP_PAGE; page.end++) {
        const struct heap_block *block = &blocks[page.end];
        page.live_bytes += heap_page_part(address, block->address, block->requested);
        page.held_bytes += heap_page_part(address, block->address, heap_block_extent(block));
    }
    return page;
}

void heap_pages_each(const struct heap_snapshot *snapshot, heap_page_visit *visit, void *context)
{
    struct heap_stretches cursor = {0};
    struct heap_range stretch;
    size_t first = 0;
    while (part_next(snapshot, &cursor, &stretch))
        for (uint64_t at = stretch.start; at < stretch.end; at += HEAP_PAGE) {
            struct heap_page page = look_at(snapshot, at, &first);
            visit(&page, context);
        }
}
