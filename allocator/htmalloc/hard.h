/* The hardened build (libhtmalloc-hard.so, made of the same sources with HT_HARD): a layer between
 * the public functions and the allocator that finds misuse at the next free, realloc, malloc of the
 * block, or at exit. Each block is asked for 8 bytes longer than the program wants it and sealed
 * (seal.h), so that its exact size is known, and that it is one in use. Block 0 of a run is never
 * handed out, so that each has a seal before it. Free blocks are linked in code (block.h) and
 * poisoned.
 *
 * malloc_usable_size() tells the size asked for: what lies behind it is not the program's.
 *
 * hard.c has what every call goes through: one look at the run, one compare of the seal. Whatever
 * that does not explain, misuse or not, hard_check.c looks into. */
#ifndef HTMALLOC_HARD_H
#define HTMALLOC_HARD_H

#ifdef HT_HARD

#include "run.h"

/* The seal of a block that is not in circulation, but lies before one that will be. */
void hard_prepare_seal(void *block, uint32_t bytes);

/* A block in use as a check found it. */
struct sealed {
    size_t capacity; /* with fill and seal */
    size_t size;     /* that the program asked for */
    unsigned align_log2;
};

/* Ends the program unless a block in use starts at `address`, and it is whole. */
struct sealed hard_check(const char *operation, const void *address);

/* Before an empty run is given back: all its blocks must be as free blocks are. */
void hard_check_empty(const struct run *run);

/* Looks at every block, free or in use; ends the program at the first that is not as it must be.
 * Only while there is one thread. */
void hard_check_all(void);

/* ht_malloc() and ht_free() without a detour through the table of exported names. */
void *hard_malloc(size_t size) HT_HIDDEN;
void hard_free(void *address) HT_HIDDEN;

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
