/* The lists in which a space keeps its holes (space.h), for space.c alone. */
#ifndef HEAPTAPE_ANALYSIS_SPACE_LISTS_H
#define HEAPTAPE_ANALYSIS_SPACE_LISTS_H

#include "analysis/space.h"

/* What of the hole lies between multiples of 16. */
static inline uint64_t space_hole_room(const struct space_hole *hole)
{
    uint64_t last = SPACE_GRANULE - 1, start = (hole->offset + last) & ~last;
    uint64_t end = (hole->offset + hole->bytes) & ~last;
    return end > start ? end - start : 0;
}

bool space_lists_init(struct space *space);
void space_lists_end(struct space *space);
/* The hole, its place and length set, enters the list where it belongs. */
void space_lists_add(struct space *space, uint32_t hole);
/* It leaves its list: before place or length change. */
void space_lists_remove(struct space *space, uint32_t hole);
/* The hole that `bytes`, at least 16, are to be taken from, 0 where none has room. */
uint32_t space_lists_find(const struct space *space, uint64_t bytes);

#endif
