/* The CSV files of a results folder: memory over the replay, and the sizes of each tape. */
#ifndef HEAPTAPE_REPLAYER_DRIVER_SERIES_H
#define HEAPTAPE_REPLAYER_DRIVER_SERIES_H

#include "replayer/driver/results.h"

/* "series/TAPE.ALLOCATOR.csv", as named in results.json. */
void series_name(const char *tape, const char *allocator, char *text, size_t bytes);
/* "snapshots/TAPE.ALLOCATOR.heap", likewise. */
void series_snapshots_name(const char *tape, const char *allocator, char *text, size_t bytes);
/* The series of each row's median memory run. */
void series_write(const struct results *results, const char *folder);

#endif
