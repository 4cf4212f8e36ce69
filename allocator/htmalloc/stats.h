/* Where the memory is: the walk behind ht_stats() of htmalloc.h. */
#ifndef HTMALLOC_STATS_H
#define HTMALLOC_STATS_H

#include "htmalloc.h"
#include "sizeclass.h"

struct class_stats {
    size_t runs, live_blocks, free_blocks, uncarved;
};

/* Fills both; `ret_classes` (CLASS_COUNT of them) may be NULL. */
void stats_take(struct ht_stats *ret_stats, struct class_stats *ret_classes);

#endif
