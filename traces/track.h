/*
 * The live set of a tape while it is read, and the repair of what damage leaves behind: events are
 * passed through tape_track_event(), which says what to do with each. Memory: one entry per object
 * id in use (id tables grow by mmap; no heap call). Sound tapes never need the repairs.
 */
#ifndef HEAPTAPE_TRACES_TRACK_H
#define HEAPTAPE_TRACES_TRACK_H

#include "traces/error.h"
#include "traces/event.h"

struct tape_track_object {
    uint64_t size;       /* bytes requested now */
    uint64_t born_event; /* index of its allocation */
    uint32_t lane;       /* that allocated it */
    uint8_t kind;        /* of its allocation; 0 = not live */
    uint8_t align_log2;
    uint8_t reserved[6];
    uint32_t site; /* of who asked for it last */
};

struct tape_track {
    struct tape_track_object *objects; /* indexed by id */
    uint64_t capacity;                 /* entries mapped */
    uint64_t live_bytes, live_objects; /* R and its count, now */
    uint64_t peak_live_bytes, peak_live_objects;
    uint64_t peak_event;  /* index of the event at which live_bytes peaked first */
    uint64_t events;      /* tracked so far */
    uint64_t orphans;     /* uses of objects that are not live (dropped) */
    uint64_t overwritten; /* allocations of ids still live (old one freed first) */
};

enum tape_track_action {
    TAPE_TRACK_USE,        /* sound: use the event */
    TAPE_TRACK_DROP,       /* names an object that is not live: leave it out */
    TAPE_TRACK_FREE_FIRST, /* its id is still live: free that object, then use the event */
    TAPE_TRACK_NO_MEMORY,
};

void tape_track_init(struct tape_track *track);
void tape_track_end(struct tape_track *track);
/* *ret_before (may be NULL) gets the object as it was before the event (kind 0 where it was not
 * live). */
enum tape_track_action tape_track_event(struct tape_track *track, const struct tape_event *event,
                                        struct tape_track_object *ret_before);

#endif
