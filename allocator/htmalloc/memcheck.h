/* The build for Valgrind (make htmalloc-valgrind: libhtmalloc-valgrind.so, made of the same sources
 * with HT_VALGRIND): a layer between the public functions and the allocator that tells memcheck of
 * every block, so that its errors and leaks are those of the program on this allocator:
 *
 *     LD_PRELOAD=.../libhtmalloc-valgrind.so
 *         valgrind --soname-synonyms=somalloc=nouserintercepts --leak-check=full PROGRAM ARGS
 *
 * Without the option memcheck puts its own malloc in our place and never sees this one.
 *
 * Each block has 16 bytes before and behind it that nobody may touch. What is freed waits until
 * there are 16 MiB of it before it is used again, so that its use is seen. A free of what is no
 * block, or of a block freed before, is reported and otherwise nothing, as under memcheck alone;
 * so are new and free mixed (as "Unaddressable byte(s) found during client check request" in
 * mismatched_free_or_delete). What is known of the blocks lies apart from them, in memory that is
 * out of bounds for the leak search.
 *
 * The pages of segments and huge blocks come from memcheck's own heap: what is mapped otherwise it
 * searches for pointers as a whole, and then a block that only a leaked block leads to would count
 * as reachable. */
#ifndef HTMALLOC_MEMCHECK_H
#define HTMALLOC_MEMCHECK_H

#ifndef HT_VALGRIND

#define memcheck_inside()  ((void)0)
#define memcheck_outside() ((void)0)

#else

#include "htmalloc.h"
#include "lock.h"

/* What made a block; what frees it must fit. */
enum memcheck_kind { MEMCHECK_MALLOC, MEMCHECK_NEW, MEMCHECK_NEW_ARRAY, MEMCHECK_HEAP };

/* As ht_memalign with `align` a power of two, for the kinds but MEMCHECK_HEAP. */
void *memcheck_take(size_t size, size_t align, bool zero, enum memcheck_kind kind);

/* NULL is allowed. `size` is SIZE_MAX where the caller does not say. */
void memcheck_free(void *address, enum memcheck_kind kind, size_t size);

/* While the allocator is at work it reads and writes what is out of bounds for the program. In
 * pairs, of one thread; they may be nested. */
void memcheck_inside(void);
void memcheck_outside(void);

/* Of os.c: pages that memcheck does not search but through blocks, with zeros in them; NULL when
 * there are none. memcheck_unmap() is false where the pages are not of these. */
void *memcheck_map(size_t bytes, size_t align);
bool memcheck_unmap(char *address, size_t bytes);

/* As the process ends: takes the pages out of memcheck's account. The allocator is not called
 * afterwards. */
void memcheck_unmap_all(void);

/* To be called as the process ends: from now on memcheck's own malloc serves, so that its summary
 * tells of the program's blocks alone. */
void memcheck_finish(void);

/* A leaf: held while nothing else is taken. For fork. */
extern struct ht_lock memcheck_lock;

/* The functions of api.c and private_heap.c, which the layer stands in front of. */
void *plain_malloc(size_t size);
void *plain_calloc(size_t count, size_t size);
void *plain_memalign(size_t align, size_t size);
void *plain_realloc(void *address, size_t size);
void plain_free(void *address);
size_t plain_usable_size(const void *address);
void *plain_heap_malloc(struct ht_heap *heap, size_t size);
void *plain_heap_calloc(struct ht_heap *heap, size_t count, size_t size);
void *plain_heap_realloc(struct ht_heap *heap, void *address, size_t size);
void *plain_heap_aligned(struct ht_heap *heap, size_t align, size_t size);
void plain_heap_free(struct ht_heap *heap, void *address);
size_t plain_heap_usable_size(const struct ht_heap *heap, const void *address);
void plain_heap_free_all(struct ht_heap *heap);
void plain_heap_delete(struct ht_heap *heap);

#endif
#endif
