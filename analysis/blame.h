/*
 * Blame: who keeps nearly empty pages resident. A page is sparse where it has live blocks and their
 * requested bytes fill less than a share (25 % unless told otherwise) of what of it is resident:
 * all of a page of 4 KiB or of a huge page, some of any other stretch of addresses that is asked
 * for (heap_pages.h). Blocks are put into groups by a key (call site, size, lane, age); for each
 * group it is counted what it has on sparse pages, and which of those pages it alone pins: with the
 * group gone nothing live would be on them. Formulas in METRICS.md, "Blame". Memory: 12 bytes a
 * block beside the snapshot. One thread.
 */
#ifndef HEAPTAPE_ANALYSIS_BLAME_H
#define HEAPTAPE_ANALYSIS_BLAME_H

#include "analysis/heap_pages.h"

struct blame_group {
    uint64_t key;
    uint64_t live_bytes, blocks;               /* wherever they lie, resident or not */
    uint64_t size_min, size_max;               /* requested bytes of its blocks */
    uint64_t sparse_live_bytes, sparse_blocks; /* on sparse pages */
    uint64_t touched_bytes;    /* resident, of sparse pages that it has something on */
    uint64_t alone_bytes;      /* ... and nobody else */
    uint64_t alone_held_bytes; /* usable bytes of its blocks on those */
    uint64_t alone_any_bytes;  /* of pages of any occupancy that only it has something on */
    double share_bytes;        /* sparse pages, each split among its groups by their live bytes */
    uint64_t together_bytes; /* sparse pages that are free with this group and all above it gone */
};

struct blame_list {
    struct blame_group *groups; /* most blamed first */
    uint32_t count;
    uint32_t *group_of; /* by block */
};

/* What the pages are, whoever is on them: resident bytes. */
struct blame_pages {
    uint64_t bytes;
    uint64_t huge_bytes;   /* in huge pages */
    uint64_t empty_bytes;  /* on pages without any live block */
    uint64_t sparse_bytes; /* on those with some, and less than the limit */
    uint64_t sparse_huge_bytes;
    uint64_t sparse_live_bytes, sparse_blocks;
    uint64_t under_tenth_bytes, under_quarter_bytes; /* less than 10, 25 % live, empty ones too */
    uint64_t live_bytes;
};

enum blame_order { BLAME_BY_ALONE, BLAME_BY_SHARE };

struct blame_rule {
    uint64_t page_bytes;    /* see heap_pages_each() */
    double sparse;          /* share of a page's resident bytes, 0 to 1: with less live on it it is
                               sparse */
    enum blame_order order; /* of the groups */
};

/* False: no memory. */
bool blame_pages(const struct heap_snapshot *snapshot, const struct blame_rule *rule,
                 struct blame_pages *ret);
/* Groups by `keys`, one a block. False: no memory. Else blame_list_free() in the end. */
bool blame_groups(const struct heap_snapshot *snapshot, const struct blame_rule *rule,
                  const uint64_t *keys, struct blame_list *ret);
void blame_list_free(struct blame_list *list);

/* Bytes of resident memory that would fall, were the group gone; or packed densely elsewhere. */
static inline uint64_t blame_gone_bytes(const struct blame_group *group)
{
    return group->alone_bytes;
}
static inline uint64_t blame_moved_bytes(const struct blame_group *group)
{
    uint64_t packed = (group->alone_held_bytes + HEAP_PAGE - 1) / HEAP_PAGE * HEAP_PAGE;
    return group->alone_bytes > packed ? group->alone_bytes - packed : 0;
}

#endif
