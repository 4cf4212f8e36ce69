/*
 * How the events of a block name objects that are there already (FORMAT.md, "References"): what
 * each could say is noted first, then the ways that are taken most often in the block are chosen,
 * since what is always said alike is short. Belongs to the encoder.
 */
#ifndef HEAPTAPE_TRACES_REFERRER_H
#define HEAPTAPE_TRACES_REFERRER_H

#include <stdint.h>
#include "traces/format.h"
#include "traces/shapes.h"

/* The latest touch of an id in this block: open addressing, by epoch. */
struct referrer_touch {
    uint32_t id, epoch, ordinal;
};
enum {
    REFERRER_TOUCHES = 2 * FORMAT_BLOCK_EVENTS_MAX,
    REFERRER_COUNTED = 512, /* ages and steps below this are counted */
};

struct referrer {
    uint32_t epoch;
    uint32_t touched;                     /* touches so far */
    uint32_t place;                       /* of the touch whose object was named last */
    uint32_t far;                         /* id that was named last of those not touched here */
    uint32_t age_uses[REFERRER_COUNTED];  /* [0]: those beyond */
    uint32_t step_uses[REFERRER_COUNTED]; /* by zigzag; [0]: likewise */
    /* By event: 0 = not touched here; zigzag of the step. */
    uint32_t ages[FORMAT_BLOCK_EVENTS_MAX], steps[FORMAT_BLOCK_EVENTS_MAX];
    struct referrer_touch touches[REFERRER_TOUCHES];
};

/* Begins a block. The referrer begins zeroed and is used again for each. */
void referrer_begin(struct referrer *referrer);
void referrer_touch(struct referrer *referrer, uint32_t id);
/* Notes that an event names this object; before the event itself touches it. */
void referrer_note(struct referrer *referrer, uint32_t event, uint32_t id);
/* Once all are noted: fills in the event's key. */
void referrer_choose(const struct referrer *referrer, uint32_t event, struct shape_key *key);

static inline uint32_t zigzag_32(uint32_t difference)
{
    return difference << 1 ^ (0 - (difference >> 31));
}

#endif
