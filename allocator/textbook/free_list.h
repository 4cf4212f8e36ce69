/*
 * The free lists: which free block a request gets (options.fit), and where a freed block goes
 * (options.order).
 *
 *   first   the first on the list that is large enough
 *   next    the same, from where the last search ended
 *   best    the smallest that is large enough; of equals the first
 *   worst   the largest; of equals the first
 *   segregated  first fit on ten lists by size; the list of the request's class, then the larger:
 *
 *     class        0    1    2    3    4     5     6     7     8      9
 *     block up to  32   64  128  256  512  1024  2048  4096  8192  any
 *
 * All but segregated have one list. A list is a ring through its head; a block on it is free, a
 * block that is free is on it.
 */
#ifndef TEXTBOOK_FREE_LIST_H
#define TEXTBOOK_FREE_LIST_H

#include "block.h"

#define LISTS 10

/* Empties all lists; to be called before anything else. */
void list_begin(void);
/* All free blocks behind this one in its region must be on their lists.
 * `place`: what would follow it on its list by address, where the caller knows; NULL: look for it.
 */
void list_insert(struct block *block, struct block *place);
void list_remove(struct block *block);
/* `now`, the remainder of `old`, takes its place where both belong to one list. `old_class`: of old
 * while it was whole. */
void list_replace(struct block *old, struct block *now, unsigned old_class);
/* A block of at least `bytes`, by the policy; NULL where there is none. It stays on its list. */
struct block *list_find(size_t bytes);
/* The list that a block of that size belongs to, and how many there are. */
unsigned list_class(size_t bytes);
unsigned list_count(void);
/* First and next block of a list; NULL at the end. */
struct block *list_first(unsigned list);
struct block *list_next(unsigned list, const struct block *block);

#endif
