/*
 * The resident pages of a snapshot, lowest first, each with the live blocks that lie on it. Looked
 * at are pages of the allocator's writable mappings that are no file's: what it could give back.
 */
#ifndef HEAPTAPE_ANALYSIS_HEAP_PAGES_H
#define HEAPTAPE_ANALYSIS_HEAP_PAGES_H

#include "analysis/heap_file.h"

struct heap_page {
    uint64_t address;
    uint64_t live_bytes; /* requested bytes of live blocks on it */
    uint64_t held_bytes; /* their usable bytes on it */
    size_t first, end;   /* those blocks, [first, end): with at least one usable byte on it */
};

typedef void heap_page_visit(const struct heap_page *page, void *context);

void heap_pages_each(const struct heap_snapshot *snapshot, heap_page_visit *visit, void *context);

/* What the block keeps from being given back: all that is usable, a byte at least. */
static inline uint64_t heap_block_extent(const struct heap_block *block)
{
    uint64_t bytes = block->usable > block->requested ? block->usable : block->requested;
    return bytes ? bytes : 1;
}

/* How many of the `bytes` from `address` on lie on the page. */
static inline uint64_t heap_page_part(uint64_t page, uint64_t address, uint64_t bytes)
{
    uint64_t start = address > page ? address : page;
    uint64_t end = address + bytes < page + HEAP_PAGE ? address + bytes : page + HEAP_PAGE;
    return end > start ? end - start : 0;
}

/*
 * The stretches of those mappings that are resident, as long as can be: a stretch ends where the
 * next page is not resident or another mapping begins. [start, end) into ret; false: no more. Begin
 * with a zeroed cursor.
 */
struct heap_stretches {
    uint64_t mapping, run, at;
};
bool heap_stretch_next(const struct heap_snapshot *snapshot, struct heap_stretches *cursor,
                       struct heap_range *ret);

#endif
