/*
 * The dictionary of a block of events: which whole events (kind, size, alignment, reference) are
 * frequent enough to be one token. Every kind that occurs also has a plain shape, whose sizes and
 * references stand in columns, so that any event has a token.
 */
#ifndef HEAPTAPE_TRACES_SHAPES_H
#define HEAPTAPE_TRACES_SHAPES_H

#include <stdbool.h>
#include <stddef.h>
#include "traces/event.h"
#include "traces/format.h"

/* All that a token can say of an event. */
struct shape_key {
    uint64_t size;
    uint32_t reference; /* an allocation: 0 = the predicted id, else the id; others: as the block
                           refers */
    uint8_t kind, align_log2;
    uint8_t how; /* 0, FORMAT_SHAPE_FAR or FORMAT_SHAPE_STEP */
    uint8_t reserved;
};
_Static_assert(sizeof(struct shape_key) == 16, "compared as two words");

struct shape_slot {
    struct shape_key key;
    uint32_t epoch; /* of the block that it belongs to */
    uint32_t count;
    int32_t token;  /* -1: not in the dictionary */
    uint32_t first; /* event that had it first */
};
/* Few, for the cache's sake: a key that is frequent is met before they are full. */
enum { SHAPE_SLOTS = 65536, SHAPE_SLOTS_USED = 49152 };

struct shape_counter {
    uint32_t epoch;
    uint32_t used;  /* slots */
    uint32_t count; /* shapes chosen */
    /* The dictionary, as its columns. */
    uint8_t flags[FORMAT_SHAPES_MAX], aligns[FORMAT_SHAPES_MAX];
    uint64_t sizes[FORMAT_SHAPES_MAX];
    uint32_t references[FORMAT_SHAPES_MAX];
    /* Plain shapes: negative, or the token. [kind][which of them], aligned ones by alignment. */
    int16_t plain[TAPE_EVENT_KIND_LIMIT][3], plain_aligned[64][3];
    uint32_t slot_of[FORMAT_BLOCK_EVENTS_MAX];
    struct shape_slot slots[SHAPE_SLOTS];
};

/*
 * Chooses the dictionary for these events and gives the token of each. The counter begins zeroed
 * and is used again for each block.
 */
void shapes_choose(struct shape_counter *shapes, const struct shape_key *keys, uint32_t count,
                   uint8_t *tokens);

#endif
