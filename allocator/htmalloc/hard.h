/* The hardened build (libhtmalloc-hard.so, made of the same sources with HT_HARD): a layer between
 * the public functions and the allocator that finds misuse at the next free, realloc, malloc of the
 * block, or at exit. Each block is asked for 16 bytes longer than the program wants it and sealed:
 *
 *     | what the program asked for, exactly | canary bytes | tail word |
 *                                           ^ size         ^ 8 bytes before the block's end
 *
 * The tail word holds how many bytes lie behind the program's and the alignment asked for, with a
 * check over both in a code of the block's own address; so the exact size is known, and that the
 * block is one. Its highest byte is a canary too: it is what lies before the next block, so that
 * freeing a block looks at what was written just before it. Block 0 of a run is never handed out,
 * so that each has such a byte before it. Free blocks are marked (block.h) and poisoned.
 *
 * malloc_usable_size() tells the size asked for: what lies behind it is not the program's. */
#ifndef HTMALLOC_HARD_H
#define HTMALLOC_HARD_H

#ifdef HT_HARD

#include "run.h"

/* What each block is longer by. */
#define HARD_TAIL 16u

/* A fresh block of a run, to be linked next: poisoned and with a tail. */
void hard_prepare(void *block, uint32_t bytes);

/* The tail alone of a block that is not in circulation, but lies before one that will be. */
void hard_prepare_tail(void *block, uint32_t bytes);

/* Before an empty run is given back: all its blocks must be as free blocks are. */
void hard_check_empty(const struct run *run);

/* Looks at every block, free or in use; ends the program at the first that is not as it must be.
 * Only while there is one thread. */
void hard_check_all(void);

/* Sized and aligned deletion of C++ with its own name in the message. */
void hard_free_sized(const char *operation, void *address, size_t size);
void hard_free_aligned(const char *operation, void *address, size_t align);
void hard_free_aligned_sized(const char *operation, void *address, size_t align, size_t size);

/* The functions of api.c, which the layer stands in front of. */
void *plain_malloc(size_t size);
void *plain_calloc(size_t count, size_t size);
void *plain_memalign(size_t align, size_t size);
void *plain_realloc(void *address, size_t size);
void plain_free(void *address);
size_t plain_usable_size(const void *address);

#endif
#endif
