/* Mixed runs: a hole can serve any size. A run with few blocks left in use is carved anew, around
 * those, into blocks of another class. The blocks of earlier classes, "odd" ones, stay the
 * program's until it frees them; they then go nowhere until the run is carved anew once more or is
 * wholly free.
 *
 * What is where in a mixed run stands in bit maps beside the segment, one bit for each 16 bytes.
 * free() knows nothing of them: it pushes and counts as everywhere, but `left` of a mixed run is
 * always 1, so that it comes by here each time; the true count stands in the maps' record.
 *
 * Only runs of one slice are mixed, under their heap's lock, by its own thread. The hardened build,
 * whose blocks have seals at fixed places, does without. */
#ifndef HTMALLOC_MIXED_H
#define HTMALLOC_MIXED_H

#include "segment.h"

#define MIXED_WORDS     (HT_SLICE / HT_ALIGN / 64)
#define MIXED_BYTES_MAX 4096u /* the largest blocks that a run is carved anew into */
#define MIXED_SHARE     3u    /* one part in so many of a run must serve */

struct mixed {
    uint64_t odd[MIXED_WORDS];     /* an odd block starts here */
    uint64_t covered[MIXED_WORDS]; /* belongs to an odd block */
    uint64_t starts[MIXED_WORDS];  /* a block of the run's class starts here */
    uint32_t left;                 /* what run->left is in other runs */
    uint32_t odds;                 /* odd blocks in use */
};

static_assert(sizeof(struct mixed) * HT_SEGMENT_SLICES <= MIXED_MAP_BYTES, "a record a slice");

static inline struct mixed *mixed_of(const struct run *run)
{
    return &segment_of(run)->mixed[slice_number(run)];
}

/* Odd blocks of the run in use; 0 where it is not mixed. Only its own thread changes it. */
static inline uint32_t mixed_odds(const struct run *run)
{
    return run->mixed ? __atomic_load_n(&mixed_of(run)->odds, __ATOMIC_RELAXED) : 0;
}

/* The run's count as run.h describes it; a mixed run's PARTIAL count includes its odd blocks. */
static inline uint32_t run_left(const struct run *run)
{
    return ht_unlikely(run->mixed) ? mixed_of(run)->left
                                   : __atomic_load_n(&run->left, __ATOMIC_RELAXED);
}

static inline void run_set_left(struct run *run, uint32_t left)
{
    if (ht_unlikely(run->mixed))
        mixed_of(run)->left = left;
    run->left = run->mixed ? 1 : left;
}

/* Carves a run, PARTIAL and in no list, anew for the class; all its new blocks are free. False, and
 * nothing has changed, when less than one part in MIXED_SHARE of the run would serve. */
bool mixed_make(struct run *run, unsigned class);

/* Of a mixed run: whether a block starts at the address, and how long it is. For live blocks any
 * thread may ask at any time. */
bool mixed_has_block(const struct run *run, const void *address);
size_t mixed_block_bytes(const struct run *run, const void *address);

/* An odd block has been freed: takes it out of the maps. False when it is not odd. */
bool mixed_drop(struct run *run, const void *block);

/* With the last odd block gone: blocks of the run's class where the odd ones were. They are added
 * to its free list and count as circulating. */
bool mixed_extend(struct run *run);

/* Takes the odd blocks out of a chain; returns its new first block. */
struct block *mixed_sift(struct run *run, struct block *first);

/* Bytes of odd blocks in use. */
size_t mixed_odd_bytes(const struct run *run);

#endif
