/*
 * What resolve.c (passes, blocks, the whole) and resolve_events.c (from records to events) share.
 * Of nobody else's concern.
 */
#ifndef HEAPTAPE_TRACES_RESOLVER_H
#define HEAPTAPE_TRACES_RESOLVER_H

#include "traces/address_map.h"
#include "traces/block.h"
#include "traces/merge.h"
#include "traces/meta.h"
#include "traces/raw_clock.h"
#include "traces/raw_sites.h"
#include "traces/resolve.h"

enum {
    META_BYTES = 3 * FORMAT_META_MAX,
    META_PAIRS = 256,
    SAMPLES_WAITING = 64,
    /* A signal handler may allocate inside realloc; deeper than this is no recording of ours. */
    NESTED_MAX = 1024,
    MARK_BYTES_MAX = 4096, /* longer ones are damage */
    AHEAD = 8,             /* records, whose slot of the address map is fetched meanwhile */
    /* Time on a tape is in steps of this: finer costs bytes and means nothing (FORMAT.md, "Clock").
     */
    TIME_QUANTUM_NS = 1000,
    TIME_STEP_NS = 10000,
};

/* A realloc that has begun: its address is nobody's until it ends. */
struct in_flight {
    uint64_t address;
    uint32_t object; /* 0: realloc(NULL, n), or of a foreign address */
    uint32_t reserved;
};

struct lane {
    uint32_t number_plus_1; /* on the tape; 0 before the first event */
    uint32_t site;          /* of its allocations at the moment */
    uint32_t depth, capacity;
    struct in_flight *in_flight;
};

struct waiting_sample {
    uint64_t tsc;
    struct tape_sample sample;
};

struct resolver {
    struct block_input input;
    struct tape_writer *writer;
    struct address_map map;
    struct merge merge;
    struct raw_clock clock;
    struct resolve_stats stats;
    struct lane *lanes;
    uint64_t lane_capacity;
    uint32_t lane_count;      /* lanes on the tape */
    uint64_t in_flight_lanes; /* that ever had a realloc */
    uint32_t *free_ids;
    uint64_t free_count, free_capacity;
    uint32_t next_id;
    uint64_t time_ns;
    bool fixed_clock, seen_end;
    bool settled; /* whatever the record at hand depends on must be known by now */
    bool parked;  /* it is not, and nothing was done */
    bool last_pass;
    unsigned samples;
    struct waiting_sample sample[SAMPLES_WAITING];
    char **marks; /* texts by number; NULL: given out */
    uint64_t mark_count, mark_capacity, marks_waiting;
    uint64_t *sizes; /* by object: asked for; 0 where it is not live */
    uint64_t size_capacity, requested;
    struct window window;
    struct raw_sites sites;
    struct resolve_options options;
    struct tape_error *error;
    struct meta meta;
    char meta_text[META_BYTES];
};

enum tape_status resolver_no_memory(struct resolver *resolver);
/* A mark's text, until its record's turn comes: a raw_mark_sink, the context is the resolver. */
uint64_t resolver_keep_mark(void *context, const char *text, size_t bytes);
/* Takes the record whose turn it is; `parked` where it must wait for the next pass. */
enum tape_status resolver_take_record(struct resolver *resolver, struct lane *lane,
                                      const struct raw_record *record);

#endif
