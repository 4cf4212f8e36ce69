/*
 * From events to windows of planned operations. Every event is judged first as the tape library's
 * track does (by it, or by live.h where no sizes are needed), so that a damaged tape still makes a
 * sound sequence of calls.
 */
#ifndef HEAPTAPE_REPLAYER_PLAN_H
#define HEAPTAPE_REPLAYER_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "replayer/engine/engine.h"
#include "replayer/engine/lanes.h"
#include "replayer/engine/live.h"
#include "replayer/engine/order.h"
#include "replayer/engine/timetable.h"
#include "replayer/engine/window.h"
#include "traces/reader.h"
#include "traces/track.h"

struct plan {
    const struct engine_settings *settings;
    struct tape_reader *reader;
    const struct tape_event *events; /* read and not yet planned */
    size_t events_left;
    uint64_t event;                      /* index of the next one */
    uint64_t events_claimed;             /* by the tape; 0 = not known */
    uint64_t chance_stride, next_chance; /* events, for snapshots; 0 = none are wanted */
    uint64_t asked;                      /* event: a snapshot there; ENGINE_NO_EVENT: no more */
    uint64_t pause_ns;                   /* recorded: so long without an event is a pause */
    uint64_t last_ns;    /* recorded time of the last call planned in this window, */
    uint32_t last_index; /* and its operation; UINT32_MAX: none yet */
    uint32_t windows;    /* planned so far */
    bool kept;           /* by an earlier run: its windows come from plan_file.h */
    bool ended;
    bool several;   /* lanes: `lanes` and `order` are in use */
    uint32_t slots; /* size that the slot table must have */
    uint64_t calls, skipped;
    uint64_t peak_bytes;              /* highest R so far */
    uint32_t peak_index, peak_thread; /* the operation that reached it */
    bool peak_here;                   /* ... in this window */
    bool quick;                       /* `live` judges the events, else `track` */
    bool plain;                       /* quick, one lane, no pace: plain calls go the short way */
    struct live live;
    struct tape_track track;
    struct window window;
    struct lanes lanes;
    struct order order;
    struct timetable timetable;
};

/* Opens the tape and makes the tables. Ends the run where that fails. */
void plan_open(struct plan *plan, const struct engine_settings *settings);
/* Plans the next window. False: there is none. */
bool plan_window(struct plan *plan);

#endif
