/* What an address lies in, in words, for messages about misuse: what the program holds there, or
 * once held, and where it begins. Best effort: reads what other threads may be changing, waits for
 * nobody, and says nothing where it knows nothing. */
#ifndef HTMALLOC_WHERE_H
#define HTMALLOC_WHERE_H

#include "message.h"

/* Adds " (...)" to the line, or nothing. */
void line_where(struct ht_line *line, const void *address);

#endif
