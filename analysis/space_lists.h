/* The lists in which a space keeps its holes (space.h), for space.c alone. */
#ifndef HEAPTAPE_ANALYSIS_SPACE_LISTS_H
#define HEAPTAPE_ANALYSIS_SPACE_LISTS_H

#include "analysis/space.h"

bool space_lists_init(struct space *space);
void space_lists_end(struct space *space);
/* The hole, its place and length set, enters the list where it belongs. */
void space_lists_add(struct space *space, uint32_t hole);
/* It leaves its list: before place or length change. */
void space_lists_remove(struct space *space, uint32_t hole);
/* The hole that `bytes` are to be taken from, 0 where none is long enough. */
uint32_t space_lists_find(const struct space *space, uint64_t bytes);

#endif
