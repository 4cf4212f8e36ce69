#include "analysis/blame.h"

#include <stdlib.h>
#include <string.h>

struct blaming {
    const struct heap_snapshot *snapshot;
    const struct blame_rule *rule;
    struct blame_pages sum;
    struct blame_list *list;
    uint64_t *seen_on; /* by group: the page that it was seen on last, plus 1 */
    size_t next_block; /* blocks before it are counted on a sparse page already */
};

static bool is_sparse(const struct blaming *blaming, const struct heap_page *page)
{
    double limit = blaming->rule->sparse * (double)page->resident_bytes + 0.5;
    return page->held_bytes && page->live_bytes < (uint64_t)limit;
}

/* Usable bytes of the block on the page's resident part; 0: it does not lie on it. */
static uint64_t block_part(const struct blaming *blaming, const struct heap_page *page, size_t at)
{
    const struct heap_block *block = &blaming->snapshot->blocks[at];
    return heap_page_part(page, block->address, heap_block_extent(block));
}

/* ---- the pages ---------------------------------------------------------------------------------
 */

/* Pages come lowest first, so a block's first sparse one counts it. */
static uint64_t new_blocks(struct blaming *blaming, const struct heap_page *page)
{
    uint64_t count = 0;
    size_t at = page->first > blaming->next_block ? page->first : blaming->next_block;
    for (; at < page->end; at++)
        if (block_part(blaming, page, at)) {
            count++;
            blaming->next_block = at + 1;
        }
    return count;
}

static void sum_page(const struct heap_page *page, void *context)
{
    struct blaming *blaming = context;
    struct blame_pages *sum = &blaming->sum;
    uint64_t bytes = page->resident_bytes;
    sum->bytes += bytes;
    sum->huge_bytes += page->huge_bytes;
    sum->live_bytes += page->live_bytes;
    sum->empty_bytes += page->held_bytes ? 0 : bytes;
    sum->under_tenth_bytes += page->live_bytes * 10 < bytes ? bytes : 0;
    sum->under_quarter_bytes += page->live_bytes * 4 < bytes ? bytes : 0;
    if (!is_sparse(blaming, page))
        return;
    sum->sparse_bytes += bytes;
    sum->sparse_huge_bytes += page->huge_bytes;
    sum->sparse_live_bytes += page->live_bytes;
    sum->sparse_blocks += new_blocks(blaming, page);
}

bool blame_pages(const struct heap_snapshot *snapshot, const struct blame_rule *rule,
                 struct blame_pages *ret)
{
    struct blaming blaming = {.snapshot = snapshot, .rule = rule};
    if (!heap_pages_each(snapshot, rule->page_bytes, sum_page, &blaming))
        return false;
    *ret = blaming.sum;
    return true;
}

/* ---- who is on them ----------------------------------------------------------------------------
 */

static struct blame_group *group_of(const struct blaming *blaming, size_t block)
{
    return &blaming->list->groups[blaming->list->group_of[block]];
}

/* The block is on a sparse page, with so many usable bytes. */
static void count_sparse(struct blaming *blaming, const struct heap_page *page, size_t at,
                         uint64_t held, bool new_here)
{
    const struct heap_block *block = &blaming->snapshot->blocks[at];
    struct blame_group *group = group_of(blaming, at);
    uint64_t live = heap_page_part(page, block->address, block->requested);
    group->sparse_live_bytes += live;
    group->touched_bytes += new_here ? page->resident_bytes : 0;
    if (at >= blaming->next_block) {
        group->sparse_blocks++;
        blaming->next_block = at + 1;
    }
    double share = page->live_bytes ? (double)live / (double)page->live_bytes
                                    : (double)held / (double)page->held_bytes;
    group->share_bytes += share * (double)page->resident_bytes;
}

static void blame_page(const struct heap_page *page, void *context)
{
    struct blaming *blaming = context;
    bool sparse = is_sparse(blaming, page);
    uint32_t groups = 0;
    struct blame_group *group = NULL;
    for (size_t at = page->first; at < page->end; at++) {
        uint64_t held = block_part(blaming, page, at);
        if (!held)
            continue;
        uint64_t *seen = &blaming->seen_on[blaming->list->group_of[at]];
        bool new_here = *seen != page->address + 1;
        *seen = page->address + 1;
        groups += new_here;
        group = group_of(blaming, at);
        if (sparse)
            count_sparse(blaming, page, at, held, new_here);
    }
    if (groups != 1)
        return;
    group->alone_any_bytes += page->resident_bytes;
    if (sparse) {
        group->alone_bytes += page->resident_bytes;
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
        if (blaming->list->group_of[at] > last && block_part(blaming, page, at))
            last = blaming->list->group_of[at];
    blaming->list->groups[last].together_bytes += page->resident_bytes;
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
    if (a->alone_bytes != b->alone_bytes)
        return a->alone_bytes < b->alone_bytes ? 1 : -1;
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
    /* While they are sorted, together_bytes remembers where each was. */
    for (uint32_t i = 0; i < list->count; i++)
        list->groups[i].together_bytes = i;
    qsort(list->groups, list->count, sizeof *list->groups,
          order == BLAME_BY_ALONE ? compare_by_alone : compare_by_share);
    for (uint32_t i = 0; i < list->count; i++) {
        place[list->groups[i].together_bytes] = i;
        list->groups[i].together_bytes = 0;
    }
    for (size_t i = 0; i < blocks; i++)
        list->group_of[i] = place[list->group_of[i]];
    free(place);
    return true;
}

bool blame_groups(const struct heap_snapshot *snapshot, const struct blame_rule *rule,
                  const uint64_t *keys, struct blame_list *ret)
{
    size_t blocks = (size_t)snapshot->head.blocks;
    struct blaming blaming = {.snapshot = snapshot, .rule = rule, .list = ret};
    *ret = (struct blame_list){0};
    bool done = make_groups(ret, keys, blocks);
    if (done) {
        blaming.seen_on = calloc(ret->count + (size_t)1, sizeof *blaming.seen_on);
        done = blaming.seen_on;
    }
    if (done) {
        count_blocks(&blaming);
        done = heap_pages_each(snapshot, rule->page_bytes, blame_page, &blaming) &&
               rank(ret, blocks, rule->order) &&
               heap_pages_each(snapshot, rule->page_bytes, count_together, &blaming);
    }
    free(blaming.seen_on);
    if (!done) {
        blame_list_free(ret);
        return false;
    }
    for (uint32_t i = 1; i < ret->count; i++)
        ret->groups[i].together_bytes += ret->groups[i - 1].together_bytes;
    return true;
}

void blame_list_free(struct blame_list *list)
{
    free(list->groups);
    free(list->group_of);
    *list = (struct blame_list){0};
}
