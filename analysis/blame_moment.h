/*
 * The moment that blame looks at: --at, and the snapshot that is nearest to it. One thread.
 */
#ifndef HEAPTAPE_ANALYSIS_BLAME_MOMENT_H
#define HEAPTAPE_ANALYSIS_BLAME_MOMENT_H

#include "analysis/heap_file.h"
#include "traces/reader.h"

/*
 * The event that --at=AT names; HEAP_NO_EVENT for the words peak, live and end. A time is the last
 * event that was recorded by then: found by reading the tape, and the reader is rewound. Ends the
 * program where AT is none of them, or lies beyond the tape.
 */
uint64_t blame_moment_event(const char *at, struct tape_reader *reader);
/* The snapshot of that word or nearest to that event; the file has one at least. Ends the program
 * where the word's is not in it; warns where the nearest is far away. */
uint32_t blame_moment_choose(const struct heap_file *file, const char *at, uint64_t event,
                             uint64_t events);

#endif
