/*
 * Latencies in the results folder: latency.csv (a row for each tape, allocator, call and size
 * class), and for each tape and allocator series/TAPE.ALLOCATOR.latency.csv (what share of a kind's
 * calls took how long at most) and series/TAPE.ALLOCATOR.latency_time.csv (over the run).
 */
#ifndef HEAPTAPE_REPLAYER_DRIVER_LATENCY_FILES_H
#define HEAPTAPE_REPLAYER_DRIVER_LATENCY_FILES_H

#include "replayer/driver/results.h"

#define LATENCY_FILE "latency.csv"

/* Adds a run's to what the bench has of this tape and allocator. */
void latency_keep(struct results *results, unsigned tape, unsigned allocator,
                  const struct engine_latency *latency);
/* All files; none where nothing was measured. */
void latency_files_write(const struct results *results, const char *folder);
/* The member "latency" of results.json. */
void latency_emit_results(struct emit *emit, const struct results *results);

#endif
