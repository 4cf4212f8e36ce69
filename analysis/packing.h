/*
 * How low a heap could have been: a tape's blocks placed one by one, in the tape's order, into the
 * first or the best fitting hole (space.h), without headers, in granules of 16 bytes (blocks of up
 * to 8 bytes in 8), and nothing moved but by realloc. Any placement shows that the least possible
 * heap is not higher; no heap is lower than the peak of the live bytes. So the least lies between
 * those two, and their distance says how much an allocator's fragmentation could be blamed on the
 * program. (The best placement of all is an NP-hard problem, dynamic storage allocation.)
 *
 * Memory: 16 bytes an object id, and what space.h says. Not thread-safe; one tape each.
 */
#ifndef HEAPTAPE_ANALYSIS_PACKING_H
#define HEAPTAPE_ANALYSIS_PACKING_H

#include <stdbool.h>
#include <stdint.h>

#include "analysis/space.h"
#include "traces/event.h"

#define PACKING_GRANULE SPACE_GRANULE

struct packing_block; /* of an object */

struct packing {
    struct packing_block *blocks; /* by object id */
    uint64_t block_capacity;
    struct space space;
    uint64_t peak; /* the end of the last block, at most */
};

/* False: no memory. packing_end() in any case. */
bool packing_init(struct packing *packing, enum space_fit fit);
void packing_end(struct packing *packing);
/* The next event. Uses of objects that are not live (damage) are left out. False where there is no
 * memory. */
bool packing_event(struct packing *packing, const struct tape_event *event);
/* See STATISTICS_AHEAD. */
void packing_expect(const struct packing *packing, const struct tape_event *event);

/* What a block of `size` bytes takes: whole granules; 8 bytes where it has no more: nothing that
 * fits into 8 bytes needs a larger alignment, and most allocators have a class for them. */
static inline uint64_t packing_granules(uint64_t size)
{
    uint64_t last = PACKING_GRANULE - 1;
    return size <= SPACE_HALF ? SPACE_HALF : (size + last) & ~last;
}

#endif
