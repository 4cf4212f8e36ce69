/*
 * A heap of one's own beside libc's: the textbook allocators as a library for programs that want to
 * look at an allocator while they use it.
 *
 *     cc example.c -I/usr/local/include -L/usr/local/lib/heaptape -ltextbook-mem -pthread
 *
 * First fit over brk unless TEXTBOOK_POLICY and the other switches (TEXTBOOK_COALESCE, ...) say
 * otherwise; they are those of the preloaded allocators, and so are pictures and leak checks.
 *
 * Threads. The plain calls are for a program in which one thread uses this heap: they take no lock,
 * and two at once end the program with a message. Those with _ts may be called by any thread at any
 * time, but not while a plain call is under way. A block of the one kind may be freed by the other.
 *
 * Errors are those of malloc(3): NULL and errno. A pointer that is not a block of this heap, or
 * that was freed before, ends the program with one line on stderr where it is noticed; it often is.
 */
#ifndef TEXTBOOK_MEM_H
#define TEXTBOOK_MEM_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

void *mem_malloc(size_t size); /* a block of at least `size` bytes at a multiple of 16 */
void *mem_calloc(size_t count, size_t size); /* the same for an array, filled with zeros */
/* The block with another size and its contents; where it is, if that can be. NULL: mem_malloc().
 * Size 0 frees it and returns NULL. On failure the block stays as it was. */
void *mem_realloc(void *block, size_t size);
void mem_free(void *block); /* NULL: nothing */

void *mem_malloc_ts(size_t size);
void *mem_calloc_ts(size_t count, size_t size);
void *mem_realloc_ts(void *block, size_t size);
void mem_free_ts(void *block);

/* Names a block in pictures and leak checks (malloc_name.h); up to 23 bytes. */
void mem_name(void *block, const char *name);

/* Since the start or the last mem_reset(). Bytes are what blocks can hold (a multiple of 16 above
 * what was asked for). A realloc in place is no allocation; one that moves is one and a free. */
struct mem_stats {
    size_t allocated_bytes, freed_bytes, in_use_bytes; /* allocated = freed + in use */
    size_t allocations, frees;
    size_t splits, coalesces; /* blocks cut in two, and two made one */
    size_t held_bytes;        /* from the system */
};

void mem_get_stats(struct mem_stats *ret_stats);
void mem_print_stats(void); /* on stderr, as malloc_stats(3) does */
/* The heap as text on stderr: regions, blocks with their sizes, free lists. */
void mem_print_heap(void);

/* Forgets all blocks, gives the memory back to the system and begins anew. Every pointer is void,
 * and no other thread may be in a call. */
void mem_reset(void);

#ifdef __cplusplus
}
#endif

#endif
