/*
 * Beside the snapshots of a bench: what `heaptape blame` says of each, at the highest resident and
 * at the end, as JSON for the report: "snapshots/TAPE.ALLOCATOR.peak.json", "...end.json", and by
 * pages of 2 MiB "...peak-2M.json", "...end-2M.json".
 */
#ifndef HEAPTAPE_REPLAYER_DRIVER_BLAME_FILES_H
#define HEAPTAPE_REPLAYER_DRIVER_BLAME_FILES_H

#include "replayer/driver/results.h"

/* For every allocator that left snapshots in `folder`. Where it fails a line on stderr says so and
 * nothing is left. */
void blame_files_write(const struct results *results, const char *folder);

#endif
