#include "analysis/births.h"

#include <stdlib.h>
#include "traces/track.h"

struct birth {
    uint64_t event, size;
    uint32_t lane, site;
};

static enum tape_status no_memory(struct tape_error *error)
{
    return tape_error_set(error, TAPE_NO_MEMORY, UINT64_MAX, "no memory for the live set");
}

/* The live set right after the event, or at the end. */
static enum tape_status replay_to(struct tape_reader *reader, uint64_t last,
                                  struct tape_track *track, struct tape_error *error)
{
    const struct tape_event *events;
    size_t count;
    while (track->events <= last) {
        enum tape_status status = tape_reader_next(reader, &events, &count, error);
        if (status == TAPE_END)
            return TAPE_OK;
        if (status == TAPE_DAMAGED)
            continue;
        if (status != TAPE_OK)
            return status;
        for (size_t i = 0; i < count && track->events <= last; i++)
            if (tape_track_event(track, &events[i], NULL) == TAPE_TRACK_NO_MEMORY)
                return no_memory(error);
    }
    return TAPE_OK;
}

static int by_event(const void *first, const void *second)
{
    uint64_t a = ((const struct birth *)first)->event, b = ((const struct birth *)second)->event;
    return a < b ? -1 : a > b;
}

static struct birth *sorted_births(const struct tape_track *track, size_t *ret_count)
{
    struct birth *births = malloc((track->live_objects + 1) * sizeof *births);
    size_t count = 0;
    for (uint64_t id = 0; births && id < track->capacity; id++) {
        const struct tape_track_object *object = &track->objects[id];
        if (object->kind)
            births[count++] =
                (struct birth){object->born_event, object->size, object->lane, object->site};
    }
    if (births)
        qsort(births, count, sizeof *births, by_event);
    *ret_count = count;
    return births;
}

static enum tape_status look_up(const struct birth *births, size_t count,
                                const struct heap_snapshot *snapshot, uint32_t *sites,
                                struct tape_error *error)
{
    for (size_t i = 0; i < snapshot->head.blocks; i++) {
        const struct heap_block *block = &snapshot->blocks[i];
        struct birth wanted = {.event = block->birth};
        const struct birth *found = bsearch(&wanted, births, count, sizeof *births, by_event);
        if (!found || found->lane != block->lane || found->size != block->requested)
            return tape_error_set(error, TAPE_BAD_INPUT, UINT64_MAX,
                                  "the snapshots are not of this tape: no block of %llu bytes "
                                  "begins at its event %llu; name the tape that was replayed",
                                  (unsigned long long)block->requested,
                                  (unsigned long long)block->birth);
        sites[i] = found->site;
    }
    return TAPE_OK;
}

enum tape_status births_sites(struct tape_reader *reader, const struct heap_snapshot *snapshot,
                              uint32_t *sites, struct tape_error *error)
{
    struct tape_track track;
    size_t count;
    tape_track_init(&track);
    enum tape_status status = replay_to(reader, snapshot->head.event, &track, error);
    if (status == TAPE_OK) {
        struct birth *births = sorted_births(&track, &count);
        status = births ? look_up(births, count, snapshot, sites, error) : no_memory(error);
        free(births);
    }
    tape_track_end(&track);
    return status;
}
