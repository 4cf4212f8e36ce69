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

/*
 * The path under which other processes can open the tape as well, and more than once: /dev/stdin is
 * a file of each process's own. Ends the tool with 3 on a pipe or a device. The text stays.
 */
const char *tapes_path(const char *given);

#endif
