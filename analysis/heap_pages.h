/*
 * The pages of a snapshot on which anything is resident, lowest first, each with the live blocks
 * that lie on it. Looked at are the allocator's writable mappings that are no file's: what it could
 * give back. A page is a stretch of addresses as long as asked for, at a multiple of its length:
 * 4 KiB as the kernel's, 2 MiB as a huge page, or whatever an allocator takes and gives back at
 * once. Of a large one only what is resident counts: all of it where it is a huge page.
 */
#ifndef HEAPTAPE_ANALYSIS_HEAP_PAGES_H
#define HEAPTAPE_ANALYSIS_HEAP_PAGES_H

#include "analysis/heap_file.h"

#define HEAP_PAGE_MAX (UINT64_C(1) << 30)

struct heap_page {
    uint64_t address;
    uint64_t resident_bytes;        /* of it, in those mappings */
    uint64_t huge_bytes;            /* of these, in huge pages */
    uint64_t live_bytes;            /* requested bytes of live blocks on its resident part */
    uint64_t held_bytes;            /* their usable bytes there */
    size_t first, end;              /* those blocks, [first, end), and such as have nothing there */
    const struct heap_range *parts; /* the resident part, lowest first; holds during the visit */
    size_t part_count;
};

typedef void heap_page_visit(const struct heap_page *page, void *context);

/* `page_bytes`: a power of two from HEAP_PAGE to HEAP_PAGE_MAX. False: no memory. */
bool heap_pages_each(const struct heap_snapshot *snapshot, uint64_t page_bytes,
                     heap_page_visit *visit, void *context);
/* How many of the `bytes` from `address` on lie on the page's resident part. */
uint64_t heap_page_part(const struct heap_page *page, uint64_t address, uint64_t bytes);

/* What the block keeps from being given back: all that is usable, a byte at least. */
static inline uint64_t heap_block_extent(const struct heap_block *block)
{
    uint64_t bytes = block->usable > block->requested ? block->usable : block->requested;
    return bytes ? bytes : 1;
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
