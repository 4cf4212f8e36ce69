/* The tapes of a bench: opened, read through once, named. */
#ifndef HEAPTAPE_REPLAYER_DRIVER_TAPES_H
#define HEAPTAPE_REPLAYER_DRIVER_TAPES_H

#include "replayer/driver/results.h"

/*
 * Reads every tape of `paths` into results->tapes, with warnings about what of them is lost. Ends
 * the tool where one is no tape (3) or cannot be read (4).
 */
void tapes_load(struct results *results, char **paths, unsigned count);

/*
 * PATH's name for files: without folders and .tape, only [A-Za-z0-9._-], not like any of the
 * `count` before it ("x", "x-2", ...).
 */
void tapes_name(const char *path, const struct results_tape *before, unsigned count,
                char name[RESULTS_NAME_MAX]);

#endif
