/*
 * An allocator that finds the one behind itself by dlsym() at its first call, as wrappers do: a
 * name that is not there makes the loader allocate (its message), which comes back to the wrapper
 * while it is not ready. It serves that from a static array, and knows those blocks for ever.
 * Counts like record_count.c.
 */
#include <dlfcn.h>
#include <malloc.h>
#include <string.h>
#include "tests/stress/record_slots.h"

void *__libc_memalign(size_t, size_t);
static void *(*next_malloc)(size_t);
static void *(*next_calloc)(size_t, size_t);
static void *(*next_realloc)(void *, size_t);
static void (*next_free)(void *);
static _Alignas(16) char early[65536];
static size_t early_used;
static int finding;

static int is_early(const void *block)
{
    return (uintptr_t)block - (uintptr_t)early < sizeof early;
}

static void *early_malloc(size_t size)
{
    char *block = early + early_used;
    early_used += (size + 15) / 16 * 16;
    return early_used <= sizeof early ? block : NULL;
}

static void find(void)
{
    finding = 1;
    (void)dlsym(RTLD_NEXT, "record_lazy_looks_for_this_and_finds_nothing");
    free(calloc(3, 100)); /* by the public names */
    *(void **)&next_calloc = dlsym(RTLD_NEXT, "calloc");
    *(void **)&next_realloc = dlsym(RTLD_NEXT, "realloc");
    *(void **)&next_free = dlsym(RTLD_NEXT, "free");
    *(void **)&next_malloc = dlsym(RTLD_NEXT, "malloc");
    finding = 0;
}

void *malloc(size_t size)
{
    if (!next_malloc && !finding)
        find();
    return counted(MALLOC, next_malloc ? next_malloc(size) : early_malloc(size));
}

void *calloc(size_t items, size_t size)
{
    if (!next_malloc && !finding)
        find();
    return counted(CALLOC, next_malloc ? next_calloc(items, size) : early_malloc(items * size));
}

void *realloc(void *old, size_t size)
{
    if (!next_malloc && !finding)
        find();
    if (next_malloc && !is_early(old))
        return counted(REALLOC, next_realloc(old, size));
    char *block = next_malloc ? next_malloc(size) : early_malloc(size);
    if (old)
        memcpy(block, old, size); /* may read on in `early`: harmless */
    return counted(REALLOC, block);
}

void free(void *block)
{
    count(block ? FREE : FREE_NULL);
    if (block && !is_early(block))
        next_free(block);
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
