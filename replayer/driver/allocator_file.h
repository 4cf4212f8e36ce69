/*
 * Files of described allocators: one NAME=TARGET[,ENV=VALUE...] a line (allocator_spec.h), blank
 * lines and those that begin with # left out, relative paths taken from the file's own folder.
 * Their names can be given to -a, and they count among those that are found.
 *
 * The user's own, $XDG_CONFIG_HOME/heaptape/allocators or ~/.config/heaptape/allocators, is always
 * read. None is taken from the current folder unasked: it would have libraries loaded by whoever
 * wrote to that folder.
 */
#ifndef HEAPTAPE_REPLAYER_DRIVER_ALLOCATOR_FILE_H
#define HEAPTAPE_REPLAYER_DRIVER_ALLOCATOR_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include "replayer/driver/allocator_spec.h"

struct allocator_file_entry {
    struct allocator_spec spec; /* has a name */
    const char *words;          /* "FILE:LINE" */
    const char *folder;         /* of the file */
    bool must;                  /* of a file that was asked for: it has to load */
};

/* --allocators=FILE. Ends the tool: 4 unreadable, 2 with FILE:LINE where a line is none. */
void allocator_file_read(const char *path);

/* Of all files; the first call reads the user's own. */
size_t allocator_file_count(void);
const struct allocator_file_entry *allocator_file_entry(size_t index);
const struct allocator_file_entry *allocator_file_named(const char *name);

#endif
