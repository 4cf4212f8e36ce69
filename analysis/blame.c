#include "analysis/blame.h"

#include <stdlib.h>
#include <string.h>

struct blaming {
    const struct heap_snapshot *snapshot;
    uint64_t limit_bytes;
    struct blame_pages sum;
    struct blame_list *list;
    uint64_t *seen_on; /* by group: the page that it was seen on last, plus 1 */
    size_t next_block; /* blocks before it are counted on a sparse page already */
};

static bool is_sparse(const struct blaming *blaming, const struct heap_page *page)
{
    return page->first < page->end && page->live_bytes < blaming->limit_bytes;
}

/* ---- the pages ---------------------------------------------------------------------------------
 */

static void sum_page(const struct heap_page *page, void *context)
{
    struct blaming *blaming = context;
    struct blame_pages *sum = &blaming->sum;
    sum->pages++;
    sum->live_bytes += page->live_bytes;
    sum->empty_pages += page->first == page->end;
    sum->under_tenth_pages += page->live_bytes * 10 < HEAP_PAGE;
    sum->under_quarter_pages += page->live_bytes * 4 < HEAP_PAGE;
    if (!is_sparse(blaming, page))
        return;
    sum->sparse_pages++;
    sum->sparse_live_bytes += page->live_bytes;
    size_t first = page->first > blaming->next_block ? page->first : blaming->next_block;
    if (page->end > first) {
        sum->sparse_blocks += page->end - first;
        blaming->next_block = page->end;
    }
}

struct blame_pages blame_pages(const struct heap_snapshot *snapshot, uint64_t limit_bytes)
{
    struct blaming blaming = {.snapshot = snapshot, .limit_bytes = limit_bytes};
    heap_pages_each(snapshot, sum_page, &blaming);
    return blaming.sum;
}

/* ---- who is on them ----------------------------------------------------------------------------
 */

static struct blame_group *group_of(const struct blaming *blaming, size_t block)
{
    return &blaming->list->groups[blaming->list->group_of[block]];
}

/* The block is on a sparse page. Pages come lowest first, so a block's first one counts it. */
static void count_sparse(struct blaming *blaming, const struct heap_page *page, size_t at,
                         bool new_here)
{
    const struct heap_block *block = &blaming->snapshot->blocks[at];
    struct blame_group *group = group_of(blaming, at);
    uint64_t live = heap_page_part(page->address, block->address, block->requested);
    uint64_t held = heap_page_part(page->address, block->address, heap_block_extent(block));
    group->sparse_live_bytes += live;
    group->sparse_pages += new_here;
    if (at >= blaming->next_block) {
        group->sparse_blocks++;
        blaming->next_block = at + 1;
    }
    double share = page->live_bytes ? (double)live / (double)page->live_bytes
                                    : (double)held / (double)page->held_bytes;
    group->share_bytes += share * (double)HEAP_PAGE;
}

static void blame_page(const struct heap_page *page, void *context)
{
    struct blaming *blaming = context;
    bool sparse = is_sparse(blaming, page);
    uint32_t groups = 0;
    for (size_t at = page->first; at < page->end; at++) {
        uint64_t *seen = &blaming->seen_on[blaming->list->group_of[at]];
        bool new_here = *seen != page->address + 1;
        *seen = page->address + 1;
        groups += new_here;
        if (sparse)
            count_sparse(blaming, page, at, new_here);
    }
    if (groups != 1)
        return;
    struct blame_group *group = group_of(blaming, page->first);
    group->alone_any_pages++;
    if (sparse) {
        group->alone_pages++;
        group->alone_held_bytes += page->held_bytes;
    }
}

/* A sparse page is free once the least blamed of its groups is gone. */
static void count_together(const struct heap_page *page, void *context)
{
    struct blaming *blaming = context;
    uint32_t last = 0;
    if (!is_sparse(blaming, page))
        return;
    for (size_t at = page->first; at < page->end; at++)
        if (blaming->list->group_of[at] > last)
            last = blaming->list->group_of[at];
    blaming->list->groups[last].together_pages++;
}

/* ---- groups ------------------------------------------------------------------------------------
 */

static int compare_keys(const void *first, const void *second)
{
    uint64_t a = *(const uint64_t *)first, b = *(const uint64_t *)second;
    return a < b ? -1 : a > b;
}

/* One group for each key that there is, lowest key first. */
static bool make_groups(struct blame_list *list, const uint64_t *keys, size_t blocks)
{
    uint64_t *sorted = malloc((blocks + 1) * sizeof *sorted);
    list->group_of = malloc((blocks + 1) * sizeof *list->group_of);
    if (!sorted || !list->group_of) {
        free(sorted);
        return false;
    }
    memcpy(sorted, keys, blocks * sizeof *sorted);
    qsort(sorted, blocks, sizeof *sorted, compare_keys);
    size_t count = 0;
    for (size_t i = 0; i < blocks; i++)
        if (!count || sorted[count - 1] != sorted[i])
            sorted[count++] = sorted[i];
    list->groups = calloc(count + 1, sizeof *list->groups);
    for (size_t i = 0; list->groups && i < count; i++)
        list->groups[i] = (struct blame_group){.key = sorted[i], .size_min = UINT64_MAX};
    for (size_t i = 0; list->groups && i < blocks; i++) {
        const uint64_t *found = bsearch(&keys[i], sorted, count, sizeof *sorted, compare_keys);
        list->group_of[i] = (uint32_t)(found - sorted);
    }
    list->count = (uint32_t)count;
    free(sorted);
    return list->groups;
}

static void count_blocks(struct blaming *blaming)
{
    for (size_t i = 0; i < blaming->snapshot->head.blocks; i++) {
        struct blame_group *group = group_of(blaming, i);
        uint64_t size = blaming->snapshot->blocks[i].requested;
        group->blocks++;
        group->live_bytes += size;
        group->size_min = size < group->size_min ? size : group->size_min;
        group->size_max = size > group->size_max ? size : group->size_max;
    }
}

static int compare_by_alone(const void *first, const void *second)
{
    const struct blame_group *a = first, *b = second;
    if (a->alone_pages != b->alone_pages)
        return a->alone_pages < b->alone_pages ? 1 : -1;
    if (a->share_bytes < b->share_bytes || a->share_bytes > b->share_bytes)
        return a->share_bytes < b->share_bytes ? 1 : -1;
    return compare_keys(&a->key, &b->key);
}

static int compare_by_share(const void *first, const void *second)
{
    const struct blame_group *a = first, *b = second;
    if (a->share_bytes < b->share_bytes || a->share_bytes > b->share_bytes)
        return a->share_bytes < b->share_bytes ? 1 : -1;
    return compare_by_alone(first, second);
}

/* Most blamed first; blocks keep pointing at their groups. */
static bool rank(struct blame_list *list, size_t blocks, enum blame_order order)
{
    uint32_t *place = malloc((list->count + (size_t)1) * sizeof *place);
    if (!place)
        return false;
    /* While they are sorted, together_pages remembers where each was. */
    for (uint32_t i = 0; i < list->count; i++)
        list->groups[i].together_pages = i;
    qsort(list->groups, list->count, sizeof *list->groups,
          order == BLAME_BY_ALONE ? compare_by_alone : compare_by_share);
    for (uint32_t i = 0; i < list->count; i++) {
        place[list->groups[i].together_pages] = i;
        list->groups[i].together_pages = 0;
    }
    for (size_t i = 0; i < blocks; i++)
        list->group_of[i] = place[list->group_of[i]];
    free(place);
    return true;
}

bool blame_groups(const struct heap_snapshot *snapshot, uint64_t limit_bytes, const uint64_t *keys,
                  enum blame_order order, struct blame_list *ret)
{
    size_t blocks = (size_t)snapshot->head.blocks;
    struct blaming blaming = {.snapshot = snapshot, .limit_bytes = limit_bytes, .list = ret};
    *ret = (struct blame_list){0};
    bool done = make_groups(ret, keys, blocks);
    if (done) {
        blaming.seen_on = calloc(ret->count + (size_t)1, sizeof *blaming.seen_on);
        done = blaming.seen_on;
    }
    if (done) {
        count_blocks(&blaming);
        heap_pages_each(snapshot, blame_page, &blaming);
        done = rank(ret, blocks, order);
    }
    free(blaming.seen_on);
    if (!done) {
        blame_list_free(ret);
        return false;
    }
    heap_pages_each(snapshot, count_together, &blaming);
    for (uint32_t i = 1; i < ret->count; i++)
        ret->groups[i].together_pages += ret->groups[i - 1].together_pages;
    return true;
}

void blame_list_free(struct blame_list *list)
{
    free(list->groups);
    free(list->group_of);
    *list = (struct blame_list){0};
}
