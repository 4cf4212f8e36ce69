/*
 * An address space from 0 upwards of which stretches are taken and given back: what is free below
 * its top is known as holes, joined with their neighbours. A stretch is taken from the start of a
 * hole: of the lowest that is long enough (first fit), or of the shortest (best fit; of those the
 * one given back last, and of holes above 64 KiB to 1.6 %); of the top where there is none.
 *
 * Offsets and lengths are multiples of 8 bytes. Stretches of 16 bytes and more begin at multiples
 * of 16, so that what of a hole lies between such counts for them; one of 8 bytes goes into what is
 * too short or too odd for others, if there is such a hole. Neighbours are found by a hash of where
 * holes begin and end (hole_map.h); the first fit by a tree over stretches of the space, each with
 * the longest hole that begins in it; the best fit by a list for each length, and from 64 KiB on
 * for each 64th of a doubling. Memory: 64 bytes a hole, and 8 MiB, by mmap. Not thread-safe.
 */
#ifndef HEAPTAPE_ANALYSIS_SPACE_H
#define HEAPTAPE_ANALYSIS_SPACE_H

#include <stdbool.h>
#include <stdint.h>

#include "analysis/hole_map.h"

#define SPACE_GRANULE 16u
#define SPACE_HALF    8u                  /* the shortest stretch */
#define SPACE_TOP_MAX (UINT64_C(1) << 61) /* no stretch may be taken beyond */

enum space_fit { SPACE_FIRST_FIT, SPACE_BEST_FIT };

/* Free bytes; also a member of the list of its length or place. */
struct space_hole {
    uint64_t offset, bytes;
    uint32_t previous, next; /* 0: none. Of an unused one `next` is the next unused one */
    uint32_t list;
};

struct space {
    enum space_fit fit;
    struct space_hole *holes; /* by id; 0 is none */
    uint32_t hole_capacity, hole_count, unused;
    struct hole_map ends;
    uint32_t *lists;   /* first hole of each: space_lists.h */
    uint64_t *longest; /* first fit: the tree */
    uint64_t *filled;  /* best fit: a bit for each list that is not empty */
    uint32_t halves;   /* first of the holes that have no room for 16 bytes */
    unsigned shift;    /* first fit: log2 of the bytes of a list's stretch */
    uint64_t top;      /* end of the highest byte that is taken */
};

/* False: no memory. space_end() in any case. */
bool space_init(struct space *space, enum space_fit fit);
void space_end(struct space *space);
/* Where the `bytes`, 8 or a multiple of 16, begin. False: no memory. */
bool space_take(struct space *space, uint64_t bytes, uint64_t *ret_offset);
/* Bytes that are taken become free. False: no memory, and they are lost. */
bool space_give(struct space *space, uint64_t offset, uint64_t bytes);

#endif
