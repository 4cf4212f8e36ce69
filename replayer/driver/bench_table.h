/* The bench's table for people: one block a tape, its allocators from fast to slow. */
#ifndef HEAPTAPE_REPLAYER_DRIVER_BENCH_TABLE_H
#define HEAPTAPE_REPLAYER_DRIVER_BENCH_TABLE_H

#include <stdbool.h>
#include <stdio.h>
#include "replayer/driver/results.h"

/* Colour says faster and slower once more; the words say it in any case. */
void bench_table_print(FILE *out, const struct results *results, bool colour);

#endif
