#include "replayer/engine/lanes.h"

#include <string.h>
#include "replayer/engine/engine.h"
#include "traces/track.h"

#define LANES_MAX (UINT32_C(1) << 22)

static struct lane *lane_of(struct lanes *lanes, uint32_t lane)
{
    return &((struct lane *)lanes->table.base)[lane];
}

/* New lanes up to this one. */
static void lanes_extend(struct lanes *lanes, uint32_t lane)
{
    if (lane >= LANES_MAX)
        engine_fail(HEAPTAPE_EXIT_BAD_INPUT, "lane %u: more lanes than the engine can run (%u)",
                    lane, LANES_MAX);
    pages_reserve(&lanes->table, ((size_t)lane + 1) * sizeof(struct lane));
    for (; lanes->count <= lane; lanes->count++)
        *lane_of(lanes, lanes->count) = (struct lane){0, LANES_NONE};
}

static void lanes_see(struct lanes *lanes, struct tape_track *track,
                      const struct tape_event *events, size_t count, uint64_t index)
{
    for (size_t i = 0; i < count; i++) {
        if (ENGINE_UNLIKELY(events[i].lane >= lanes->count))
            lanes_extend(lanes, events[i].lane);
        lane_of(lanes, events[i].lane)->last_event = index + i;
        if (track && tape_track_event(track, &events[i], NULL) == TAPE_TRACK_NO_MEMORY)
            engine_fail(HEAPTAPE_EXIT_ENVIRONMENT,
                        "no memory for the table of live objects: raise the memory limit");
    }
}

static void lanes_survey(struct lanes *lanes, struct tape_reader *reader, struct tape_track *track)
{
    uint64_t index = 0;
    for (;;) {
        const struct tape_event *events;
        size_t count;
        struct tape_error error;
        enum tape_status status = tape_reader_next(reader, &events, &count, &error);
        if (status == TAPE_END)
            return;
        if (status == TAPE_DAMAGED)
            continue;
        if (status != TAPE_OK)
            engine_fail_tape(&error);
        lanes_see(lanes, track, events, count, index);
        index += count;
    }
}

void lanes_open(struct lanes *lanes, struct tape_reader *reader, bool peak)
{
    struct tape_track track;
    memset(lanes, 0, sizeof(*lanes));
    lanes_extend(lanes, 0);
    lane_of(lanes, 0)->thread = 0;
    lanes->peak_event = UINT64_MAX;
    if (peak)
        tape_track_init(&track);
    lanes_survey(lanes, reader, peak ? &track : NULL);
    if (peak) {
        lanes->peak_event = track.peak_event;
        tape_track_end(&track);
    }
    tape_reader_rewind(reader);
    lanes->threads[0] = (struct lanes_thread){.state = LANES_RUNNING, .last_event = UINT64_MAX};
}

void lanes_window(struct lanes *lanes)
{
    for (uint32_t i = 1; i < WINDOW_THREADS; i++) {
        struct lanes_thread *thread = &lanes->threads[i];
        if (thread->ends)
            *thread = (struct lanes_thread){.state = LANES_FREE};
        else if (thread->state == LANES_NEW)
            thread->state = LANES_RUNNING;
    }
    lanes->ended_first = lanes->ended_count = 0;
    lanes->last_thread = LANES_NONE;
    lanes->any = false;
}

/* Where every thread has a live lane: the lane joins another's thread, the lanes spread evenly. */
static uint32_t share(struct lanes *lanes, uint32_t lane)
{
    uint32_t thread = 1 + lane % (WINDOW_THREADS - 1);
    struct lanes_thread *it = &lanes->threads[thread];
    if (it->last_event < lane_of(lanes, lane)->last_event)
        it->last_event = lane_of(lanes, lane)->last_event;
    return thread;
}

static uint32_t begin(struct lanes *lanes, struct window *window, uint32_t thread, uint32_t lane)
{
    struct lanes_thread *it = &lanes->threads[thread];
    *it = (struct lanes_thread){
        .state = LANES_NEW,
        .at_once = lanes->last_thread == LANES_NONE,
        .after = LANES_NONE,
        .last_event = lane_of(lanes, lane)->last_event,
    };
    if (!it->at_once)
        window_put(window, lanes->last_thread, plan_op_make(PLAN_START, thread, 0));
    if (lanes->ended_count) {
        it->after = lanes->ended[lanes->ended_first++];
        lanes->ended_count--;
        lanes->threads[it->after].awaited = true;
    }
    return thread;
}

uint32_t lanes_thread(struct lanes *lanes, struct window *window, uint32_t lane)
{
    if (lane >= lanes->count) /* the file changed since it was read first */
        lanes_extend(lanes, lane);
    struct lane *it = lane_of(lanes, lane);
    if (it->thread == LANES_NONE) {
        uint32_t thread = 1;
        while (thread < WINDOW_THREADS && lanes->threads[thread].state != LANES_FREE)
            thread++;
        if (thread < WINDOW_THREADS)
            it->thread = begin(lanes, window, thread, lane);
        else if (!lanes->any)
            it->thread = share(lanes, lane);
    }
    return it->thread;
}

void lanes_done(struct lanes *lanes, uint32_t thread, uint64_t event)
{
    struct lanes_thread *it = &lanes->threads[thread];
    lanes->last_thread = thread;
    lanes->any = true;
    if (event < it->last_event || it->ends)
        return;
    it->ends = true;
    /* At most one entry a thread: a thread ends once in a window. */
    lanes->ended[lanes->ended_first + lanes->ended_count++] = thread;
}
