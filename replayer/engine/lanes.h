/*
 * Which thread runs a recorded lane. Lane 0, the program's first thread, is run by the engine's
 * first thread (allocators treat it in their own way); every other lane by a thread of its own that
 * begins with the lane's first event and exits after its last, since how an allocator takes in a
 * thread's end is part of what is measured.
 *
 * - A lane's thread begins after the event before its first one, whichever thread that is on.
 * - Where a lane has ended before another begins, the later one's thread waits for the earlier
 *   one's exit. So no more threads run at once in replay than did when recorded.
 * - At most WINDOW_THREADS - 1 threads exist besides the first. A window ends early where more
 *   would be needed. Where so many lanes are alive at once that this doesn't help, a lane shares
 *   the thread of another for good, in the recorded order.
 */
#ifndef HEAPTAPE_REPLAYER_LANES_H
#define HEAPTAPE_REPLAYER_LANES_H

#include <stdbool.h>
#include <stdint.h>
#include "replayer/engine/pages.h"
#include "replayer/engine/window.h"
#include "traces/reader.h"

#define LANES_NONE UINT32_MAX

enum lanes_state {
    LANES_FREE,    /* no lane has this thread */
    LANES_NEW,     /* begins in this window: a real thread is to be made */
    LANES_RUNNING, /* was made in an earlier window */
};

struct lanes_thread {
    enum lanes_state state;
    bool at_once;        /* LANES_NEW: begins with the window, not by a PLAN_START */
    bool ends;           /* has no event after this window */
    bool awaited;        /* ends, and another new thread waits for its exit */
    uint32_t after;      /* LANES_NEW: the thread whose exit it waits for, or LANES_NONE */
    uint64_t last_event; /* index of its lanes' last event in the tape */
};

struct lane {
    uint64_t last_event;
    uint32_t thread; /* LANES_NONE before its first event */
};

struct lanes {
    struct pages table;  /* struct lane */
    uint32_t count;      /* lanes of the tape */
    uint64_t peak_event; /* the first event at which R is highest; UINT64_MAX: not asked for */
    uint32_t ended[WINDOW_THREADS]; /* threads that end in this window, not awaited; oldest first */
    uint32_t ended_first, ended_count;
    uint32_t last_thread; /* of the event before, in this window; LANES_NONE = none yet */
    bool any;             /* the window has an event */
    struct lanes_thread threads[WINDOW_THREADS];
};

/*
 * Reads the whole tape once to learn when each lane ends, and with `peak` where R is highest, and
 * rewinds. Ends the run on a tape that cannot be read at all.
 */
void lanes_open(struct lanes *lanes, struct tape_reader *reader, bool peak);
/* A window begins: threads whose lanes have ended are free again. */
void lanes_window(struct lanes *lanes);
/*
 * The thread for the event with this index of this lane; where it is new, a PLAN_START is put with
 * the event before it. LANES_NONE: the window must be run first.
 */
uint32_t lanes_thread(struct lanes *lanes, struct window *window, uint32_t lane);
/* The event was planned (or left out). */
void lanes_done(struct lanes *lanes, uint32_t thread, uint64_t event);

#endif
