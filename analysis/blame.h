/*
 * Blame: who keeps nearly empty pages resident. A page is sparse where it has live blocks and their
 * requested bytes fill less than a share of it (25 % unless told otherwise). Blocks are put into
 * groups by a key (call site, size, lane, age); for each group it is counted what it has on sparse
 * pages, and which of those pages it alone pins: with the group gone nothing live would be on them.
 * Formulas in METRICS.md, "Blame". Memory: 12 bytes a block beside the snapshot. One thread.
 */
#ifndef HEAPTAPE_ANALYSIS_BLAME_H
#define HEAPTAPE_ANALYSIS_BLAME_H

#include "analysis/heap_pages.h"

struct blame_group {
    uint64_t key;
    uint64_t live_bytes, blocks;               /* wherever they lie, resident or not */
    uint64_t size_min, size_max;               /* requested bytes of its blocks */
    uint64_t sparse_live_bytes, sparse_blocks; /* on sparse pages */
    uint64_t sparse_pages;                     /* that it has something on */
    uint64_t alone_pages;                      /* ... and nobody else */
    uint64_t alone_held_bytes;                 /* usable bytes of its blocks on those */
    uint64_t alone_any_pages; /* pages of any occupancy that only it has something on */
    double share_bytes;       /* sparse pages, each split among its groups by their live bytes */
    uint64_t together_pages;  /* sparse pages that are free with this group and all above it gone */
};

struct blame_list {
    struct blame_group *groups; /* most blamed first */
    uint32_t count;
    uint32_t *group_of; /* by block */
};

/* What the pages are, whoever is on them. */
struct blame_pages {
    uint64_t pages;        /* resident */
    uint64_t empty_pages;  /* without any live block */
    uint64_t sparse_pages; /* with some, and less than the limit */
    uint64_t sparse_live_bytes, sparse_blocks;
    uint64_t under_tenth_pages, under_quarter_pages; /* less than 10, 25 % live, empty ones too */
    uint64_t live_bytes;                             /* on resident pages */
};

enum blame_order { BLAME_BY_ALONE, BLAME_BY_SHARE };

/* `limit_bytes`: a page with less live on it is sparse; 0 to 4096. */
struct blame_pages blame_pages(const struct heap_snapshot *snapshot, uint64_t limit_bytes);
/* Groups by `keys`, one a block. False: no memory. Else blame_list_free() in the end. */
bool blame_groups(const struct heap_snapshot *snapshot, uint64_t limit_bytes, const uint64_t *keys,
                  enum blame_order order, struct blame_list *ret);
void blame_list_free(struct blame_list *list);

/* Bytes of resident memory that would fall, were the group gone; or packed densely elsewhere. */
static inline uint64_t blame_gone_bytes(const struct blame_group *group)
{
    return group->alone_pages * HEAP_PAGE;
}
static inline uint64_t blame_moved_bytes(const struct blame_group *group)
{
    uint64_t packed = (group->alone_held_bytes + HEAP_PAGE - 1) / HEAP_PAGE * HEAP_PAGE;
    uint64_t gone = blame_gone_bytes(group);
    return gone > packed ? gone - packed : 0;
}

#endif
