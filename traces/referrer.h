/*
 * How the events of a block name objects that are there already (FORMAT.md, "References"): what
 * each could say is noted first, then the ways that are taken most often in the block are chosen,
 * since what is always said alike is short. Belongs to the encoder.
 */
#ifndef HEAPTAPE_TRACES_REFERRER_H
#define HEAPTAPE_TRACES_REFERRER_H

#include <stdbool.h>
#include <stdint.h>
#include "traces/format.h"
#include "traces/shapes.h"

/* The latest touch of an id in this block: open addressing, by epoch. */
struct referrer_touch {
    uint32_t id, epoch;
    uint32_t touch; /* counted from 1; 0: freed since */
};
enum {
    REFERRER_TOUCHES = 2 * FORMAT_BLOCK_EVENTS_MAX,
    REFERRER_COUNTED = 512, /* ages and steps below this are counted */
};

/*
 * What one event could say: an age or a step (zigzag). Up to FORMAT_ROW_MAX they count along the
 * row, beyond that in touches. Age 0: a far object, and the step is one of ids.
 */
struct referrer_way {
    uint32_t age, step;
};

struct referrer {
    uint32_t epoch;
    uint32_t touched; /* touches so far */
    uint32_t place;   /* the touch whose object was named last */
    uint32_t before;  /* what stood before it in the row */
    uint32_t far;     /* id that was named last of those not in the row */
    uint32_t age_uses[REFERRER_COUNTED], step_uses[REFERRER_COUNTED]; /* [0]: 0 */
    struct referrer_way ways[FORMAT_BLOCK_EVENTS_MAX];                /* by event */
    /* The row by touch: objects that live, in the order of their latest touch; [0]: its ends. */
    struct {
        uint32_t next, before;
    } row[FORMAT_BLOCK_EVENTS_MAX + 1];
    struct referrer_touch touches[REFERRER_TOUCHES];
};

/* Begins a block. The referrer begins zeroed and is used again for each. */
void referrer_begin(struct referrer *referrer);
void referrer_allocate(struct referrer *referrer, uint32_t id);
/* An event names this object; it touches it, or frees it. */
void referrer_name(struct referrer *referrer, uint32_t event, uint32_t id, bool frees);
/* Once all are named: fills in the event's key. */
void referrer_choose(const struct referrer *referrer, uint32_t event, struct shape_key *key);

static inline uint32_t zigzag_32(uint32_t difference)
{
    return difference << 1 ^ (0 - (difference >> 31));
}

#endif
