#include "analysis/heap_pages.h"

#include <stdlib.h>

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
    ret->flags = run->flags;
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

/* ---- pages -------------------------------------------------------------------------------------
 */

static uint64_t overlap(const struct heap_range *part, uint64_t start, uint64_t end)
{
    start = start > part->start ? start : part->start;
    end = end < part->end ? end : part->end;
    return end > start ? end - start : 0;
}

uint64_t heap_page_part(const struct heap_page *page, uint64_t address, uint64_t bytes)
{
    size_t low = 0, high = page->part_count;
    uint64_t sum = 0, end = address + bytes;
    while (low < high) { /* to the first part that ends behind the address */
        size_t middle = low + (high - low) / 2;
        if (page->parts[middle].end > address)
            high = middle;
        else
            low = middle + 1;
    }
    for (; low < page->part_count && page->parts[low].start < end; low++)
        sum += overlap(&page->parts[low], address, end);
    return sum;
}

/* Parts of pages are gathered here. `next` is what is left of the stretch that was read last. */
struct gathering {
    const struct heap_snapshot *snapshot;
    struct heap_stretches cursor;
    struct heap_range next, *parts;
    bool more;
    uint64_t page_bytes;
    size_t first; /* of the blocks: the first that may reach this far */
};

static void advance(struct gathering *gathering)
{
    gathering->more = part_next(gathering->snapshot, &gathering->cursor, &gathering->next);
}

/* The resident part of the page on which the next stretch begins. */
static struct heap_page gather(struct gathering *gathering)
{
    uint64_t address = gathering->next.start & ~(gathering->page_bytes - 1);
    uint64_t last = address | (gathering->page_bytes - 1); /* its end may be 2^64 */
    struct heap_page page = {.address = address, .parts = gathering->parts};
    while (gathering->more && gathering->next.start <= last) {
        struct heap_range part = gathering->next;
        part.end = part.end - 1 > last ? last + 1 : part.end;
        gathering->parts[page.part_count++] = part;
        page.resident_bytes += part.end - part.start;
        page.huge_bytes += part.flags & HEAP_RUN_HUGE ? part.end - part.start : 0;
        gathering->next.start = part.end;
        if (part.end == gathering->next.end)
            advance(gathering);
    }
    return page;
}

/* Its blocks, and what they have of it. */
static void look_at(struct gathering *gathering, struct heap_page *page)
{
    const struct heap_block *blocks = gathering->snapshot->blocks;
    size_t count = (size_t)gathering->snapshot->head.blocks, at = gathering->first;
    uint64_t last = page->address | (gathering->page_bytes - 1);
    while (at < count && blocks[at].address + heap_block_extent(&blocks[at]) <= page->address)
        at++;
    page->first = gathering->first = at;
    for (; at < count && blocks[at].address <= last; at++) {
        const struct heap_block *block = &blocks[at];
        page->live_bytes += heap_page_part(page, block->address, block->requested);
        page->held_bytes += heap_page_part(page, block->address, heap_block_extent(block));
    }
    page->end = at;
}

bool heap_pages_each(const struct heap_snapshot *snapshot, uint64_t page_bytes,
                     heap_page_visit *visit, void *context)
{
    /* A part is a page of 4 KiB at least. */
    struct gathering gathering = {.snapshot = snapshot, .page_bytes = page_bytes};
    gathering.parts = calloc((size_t)(page_bytes / HEAP_PAGE), sizeof *gathering.parts);
    if (!gathering.parts)
        return false;
    advance(&gathering);
    while (gathering.more) {
        struct heap_page page = gather(&gathering);
        look_at(&gathering, &page);
        visit(&page, context);
    }
    free(gathering.parts);
    return true;
}
