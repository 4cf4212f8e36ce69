/*
 * From a raw tape (addresses, lanes) to a tape (objects, one causal order). Streams: memory is
 * bounded by the live set and by the length of a pass, never by the length of the tape.
 *
 * Order rule. A record's key is the stamp of the latest stamped record at or before it in its lane.
 * Within a pass that ended at moment T, records are merged by key, lanes' own order kept, up to
 * each lane's first stamp >= T; what is left joins the next pass. Why that is causal is proved in
 * FORMAT.md: the preload stamps every record that touches an address region last touched by another
 * lane.
 */
#ifndef HEAPTAPE_TRACES_RESOLVE_H
#define HEAPTAPE_TRACES_RESOLVE_H

#include "traces/error.h"
#include "traces/event.h"
#include "traces/symbol.h"
#include "traces/window.h"

struct resolve_stats {
    uint64_t records;       /* raw records read, stamps included */
    uint64_t events;        /* that it gave */
    uint64_t live_twice;    /* allocations at an address that was live: 0 on a sound recording */
    uint64_t foreign_frees; /* frees of addresses that no recorded allocation gave */
    uint64_t damaged_blocks;
    uint64_t written; /* events on the tape: fewer or more where only a window was asked for */
    uint64_t peak_resident, peak_requested; /* bytes; requested: exactly, not sampled */
    bool complete;
    bool window_begun;
};

struct resolve_options {
    /* Called with bytes read so far and in all. */
    void (*progress)(void *context, uint64_t done_bytes, uint64_t all_bytes);
    void *progress_context;
    /* The raw tape is still being written: called at the end of what is there; waits, and says
     * whether to look again. NULL: it is whole. */
    bool (*more)(void *context);
    void *more_context;
    symbol_finder *find_symbol; /* names for call sites; NULL: they stay addresses */
    void *symbol_context;
    struct window_limit start, stop;    /* what part becomes the tape */
    const char *start_text, *stop_text; /* as the user wrote them, for the metadata; NULL: none */
};

/*
 * Resolves RAW_PATH into TAPE_PATH (created or truncated). A torn or cut raw tape gives a readable
 * tape that is marked incomplete. `options` may be NULL.
 */
enum tape_status tape_resolve(const char *raw_path, const char *tape_path,
                              const struct resolve_options *options,
                              struct resolve_stats *ret_stats, struct tape_error *error);

#endif
