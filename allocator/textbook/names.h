/*
 * Names of blocks, for pictures and leak checks (malloc_name.h). They lie in a table beside the
 * heap, so that a heap with names is laid out like one without. A name goes with its block: realloc
 * takes it along, free() drops it.
 *
 * All with the lock held.
 */
#ifndef TEXTBOOK_NAMES_H
#define TEXTBOOK_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "region.h"

#define NAME_BYTES 24 /* with the NUL; what is longer is cut off */

extern size_t names_count; /* blocks that have a name */

/* False where there is no memory for it; the block then has none. An empty name drops it. */
bool names_set(const void *payload, const char *name);
/* NULL where it has none. Valid until the next name is set or dropped. */
const char *names_get(const void *payload);
void names_drop(const void *payload);
/* After a realloc that moved the block. */
void names_move(const void *from, const void *to);
/* The name of a block as policies tell of it (visit_block); NULL where it has none. */
const char *names_of_block(const struct region *region, const char *start, size_t bytes,
                           size_t usable);
/* Calls `visit` for each. */
void names_walk(void (*visit)(void *context, const void *payload, const char *name), void *context);
void names_forget(void);

#endif
