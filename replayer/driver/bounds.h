/*
 * How low the heap of each tape could have been, from heaptape analyze, which runs beside us: the
 * two lower bounds, and the height of a placement of all blocks (analysis/METRICS.md).
 */
#ifndef HEAPTAPE_REPLAYER_DRIVER_BOUNDS_H
#define HEAPTAPE_REPLAYER_DRIVER_BOUNDS_H

#include <stdbool.h>
#include <stdint.h>

struct emit;
struct results;

struct bounds {
    bool known, packed; /* packed: the placement is known, too */
    uint64_t lower_bytes, aligned_lower_bytes, packing_bytes;
    char packing_method[64];
};

/*
 * Finds those of every tape; of one that heaptape analyze cannot tell of they stay unknown. Blocks
 * are placed in tapes of up to BOUNDS_PACKING_EVENTS events, in ten to thirty seconds. Needs
 * interrupt_begin() before; writes a file into `folder` and removes it.
 */
#define BOUNDS_PACKING_EVENTS UINT64_C(20000000)
void bounds_find(struct results *results, const char *folder);
/* As members of the tape's object in results.json; unknown is null. */
void bounds_emit(const struct bounds *bounds, struct emit *emit);

#endif
