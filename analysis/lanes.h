/* What each lane (recorded thread) did, and whose blocks it freed. */
#ifndef HEAPTAPE_ANALYSIS_LANES_H
#define HEAPTAPE_ANALYSIS_LANES_H

#include <stddef.h>
#include <stdint.h>

struct lane_stats {
    uint64_t events;
    uint64_t allocations, allocated_bytes; /* growth by realloc included in the bytes */
    uint64_t frees;
    uint64_t frees_of_others; /* blocks that another lane had allocated */
    uint64_t freed_by_others; /* blocks of this lane that another one freed */
    uint64_t temporary;       /* freed by this lane before it allocated anything else */
    uint64_t last_born_event; /* 1 + event index of this lane's latest allocation */
    uint32_t last_object;     /* its object; TAPE_NO_OBJECT once it is gone */
};

struct lane_table {
    struct lane_stats *lanes; /* dense, by lane number */
    size_t count;             /* highest lane seen + 1 */
    size_t capacity;
};

/*
 * The stats of `lane`, made where new. NULL where there is no memory. Holds until the next call
 * with a lane not seen before.
 */
struct lane_stats *lane_table_get(struct lane_table *table, uint32_t lane);
void lane_table_end(struct lane_table *table);

#endif
