/*
 * Which bytes of the address space belong to live blocks: a bit for every granule of 8 bytes, in a
 * tree of three levels (1 GiB, 256 KiB, granules). Entering a block tells whether any of it was
 * live already, and so finds every overlap without knowing the blocks.
 *
 * Exact for blocks that begin on a granule. Two blocks of less than 8 bytes may share one without
 * overlapping: entering says "live already", and it is the caller who looks at the sizes.
 *
 * Memory: 4 KiB for each 256 KiB of addresses that blocks have lain in, given back by
 * shadow_sweep() once nothing there is live; 1 MiB for the root. Threads: shadow_enter() and
 * shadow_leave() may be called by any number at once, without locks but for the first touch of 256
 * KiB; a block is to be left before it is freed and entered after it was given, so that the
 * allocator's own order is the order here. Nothing else may run beside the other functions.
 */
#ifndef HEAPTAPE_REPLAYER_SHADOW_H
#define HEAPTAPE_REPLAYER_SHADOW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "replayer/engine/pages.h"

#define SHADOW_GRANULE      ((uintptr_t)8)
#define SHADOW_ADDRESS_BITS 47 /* user addresses of x86-64 without LA57 */

#define SHADOW_LEAF_WORDS 512 /* of 64 granules each */
#define SHADOW_LEAF_BITS  18  /* addresses that a leaf covers: 256 KiB */
#define SHADOW_ROOT_BITS  30  /* addresses that an entry of the root covers: 1 GiB */

struct shadow_leaf {
    _Atomic uint64_t words[SHADOW_LEAF_WORDS];
};
_Static_assert(SHADOW_LEAF_WORDS * 64 * 8 == 1 << SHADOW_LEAF_BITS, "a leaf is full");

struct shadow_middle {
    _Atomic(struct shadow_leaf *) leaves[1 << (SHADOW_ROOT_BITS - SHADOW_LEAF_BITS)];
};

struct shadow {
    struct pages root; /* pointers to struct shadow_middle */
    _Atomic uint32_t lock;
    void *free_leaves;             /* linked through their first word */
    uint64_t leaves, leaves_swept; /* in use; and after the last sweep */
    uint64_t bytes;                /* mapped */
};

void shadow_open(struct shadow *shadow);
/* Whether the addresses are ones that a block can have at all. */
bool shadow_covers(uintptr_t start, size_t bytes);
/* The bytes become live. True: some granule was already. `bytes` > 0, shadow_covers(). */
bool shadow_enter(struct shadow *shadow, uintptr_t start, size_t bytes);
/* They are no longer. */
void shadow_leave(struct shadow *shadow, uintptr_t start, size_t bytes);
/* Leaves in which nothing is live are used again; does nothing while they are few. */
void shadow_sweep(struct shadow *shadow);

#endif
