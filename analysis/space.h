/*
 * An address space from 0 upwards of which stretches are taken and given back: what is free below
 * its top is known as holes, joined with their neighbours. A stretch is taken from the start of the
 * lowest hole that is long enough (first fit), or of the shortest one (best fit; the lowest of
 * these); of the top where there is none.
 *
 * Holes are nodes of a treap by address, with the longest below each so that the first fit is found
 * in logarithmic time, and for the best fit of a second one by length. Memory: 48 bytes a hole, by
 * mmap. Not thread-safe.
 */
#ifndef HEAPTAPE_ANALYSIS_SPACE_H
#define HEAPTAPE_ANALYSIS_SPACE_H

#include <stdbool.h>
#include <stdint.h>

struct space_hole;

enum space_fit { SPACE_FIRST_FIT, SPACE_BEST_FIT };

struct space {
    enum space_fit fit;
    struct space_hole *holes; /* nodes; 0 is none */
    uint64_t hole_capacity, hole_count;
    uint32_t root[2], unused; /* of the treaps; of the list of nodes to use again */
    uint32_t random;
    uint64_t top; /* end of the highest byte that is taken */
};

void space_init(struct space *space, enum space_fit fit);
void space_end(struct space *space);
/* Where the `bytes` (above 0) begin. */
uint64_t space_take(struct space *space, uint64_t bytes);
/* Bytes that are taken become free. False: no memory, and they are lost. */
bool space_give(struct space *space, uint64_t offset, uint64_t bytes);

#endif
