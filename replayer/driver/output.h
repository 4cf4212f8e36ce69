/*
 * A file of the results folder, written whole or not at all: to a temporary name beside it, then
 * renamed. Errors end the tool with 4, its temporary file removed: a full disk leaves what was
 * there before.
 */
#ifndef HEAPTAPE_REPLAYER_DRIVER_OUTPUT_H
#define HEAPTAPE_REPLAYER_DRIVER_OUTPUT_H

#include <limits.h>
#include <stdio.h>

struct output {
    FILE *file;
    char path[PATH_MAX], temporary[PATH_MAX];
};

/* FOLDER/NAME; `name` may have folders of its own, which must be there. */
void output_open(struct output *output, const char *folder, const char *name);
void output_close(struct output *output);
/* "FOLDER/NAME" into path; ends the tool where it is too long. Returns path. */
const char *output_path(const char *folder, const char *name, char path[PATH_MAX]);

#endif
