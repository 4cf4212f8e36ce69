/*
 * The call sites of the blocks of a snapshot: a block is named by the event that began it, and the
 * tape tells who asked then (or by a later realloc, which makes the block its own). Memory: the
 * tape's live set. One thread.
 */
#ifndef HEAPTAPE_ANALYSIS_BIRTHS_H
#define HEAPTAPE_ANALYSIS_BIRTHS_H

#include "analysis/heap_file.h"
#include "traces/reader.h"

/*
 * Reads the tape's events up to the snapshot's and writes each block's site to sites[], 0 where the
 * tape knows none. TAPE_BAD_INPUT: the snapshot is not of this tape. The reader stands at its first
 * event.
 */
enum tape_status births_sites(struct tape_reader *reader, const struct heap_snapshot *snapshot,
                              uint32_t *sites, struct tape_error *error);

#endif
