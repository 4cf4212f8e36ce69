/* How long the blocks of each tape live, by size, from heaptape analyze, which runs beside us. */
#ifndef HEAPTAPE_REPLAYER_DRIVER_LIFETIMES_H
#define HEAPTAPE_REPLAYER_DRIVER_LIFETIMES_H

#include "replayer/driver/results.h"

/* "series/TAPE.lifetimes.csv", as named in results.json where `lifetimes_known`. */
void lifetimes_name(const char *tape, char *text, size_t bytes);
/* Writes the file of every tape and sets its `lifetimes_known`; one that heaptape analyze cannot
 * tell of is left out, and a bench goes on without. Needs interrupt_begin() before. */
void lifetimes_write(struct results *results, const char *folder);

#endif
