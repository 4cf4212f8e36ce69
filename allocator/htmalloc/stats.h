/* Where the memory is: the walk behind ht_stats() and its kin of htmalloc.h. */
#ifndef HTMALLOC_STATS_H
#define HTMALLOC_STATS_H

#include "htmalloc.h"
#include "sizeclass.h"

struct stats {
    struct ht_stats all;
    struct ht_class_stats classes[CLASS_COUNT];
    struct ht_thread_stats *threads; /* the caller's; `room` elements, or NULL */
    size_t room;
};

/* Fills what the caller has made room for. Takes the locks of spans and huge blocks in turn. */
void stats_take(struct stats *stats, struct ht_thread_stats *threads, size_t room);

/* The heaps that there are: what `room` must be for all of them. */
size_t stats_count_threads(void);

#endif
