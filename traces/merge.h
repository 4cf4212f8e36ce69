/*
 * The records of a pass in one order: lanes merged by key (resolve.h, "Order rule"). Records are
 * kept until their pass has ended; what is stamped later stays for the next one.
 */
#ifndef HEAPTAPE_TRACES_MERGE_H
#define HEAPTAPE_TRACES_MERGE_H

#include <stdbool.h>
#include <stddef.h>
#include "traces/raw_record.h"

/* So many records may wait for the end of a pass; a raw tape with more is merged as if a pass ended
 * there. */
#define MERGE_PENDING_MAX (UINT64_C(1) << 25)

struct merge_lane {
    struct raw_record *records; /* those that wait, oldest first, from `begin` */
    uint64_t key;               /* latest stamp merged or looked at */
    uint32_t begin, end, capacity;
    uint32_t fresh; /* from here on they came since the last merge_finish() */
    bool busy;      /* is in merge.busy */
};

struct merge_head {
    uint64_t key;
    uint32_t lane;
};

struct merge {
    struct merge_lane *lanes; /* by the collector's number */
    struct merge_head *heap;  /* lanes with records to give, least key first */
    uint32_t *busy;           /* lanes with records that wait */
    uint64_t lane_capacity;
    uint32_t busy_capacity, heap_count, busy_count;
    uint64_t pending; /* records that wait, all lanes together */
    uint64_t limit;   /* keys from here on wait */
};

void merge_init(struct merge *merge);
void merge_end(struct merge *merge);
/*
 * Room for `count` more records of a lane, in its own order: fill it and say with merge_put() how
 * many it were. NULL: no memory.
 */
struct raw_record *merge_reserve(struct merge *merge, uint32_t lane, size_t count);
void merge_put(struct merge *merge, uint32_t lane, size_t count);
/* Begins to give what is stamped before `limit`. */
void merge_begin(struct merge *merge, uint64_t limit);
/* What a stamp says. The largest value is for limits: no record may be held back for ever. */
static inline uint64_t merge_stamp(const struct raw_record *record)
{
    return record->value == UINT64_MAX ? UINT64_MAX - 1 : record->value;
}

/* Records of one lane, in order; stamps are among them. They hold until the next merge_put(). */
struct merge_stretch {
    const struct raw_record *records;
    size_t count;
    size_t settled; /* so many from the front came before the last merge_finish() */
    uint64_t key;   /* of the first, unless that is a stamp */
    uint32_t lane;
};
/* The next stretch. False: nothing left before the limit. */
bool merge_next(struct merge *merge, struct merge_stretch *ret_stretch);
/*
 * Takes back what was just given from record `done` on, whose key is `key`, and ends the giving:
 * the next pass begins with that record. No other lane may go past it, since the records that wait
 * behind it may touch the same addresses.
 */
void merge_park(struct merge *merge, const struct merge_stretch *stretch, size_t done,
                uint64_t key);
/* Ends the pass: what waits now is settled. */
void merge_finish(struct merge *merge);

#endif
