/* The malloc family under its usual names, for libhtmalloc.so (LD_PRELOAD) and for programs that
 * link it. Everything but malloc and free is another name of the ht_ function. */
#include "fast.h"
#include "htmalloc.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT void *malloc(size_t size)
{
    return fast_malloc(size);
}

EXPORT void free(void *address)
{
    fast_free(address);
}

EXPORT void cfree(void *address);
void cfree(void *address)
{
    fast_free(address);
}

EXPORT void free_sized(void *address, size_t size);
void free_sized(void *address, size_t size)
{
    (void)size;
    fast_free(address);
}

EXPORT void free_aligned_sized(void *address, size_t align, size_t size);
void free_aligned_sized(void *address, size_t align, size_t size)
{
    (void)align;
    (void)size;
    fast_free(address);
}

EXPORT void *calloc(size_t count, size_t size)
{
    return ht_calloc(count, size);
}

EXPORT void *realloc(void *address, size_t size)
{
    return ht_realloc(address, size);
}

EXPORT void *reallocarray(void *address, size_t count, size_t size)
{
    return ht_reallocarray(address, count, size);
}

EXPORT void *memalign(size_t align, size_t size)
{
    return ht_memalign(align, size);
}

EXPORT void *aligned_alloc(size_t align, size_t size)
{
    return ht_aligned_alloc(align, size);
}

EXPORT int posix_memalign(void **ret_address, size_t align, size_t size)
{
    return ht_posix_memalign(ret_address, align, size);
}

EXPORT void *valloc(size_t size)
{
    return ht_memalign(HT_PAGE, size);
}

EXPORT void *pvalloc(size_t size)
{
    size_t bytes;
    if (__builtin_add_overflow(size, HT_PAGE - 1, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    bytes &= ~(HT_PAGE - 1);
    return ht_memalign(HT_PAGE, bytes == 0 ? HT_PAGE : bytes);
}

EXPORT size_t malloc_usable_size(void *address)
{
    return ht_usable_size(address);
}

EXPORT int malloc_trim(size_t keep_bytes)
{
    return ht_trim(keep_bytes);
}
