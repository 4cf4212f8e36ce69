#include "traces/window.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "traces/cli.h"

void window_begin(struct window *window, struct window_limit start, struct window_limit stop,
                  struct tape_writer *writer)
{
    *window = (struct window){.start = start, .stop = stop, .writer = writer};
    window->begun = start.unit == WINDOW_NEVER;
    window->tracking = !window->begun;
    window->is_all = window->begun && stop.unit == WINDOW_NEVER;
    tape_track_init(&window->track);
}

void window_end(struct window *window)
{
    tape_track_end(&window->track);
}

static bool is_reached(const struct window *window, struct window_limit limit, uint64_t time_ns)
{
    switch (limit.unit) {
    case WINDOW_EVENTS:
        return window->events >= limit.value;
    case WINDOW_BYTES:
        return window->bytes >= limit.value;
    case WINDOW_NS:
        return time_ns >= limit.value;
    default:
        return false;
    }
}

static enum tape_status put(struct window *window, struct tape_event event,
                            struct tape_error *error)
{
    event.time_ns = event.time_ns > window->base_ns ? event.time_ns - window->base_ns : 0;
    window->end_ns = event.time_ns;
    return tape_writer_put(window->writer, &event, error);
}

/* ---- the live set at the beginning -------------------------------------------------------------
 */

struct born {
    uint64_t event;
    uint32_t object;
};

static int by_birth(const void *a, const void *b)
{
    const struct born *x = a, *y = b;
    return x->event < y->event ? -1 : x->event > y->event;
}

static enum tape_status put_object(struct window *window, uint32_t id, struct tape_error *error)
{
    const struct tape_track_object *object = &window->track.objects[id];
    window->preamble++;
    return put(window,
               (struct tape_event){.size = object->size,
                                   .object = id,
                                   .lane = object->lane,
                                   .kind = object->kind,
                                   .align_log2 = object->align_log2,
                                   .site = object->site},
               error);
}

static enum tape_status put_live_set(struct window *window, struct tape_error *error)
{
    const struct tape_track *track = &window->track;
    struct born *born = calloc(track->live_objects + 1, sizeof *born);
    uint64_t count = 0;
    enum tape_status status = TAPE_OK;
    if (!born)
        return tape_error_set(error, TAPE_NO_MEMORY, UINT64_MAX, "no memory for the live set");
    for (uint64_t id = 1; id < track->capacity; id++)
        if (track->objects[id].kind)
            born[count++] = (struct born){track->objects[id].born_event, (uint32_t)id};
    qsort(born, count, sizeof *born, by_birth);
    for (uint64_t i = 0; i < count && status == TAPE_OK; i++)
        status = put_object(window, born[i].object, error);
    free(born);
    return status;
}

/* ---- events ------------------------------------------------------------------------------------
 */

/* Frees first what damage left at the event's object; tells whether the event is to be used. */
static enum tape_status follow(struct window *window, const struct tape_event *event, bool *ret_use,
                               struct tape_error *error)
{
    enum tape_track_action action = tape_track_event(&window->track, event, NULL);
    *ret_use = window->begun && action != TAPE_TRACK_DROP;
    if (action == TAPE_TRACK_NO_MEMORY)
        return tape_error_set(error, TAPE_NO_MEMORY, UINT64_MAX, "no memory for the live set");
    if (!window->begun || action != TAPE_TRACK_FREE_FIRST)
        return TAPE_OK;
    return put(window,
               (struct tape_event){.kind = TAPE_FREE,
                                   .object = event->object,
                                   .lane = event->lane,
                                   .time_ns = event->time_ns},
               error);
}

enum tape_status window_put(struct window *window, const struct tape_event *event,
                            struct tape_error *error)
{
    enum tape_status status = TAPE_OK;
    bool use = true;
    if (window->ended || is_reached(window, window->stop, event->time_ns)) {
        window->ended = true;
        return TAPE_OK;
    }
    if (!window->begun && is_reached(window, window->start, event->time_ns)) {
        window->begun = true;
        window->base_ns = event->time_ns;
        status = put_live_set(window, error);
    }
    if (status == TAPE_OK && window->tracking)
        status = follow(window, event, &use, error);
    window->events++;
    if (event->kind != TAPE_FAILED)
        window->bytes += event->size;
    return status == TAPE_OK && use ? put(window, *event, error) : status;
}

/* ---- limits ------------------------------------------------------------------------------------
 */

bool window_parse(const char *text, struct window_limit *ret_limit)
{
    size_t length = strlen(text);
    char last = length ? text[length - 1] : '\0';
    if (last == 'B') {
        ret_limit->unit = WINDOW_BYTES;
        return cli_parse_size(text, &ret_limit->value);
    }
    bool is_time = last == 's' || last == 'h' || last == 'm';
    ret_limit->unit = is_time ? WINDOW_NS : WINDOW_EVENTS;
    return is_time ? cli_parse_duration(text, &ret_limit->value)
                   : cli_parse_count(text, &ret_limit->value);
}
