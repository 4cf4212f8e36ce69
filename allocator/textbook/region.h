/*
 * Regions: the stretches of memory that the system has given, and the only file that asks it
 * (large.c has mappings of its own).
 *
 *   region                 first                                              region + bytes
 *     | struct region (32)  | for the allocator to arrange                       |
 *
 * From brk a region grows at its end as long as nobody else moves the break; where somebody has, or
 * brk is refused, another region begins (by mmap in the second case). From mmap each region is a
 * mapping of whole pages, and can be given back.
 */
#ifndef TEXTBOOK_REGION_H
#define TEXTBOOK_REGION_H

#include <stdbool.h>
#include <stddef.h>

struct region {
    struct region *next, *prev; /* in the order in which they were taken */
    size_t bytes;               /* with this header; a multiple of 16 */
    size_t mapped;              /* 1: by mmap, and may be given back */
};

_Static_assert(sizeof(struct region) == 32, "what follows is aligned to 16");

extern struct region *region_first;

/* A new region of at least `bytes`, header included; more where pages make it so. NULL with ENOMEM
 * where the system has none. */
struct region *region_take(size_t bytes);
/* Makes the region longer at its end by at least `bytes`; false where that cannot be. */
bool region_extend(struct region *region, size_t bytes);
/* Whether region_extend() may succeed: the last one, from brk. */
bool region_is_top(const struct region *region);
/* Gives the region back where it is mapped; false where it stays. */
bool region_give(struct region *region);
/* Whether the address lies between the lowest and the highest region's ends, ever. */
bool region_spans(const void *address);
/* How many bytes all regions have. */
size_t region_held(void);
/* Gives everything back that can be given, and forgets the rest. For tests and resets. */
void region_forget(void);

static inline char *region_start(const struct region *region)
{
    return (char *)region + sizeof *region;
}

static inline char *region_end(const struct region *region)
{
    return (char *)region + region->bytes;
}

#endif
