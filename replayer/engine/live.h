/*
 * Which objects are live: tape_track's judgement (traces/track.h) at one bit an object. Enough
 * where neither R nor old sizes are needed, and much quicker than a table entry for each object.
 */
#ifndef HEAPTAPE_REPLAYER_LIVE_H
#define HEAPTAPE_REPLAYER_LIVE_H

#include <stdbool.h>
#include <stdint.h>
#include "replayer/engine/engine.h"
#include "replayer/engine/pages.h"
#include "traces/event.h"
#include "traces/track.h"

struct live {
    struct pages bits;
    uint64_t capacity; /* ids there is room for */
};

/* Makes room for the id. */
void live_extend(struct live *live, uint32_t object);

/* As tape_track_event(): what to do with the event. Never TAPE_TRACK_NO_MEMORY: the run ends there.
 */
static inline enum tape_track_action live_event(struct live *live, const struct tape_event *event)
{
    unsigned kind = event->kind;
    uint32_t object = event->object;
    bool allocates = tape_kind_allocates(kind);
    if (!allocates && !((kind >= TAPE_REALLOC && kind <= TAPE_FREE) || kind == TAPE_USABLE_SIZE))
        return TAPE_TRACK_USE;
    if (ENGINE_UNLIKELY(object >= live->capacity || object == TAPE_NO_OBJECT)) {
        if (!allocates) /* the usable size of NULL is an answer */
            return object == TAPE_NO_OBJECT && kind == TAPE_USABLE_SIZE ? TAPE_TRACK_USE
                                                                        : TAPE_TRACK_DROP;
        live_extend(live, object);
    }
    uint64_t *word = (uint64_t *)live->bits.base + object / 64, bit = UINT64_C(1) << object % 64;
    bool is_live = *word & bit;
    if (allocates) {
        *word |= bit;
        return is_live ? TAPE_TRACK_FREE_FIRST : TAPE_TRACK_USE;
    }
    if (!is_live)
        return TAPE_TRACK_DROP;
    if (tape_kind_frees(kind))
        *word &= ~bit;
    return TAPE_TRACK_USE;
}

#endif
