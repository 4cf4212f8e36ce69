/*
 * Large blocks: each a mapping of its own, given back to the system as soon as it is freed.
 *
 *   mapping | (unused where the payload is aligned) | struct large (48) | payload | to the page's
 * end |
 *
 * The last word of the struct is the tag, where free() looks. realloc lets the kernel move the
 * pages (mremap) and copies nothing. A mapping that munmap() refuses to give back (the kernel's
 * limit on mappings) is emptied, kept, and used again by the next block that fits in it.
 *
 * All functions are called with the lock held.
 */
#ifndef TEXTBOOK_LARGE_H
#define TEXTBOOK_LARGE_H

#include "policy.h"

/* As the functions of struct policy. */
void *large_take(size_t size, size_t align);
void large_give(void *payload);
/* May move the block; NULL where the system refuses or `size` is no large block's. */
void *large_resize(void *payload, size_t size);
size_t large_usable(const void *payload);
/* Bytes of all mappings. */
size_t large_held(void);
/* Each block; its region is NULL. */
void large_walk(visit_block *visit, void *context);
const char *large_check(void);
/* Gives all back. */
void large_forget(void);

#endif
