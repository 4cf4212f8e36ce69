/*
 * What was not freed, told on stderr at exit: how many blocks and bytes, and with
 * TEXTBOOK_LEAKS=sites who asked for them, most bytes first. For that each block has a word at its
 * end with the address that the call returns to:
 *
 *     | tag | payload, as malloc_usable_size() tells it | site 8 | footer |
 *
 * Sizes are usable ones; what libc and the loader keep until the end is counted as well. A wrapper
 * around malloc is the site of all that comes through it.
 */
#ifndef TEXTBOOK_LEAKS_H
#define TEXTBOOK_LEAKS_H

#include "policy.h"
#include "textbook.h"

#define SITE_BYTES sizeof(void *)

/* With the lock held. */
void leaks_tell(const struct policy *policy, const struct textbook_stats *stats);

#endif
