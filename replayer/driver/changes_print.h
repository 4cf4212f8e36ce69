/* The comparison of two benches: for people, and as JSON or CSV. */
#ifndef HEAPTAPE_REPLAYER_DRIVER_CHANGES_PRINT_H
#define HEAPTAPE_REPLAYER_DRIVER_CHANGES_PRINT_H

#include <stdio.h>
#include "replayer/driver/changes.h"
#include "traces/emit.h"

/*
 * A line that sums it up and a table: where something fails or may, of that alone and how much else
 * was compared; else of all that was compared. `failed` is what changes_fail() said.
 */
void changes_print_table(FILE *out, const struct changes *changes, bool failed, bool colour);
/* The members of an object that the caller has opened; in CSV the rows of `changes`. */
void changes_emit(struct emit *emit, const struct changes *changes, bool failed);
/* The warnings as lines on stderr. */
void changes_warn(const struct changes *changes);

#endif
