/*
 * A part of a recording as a tape of its own: events pass through on their way to a writer. Before
 * the window begins they only change the live set; what is live when it begins stands in front of
 * its events as allocations, in the order of their births; after its end nothing is written.
 * Memory: the live set until the window begins, none afterwards and where it begins at once.
 */
#ifndef HEAPTAPE_TRACES_WINDOW_H
#define HEAPTAPE_TRACES_WINDOW_H

#include "traces/track.h"
#include "traces/writer.h"

enum window_unit {
    WINDOW_NEVER, /* no limit */
    WINDOW_EVENTS,
    WINDOW_BYTES, /* asked for since the recording began, reallocs' new sizes included */
    WINDOW_NS,    /* since the recording began */
};

struct window_limit {
    enum window_unit unit;
    uint64_t value;
};

struct window {
    struct window_limit start, stop; /* WINDOW_NEVER: at once; not at all */
    struct tape_writer *writer;      /* the caller's */
    bool begun, ended, tracking;
    bool is_all;            /* no limits: events may as well go to the writer directly */
    uint64_t events, bytes; /* that came, all of them */
    uint64_t preamble;      /* events in front of the window's own */
    uint64_t base_ns;       /* time at its beginning: 0 on the tape */
    uint64_t end_ns;        /* time of its last event */
    struct tape_track track;
};

void window_begin(struct window *window, struct window_limit start, struct window_limit stop,
                  struct tape_writer *writer);
void window_end(struct window *window);
/* The next event of the recording, in order. */
enum tape_status window_put(struct window *window, const struct tape_event *event,
                            struct tape_error *error);
/*
 * "100k" is events, "64MiB" or "1GB" bytes, "2.5s", "300ms", "5m" time. False: none of these.
 */
bool window_parse(const char *text, struct window_limit *ret_limit);

#endif
