/*
 * How low a heap could have been: a tape's blocks placed one by one, in the tape's order, at the
 * lowest address where they fit, without headers, in granules of 16 bytes, and nothing moved but by
 * realloc. Any placement shows that the least possible heap is not higher; no heap is lower than
 * the peak of the live bytes. So the least lies between those two, and their distance says how much
 * an allocator's fragmentation could be blamed on the program. (The best placement of all is an
 * NP-hard problem, dynamic storage allocation.)
 *
 * Memory: 16 bytes an object id and 40 a hole, by mmap. Not thread-safe; one tape each.
 */
#ifndef HEAPTAPE_ANALYSIS_PACKING_H
#define HEAPTAPE_ANALYSIS_PACKING_H

#include <stdbool.h>
#include <stdint.h>

#include "traces/event.h"

#define PACKING_GRANULE 16u

struct packing_block; /* of an object */
struct packing_hole;  /* a free stretch: a node of a treap by address */

struct packing {
    struct packing_block *blocks; /* by object id */
    uint64_t block_capacity;
    struct packing_hole *holes; /* nodes; 0 is none */
    uint64_t hole_capacity, hole_count;
    uint32_t root, unused; /* of the treap; of the list of nodes to use again */
    uint32_t random;
    uint64_t top, peak; /* the end of the last block, now and at most, in bytes */
};

void packing_init(struct packing *packing);
void packing_end(struct packing *packing);
/* The next event. Uses of objects that are not live (damage) are left out. False where there is no
 * memory. */
bool packing_event(struct packing *packing, const struct tape_event *event);

#endif
