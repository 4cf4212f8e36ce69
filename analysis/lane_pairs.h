/*
 * Who frees whose blocks: blocks and bytes by the lane that asked for them and the other lane that
 * freed them. Bounded: beyond LANE_PAIRS_MAX pairs new ones are counted together. One thread.
 */
#ifndef HEAPTAPE_ANALYSIS_LANE_PAIRS_H
#define HEAPTAPE_ANALYSIS_LANE_PAIRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LANE_PAIRS_MAX 49152u

struct lane_pair {
    uint32_t owner, freer;
    uint64_t blocks, bytes; /* sizes when they were freed; blocks 0: a free slot */
};

struct lane_pairs {
    struct lane_pair *slots; /* open addressing */
    size_t slot_count, used;
    uint64_t left_out_blocks; /* of pairs that had no room */
};

void lane_pairs_end(struct lane_pairs *pairs);
/* False: no memory. */
bool lane_pairs_add(struct lane_pairs *pairs, uint32_t owner, uint32_t freer, uint64_t bytes);
/* Most blocks first into `ret` (which has room for `used`); returns their number. */
size_t lane_pairs_sorted(const struct lane_pairs *pairs, struct lane_pair *ret);

#endif
