/*
 * An independent count of allocator calls: preloaded behind the recorder (as a user's own
 * LD_PRELOAD is), it is the next allocator for it, counts what arrives (record_slots.h) and passes
 * it on to glibc.
 */
#include <dlfcn.h>
#include <malloc.h>
#include "tests/stress/record_slots.h"

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void *__libc_valloc(size_t);
void *__libc_pvalloc(size_t);
void __libc_free(void *);

void *malloc(size_t size)
{
    return counted(MALLOC, __libc_malloc(size));
}

void *calloc(size_t items, size_t size)
{
    return counted(CALLOC, __libc_calloc(items, size));
}

void *realloc(void *old, size_t size)
{
    void *block = __libc_realloc(old, size);
    count(block || !size ? REALLOC : FAILED);
    return block;
}

void free(void *block)
{
    count(block ? FREE : FREE_NULL);
    __libc_free(block);
}

void *memalign(size_t alignment, size_t size)
{
    return counted(ALIGNED, __libc_memalign(alignment, size));
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return counted(ALIGNED, __libc_memalign(alignment, size));
}

int posix_memalign(void **ret_block, size_t alignment, size_t size)
{
    if (!alignment || alignment % sizeof(void *) || (alignment & (alignment - 1))) {
        count(FAILED);
        return EINVAL;
    }
    void *block = counted(ALIGNED, __libc_memalign(alignment, size));
    if (!block)
        return ENOMEM;
    *ret_block = block;
    return 0;
}

void *valloc(size_t size)
{
    return counted(ALIGNED, __libc_valloc(size));
}

void *pvalloc(size_t size)
{
    return counted(ALIGNED, __libc_pvalloc(size));
}

size_t malloc_usable_size(void *block)
{
    static size_t (*usable)(void *);
    if (!usable)
        *(void **)&usable = dlsym(RTLD_NEXT, "malloc_usable_size");
    count(USABLE);
    return usable(block);
}
