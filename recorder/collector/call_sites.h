/*
 * A recorded process's call sites: from the table that the preload fills (recorder/ring.h) to its
 * raw tape, bit by bit while it runs, so that little is missing if we are killed.
 */
#ifndef HEAPTAPE_RECORDER_CALL_SITES_H
#define HEAPTAPE_RECORDER_CALL_SITES_H

#include "recorder/ring.h"
#include "traces/raw_writer.h"

struct call_sites {
    struct ring_sites *table; /* NULL: none */
    uint32_t chunk;           /* it lies in */
    uint32_t sites, objects;  /* written so far */
};

/*
 * Writes what is new. `last`: the process is gone, so what is not whole by now never will be.
 */
enum tape_status call_sites_write(struct call_sites *sites, struct raw_writer *writer, bool last,
                                  struct tape_error *error);

#endif
