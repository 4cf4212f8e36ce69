/*
 * An allocator whose malloc is chosen by an indirect function, as optimised libraries choose, and
 * whose resolver allocates: preloaded behind the recorder it is asked for by dlsym(), so this is
 * calloc inside dlsym, before the next allocator is known. The blocks come from the recorder's
 * bootstrap arena, more than it holds, and at the end a destructor checks, resizes and frees them:
 * a realloc moves one into the real heap, contents and all. What is wrong ends the program with
 * status 99. Counts like record_count.c, where only what comes behind the recorder arrives.
 */
#include <malloc.h>
#include <string.h>
#include "tests/stress/record_slots.h"

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void __libc_free(void *);

/* Calls by the public names, which are the recorder's. */
enum { BLOCKS = 40 };
static char *early[BLOCKS];
static size_t early_bytes[BLOCKS];
static unsigned early_count;

static void keep(void *block, size_t bytes, size_t alignment)
{
    if (!block || (uintptr_t)block % alignment)
        _exit(99);
    for (size_t i = 0; i < bytes; i++)
        if (((char *)block)[i]) /* all of them were never used before */
            _exit(99);
    memset(block, (int)early_count + 1, bytes);
    early[early_count] = block;
    early_bytes[early_count++] = bytes;
}

static void *counted_malloc(size_t size)
{
    return counted(MALLOC, __libc_malloc(size));
}

__attribute__((used)) static void *(*choose_malloc(void))(size_t)
{
    void *block = NULL;
    if (early_count) /* asked for once more */
        return counted_malloc;
    for (unsigned i = 0; i < 12; i++) {
        keep(malloc(3001 + i), 3001 + i, 16);
        keep(calloc(7, 500 + i), 7 * (500 + i), 16);
        block = NULL;
        if (posix_memalign(&block, 256, 1000))
            _exit(99);
        keep(block, 1000, 256);
    }
    keep(aligned_alloc(4096, 8192), 8192, 4096);
    block = malloc(10);
    memset(block, 77, 10);
    block = realloc(block, 5000); /* still before anything is known */
    if (!block || ((char *)block)[9] != 77 || malloc_usable_size(block) < 5000)
        _exit(99);
    memset(block, 0, 5000);
    keep(block, 5000, 16);
    free(malloc(5)); /* given back where nothing takes it */
    return counted_malloc;
}

void *malloc(size_t size) __attribute__((ifunc("choose_malloc")));

static void check(unsigned which, const char *block, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (block[i] != (char)(which + 1))
            _exit(99);
}

/* Some are freed, some move; one is left for ever. All is known by now. */
__attribute__((destructor)) static void use_them(void)
{
    if (early_count != 12 * 3 + 2)
        _exit(99);
    for (unsigned i = 0; i < early_count; i++) {
        if (malloc_usable_size(early[i]) < early_bytes[i])
            _exit(99);
        check(i, early[i], early_bytes[i]);
        if (i % 3 == 0) {
            free(early[i]);
        } else if (i % 3 == 1) {
            size_t bytes = i % 2 ? early_bytes[i] * 2 : early_bytes[i] / 2;
            early[i] = realloc(early[i], bytes);
            check(i, early[i], bytes < early_bytes[i] ? bytes : early_bytes[i]);
            free(early[i]);
        }
    }
}

void *calloc(size_t items, size_t size)
{
    return counted(CALLOC, __libc_calloc(items, size));
}

void *realloc(void *old, size_t size)
{
    return counted(REALLOC, __libc_realloc(old, size));
}

void free(void *block)
{
    count(block ? FREE : FREE_NULL);
    __libc_free(block);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return counted(ALIGNED, __libc_memalign(alignment, size));
}

int posix_memalign(void **ret_block, size_t alignment, size_t size)
{
    *ret_block = counted(ALIGNED, __libc_memalign(alignment, size));
    return *ret_block ? 0 : ENOMEM;
}
