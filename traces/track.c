#include "traces/track.h"

#include <string.h>

#include "traces/grow.h"

enum { FIRST_CAPACITY = 4096 };

void tape_track_init(struct tape_track *track)
{
    memset(track, 0, sizeof *track);
}

void tape_track_end(struct tape_track *track)
{
    grow_free(track->objects, track->capacity, sizeof *track->objects);
    memset(track, 0, sizeof *track);
}

/* Room for `id`. New entries come zeroed from the kernel: not live. */
static bool reserve(struct tape_track *track, uint32_t id)
{
    void *objects =
        grow_table(track->objects, &track->capacity, id, sizeof *track->objects, FIRST_CAPACITY);
    if (objects)
        track->objects = objects;
    return objects != NULL;
}

static void note_peak(struct tape_track *track, uint64_t index)
{
    if (track->live_bytes > track->peak_live_bytes) {
        track->peak_live_bytes = track->live_bytes;
        track->peak_event = index;
    }
    if (track->live_objects > track->peak_live_objects)
        track->peak_live_objects = track->live_objects;
}

static enum tape_track_action allocate(struct tape_track *track, const struct tape_event *event,
                                       struct tape_track_object *before)
{
    if (!reserve(track, event->object))
        return TAPE_TRACK_NO_MEMORY;
    struct tape_track_object *object = &track->objects[event->object];
    enum tape_track_action action = TAPE_TRACK_USE;
    *before = *object;
    if (object->kind) {
        track->overwritten++;
        track->live_bytes -= object->size;
        track->live_objects--;
        action = TAPE_TRACK_FREE_FIRST;
    }
    *object = (struct tape_track_object){.size = event->size,
                                         .born_event = track->events,
                                         .lane = event->lane,
                                         .kind = event->kind,
                                         .align_log2 = event->align_log2,
                                         .site = event->site};
    track->live_bytes += event->size;
    track->live_objects++;
    note_peak(track, track->events);
    return action;
}

static enum tape_track_action refer(struct tape_track *track, const struct tape_event *event,
                                    struct tape_track_object *before)
{
    if (event->object == TAPE_NO_OBJECT && event->kind == TAPE_USABLE_SIZE)
        return TAPE_TRACK_USE; /* of NULL or of a foreign address */
    if (event->object >= track->capacity || !track->objects[event->object].kind) {
        track->orphans++;
        return TAPE_TRACK_DROP;
    }
    struct tape_track_object *object = &track->objects[event->object];
    *before = *object;
    if (tape_kind_frees(event->kind)) {
        track->live_bytes -= object->size;
        track->live_objects--;
        object->kind = 0;
    } else if (event->kind == TAPE_REALLOC) {
        track->live_bytes += event->size - object->size;
        object->size = event->size;
        object->site = event->site;
        note_peak(track, track->events);
    }
    return TAPE_TRACK_USE;
}

enum tape_track_action tape_track_event(struct tape_track *track, const struct tape_event *event,
                                        struct tape_track_object *ret_before)
{
    struct tape_track_object before = {0};
    enum tape_track_action action = TAPE_TRACK_USE;
    if (tape_kind_allocates(event->kind))
        action = allocate(track, event, &before);
    else if ((event->kind >= TAPE_REALLOC && event->kind <= TAPE_FREE) ||
             event->kind == TAPE_USABLE_SIZE)
        action = refer(track, event, &before);
    if (action != TAPE_TRACK_NO_MEMORY)
        track->events++;
    if (ret_before)
        *ret_before = before;
    return action;
}
