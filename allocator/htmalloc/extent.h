/* Free address space of huge blocks: stretches of mapped pages, joined with their neighbours, from
 * which blocks are cut, best fit. What has been touched and freed stays resident until footprint.h
 * says otherwise. Not thread-safe: all is called under the huge lock. */
#ifndef HTMALLOC_EXTENT_H
#define HTMALLOC_EXTENT_H

#include "config.h"

struct extent {
    char *base;
    size_t bytes;
    size_t dirty; /* bytes of it that are resident, taken to lie at its start: an estimate */
    bool zero;    /* all of it reads as zeros, for certain */
};

/* Takes a stretch in. */
void extent_add(struct extent given);

/* A stretch of `bytes` (more, where the rest would be too small to keep) at a multiple of `align`;
 * base is NULL when there is none. */
struct extent extent_take(size_t bytes, size_t align);

/* The first `bytes` (or more, as above) of the stretch that starts at `base`; base is NULL when
 * none does or it is shorter. */
struct extent extent_take_at(char *base, size_t bytes);

/* The dirtiest stretch, whole; base is NULL when there is none. */
struct extent extent_take_dirtiest(void);

/* Gives pages back until no more than `keep` dirty bytes stand. Returns how many went. */
size_t extent_purge(size_t keep);

/* Gives everything back, the address space too. Returns the dirty bytes that there were. */
size_t extent_clear(void);

struct extent_counts {
    size_t bytes, dirty, dirty_least; /* dirty_least: in this window, reset by whoever ends it */
};
extern struct extent_counts extent_counts;

#endif
