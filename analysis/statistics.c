#include "analysis/statistics.h"

#include <string.h>

#include "analysis/packing.h"

bool statistics_init(struct statistics *statistics)
{
    memset(statistics, 0, sizeof(*statistics));
    tape_track_init(&statistics->track);
    live_series_init(&statistics->series);
    return size_table_init(&statistics->sizes);
}

void statistics_end(struct statistics *statistics)
{
    tape_track_end(&statistics->track);
    size_table_end(&statistics->sizes);
    lifetimes_end(&statistics->lifetimes);
    lane_table_end(&statistics->lanes);
    lane_pairs_end(&statistics->lane_pairs);
}

/* The size enters the histogram and the table of exact sizes. */
static bool count_size(struct statistics *s, uint64_t size)
{
    unsigned bin = summary_size_bin(size);

    s->size_count[bin]++;
    s->size_bytes[bin] += size;
    return size_table_add(&s->sizes, size);
}

static bool object_begins(struct statistics *s, const struct tape_event *event, uint64_t index,
                          struct lane_stats *lane)
{
    if (!lifetimes_born(&s->lifetimes, event->object, s->allocated_bytes))
        return false;
    s->allocated_bytes += event->size;
    s->granule_bytes += packing_granules(event->size);
    lane->allocations++;
    lane->allocated_bytes += event->size;
    lane->last_object = event->object;
    lane->last_born_event = index + 1;
    return count_size(s, event->size);
}

/*
 * `object` as it was just before. A block is temporary when the lane that made it frees it before
 * it allocates anything else.
 */
static bool object_ends(struct statistics *s, const struct tape_event *event, uint64_t index,
                        const struct tape_track_object *object)
{
    struct lane_stats *owner = &s->lanes.lanes[object->lane];
    struct lane_stats *lane = &s->lanes.lanes[event->lane];

    s->ended++;
    s->granule_bytes -= packing_granules(object->size);
    lifetimes_ended(&s->lifetimes, event->object, index - object->born_event, object->size,
                    s->allocated_bytes);
    size_table_remove(&s->sizes, object->size);
    if (object->lane != event->lane) {
        s->cross_lane_frees++;
        lane->frees_of_others++;
        owner->freed_by_others++;
        return lane_pairs_add(&s->lane_pairs, object->lane, event->lane, object->size);
    }
    if (lane->last_object == event->object && lane->last_born_event == object->born_event + 1) {
        s->temporary++;
        lane->temporary++;
        lane->last_object = TAPE_NO_OBJECT;
    }
    return true;
}

static bool object_changes(struct statistics *s, const struct tape_event *event,
                           const struct tape_track_object *before, struct lane_stats *lane)
{
    struct realloc_stats *r = &s->reallocs;
    uint64_t old_size = before->size, new_size = event->size;

    if (new_size > old_size) {
        r->grew++;
        r->grown_bytes += new_size - old_size;
        s->allocated_bytes += new_size - old_size;
        lane->allocated_bytes += new_size - old_size;
    } else if (new_size < old_size) {
        r->shrank++;
        r->shrunk_bytes += old_size - new_size;
    } else {
        r->same++;
    }
    r->copied_bytes_max += new_size < old_size ? new_size : old_size;
    s->granule_bytes += packing_granules(new_size) - packing_granules(old_size);
    size_table_remove(&s->sizes, old_size);
    return count_size(s, new_size);
}

/* A sound event: what it does to its object. */
static bool use_event(struct statistics *s, const struct tape_event *event, uint64_t index,
                      const struct tape_track_object *before, struct lane_stats *lane)
{
    if (tape_kind_allocates(event->kind))
        return object_begins(s, event, index, lane);
    if (event->kind == TAPE_REALLOC)
        return object_changes(s, event, before, lane);
    if (tape_kind_frees(event->kind)) {
        lane->frees++;
        return object_ends(s, event, index, before);
    }
    return true;
}

static void note_peak(struct statistics *s, const struct tape_event *event, uint64_t index)
{
    if (s->granule_bytes > s->peak_granule_bytes)
        s->peak_granule_bytes = s->granule_bytes;
    if (s->track.live_bytes <= s->peak_live_bytes)
        return;
    s->peak_live_bytes = s->track.live_bytes;
    s->peak_event = index;
    s->peak_time_ns = event->time_ns;
    s->blocks_at_peak = s->track.live_objects;
    size_table_peak(&s->sizes);
}

static struct live_point point_now(const struct statistics *s)
{
    return (struct live_point){.event = s->events,
                               .time_ns = s->duration_ns,
                               .live_bytes = s->track.live_bytes,
                               .live_blocks = s->track.live_objects,
                               .allocated_bytes = s->allocated_bytes};
}

bool statistics_event(struct statistics *s, const struct tape_event *event)
{
    struct tape_track_object before = {0};
    enum tape_track_action action = tape_track_event(&s->track, event, &before);
    struct lane_stats *lane = lane_table_get(&s->lanes, event->lane);
    /* The tracker's own count, so that it agrees with the births it noted. */
    uint64_t index = s->events++;

    if (action == TAPE_TRACK_NO_MEMORY || !lane)
        return false;
    lane->events++;
    if (event->kind < TAPE_EVENT_KIND_LIMIT)
        s->by_kind[event->kind]++;
    if (event->time_ns > s->duration_ns)
        s->duration_ns = event->time_ns;
    if (action == TAPE_TRACK_DROP)
        s->dropped++;
    if (action == TAPE_TRACK_FREE_FIRST && !object_ends(s, event, index, &before))
        return false;
    if (action != TAPE_TRACK_DROP && !use_event(s, event, index, &before, lane))
        return false;
    note_peak(s, event, index);
    s->live_bytes_sum += (double)s->track.live_bytes;
    if (live_series_due(&s->series))
        live_series_add(&s->series, point_now(s));
    else
        live_series_skip(&s->series, s->track.live_bytes);
    return true;
}

void statistics_finish(struct statistics *s)
{
    live_series_finish(&s->series, point_now(s));
}

uint64_t statistics_allocations(const struct statistics *s)
{
    return s->by_kind[TAPE_MALLOC] + s->by_kind[TAPE_CALLOC] + s->by_kind[TAPE_ALIGNED] +
           s->by_kind[TAPE_REALLOC_NEW];
}

uint64_t statistics_frees(const struct statistics *s)
{
    return s->by_kind[TAPE_FREE] + s->by_kind[TAPE_FREE_NULL] + s->by_kind[TAPE_FREE_FOREIGN] +
           s->by_kind[TAPE_REALLOC_FREE];
}
