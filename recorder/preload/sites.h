/*
 * Call sites: who asked for a block. A site is a stack of return addresses, innermost first, as
 * deep as the session asks for; it has a number (1, 2, ...) in its process, and lies in a table
 * that the collector reads (recorder/ring.h). Frames of ours and of the C++ operators that only
 * pass a call on are left out, so the first one is the program's or a library's.
 *
 * Any thread, signal handlers too. No lock, no heap.
 */
#ifndef HEAPTAPE_RECORDER_SITES_H
#define HEAPTAPE_RECORDER_SITES_H

#include <stdbool.h>
#include <stdint.h>
#include "recorder/ring.h"

/* Sites go to this table from now on; NULL: none are recorded. Zeroed memory. */
void sites_begin(struct ring_sites *table, uint32_t depth);
/* The number of the site that the hook at work was called from; 0: not known. `caller`: its return
 * address, perhaps one of ours or one that is passed over. */
uint32_t sites_here(const void *caller);
/* Frames of this function do not count. Its extent is looked up in its object. */
void sites_pass_over(const void *function);

#endif
