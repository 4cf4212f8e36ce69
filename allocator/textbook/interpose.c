/* The malloc family under its usual names. operator new and delete of libstdc++ call these. */
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>

#include "block.h"
#include "malloc_name.h"
#include "textbook.h"

#define EXPORT __attribute__((visibility("default")))
#define SITE   __builtin_return_address(0)

EXPORT void *malloc(size_t size)
{
    return textbook_take(ALIGNMENT, size, SITE);
}

EXPORT void free(void *payload)
{
    textbook_free(payload);
}

EXPORT void cfree(void *payload);
void cfree(void *payload)
{
    textbook_free(payload);
}

EXPORT void free_sized(void *payload, size_t size);
void free_sized(void *payload, size_t size)
{
    (void)size;
    textbook_free(payload);
}

EXPORT void free_aligned_sized(void *payload, size_t align, size_t size);
void free_aligned_sized(void *payload, size_t align, size_t size)
{
    (void)align;
    (void)size;
    textbook_free(payload);
}

EXPORT void *calloc(size_t count, size_t size)
{
    return textbook_take_zeros(count, size, SITE);
}

EXPORT void *realloc(void *payload, size_t size)
{
    return textbook_change(payload, size, SITE);
}

EXPORT void *reallocarray(void *payload, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return textbook_change(payload, bytes, SITE);
}

EXPORT void *memalign(size_t align, size_t size)
{
    return textbook_take(align, size, SITE);
}

EXPORT void *aligned_alloc(size_t align, size_t size)
{
    if (align == 0) {
        errno = EINVAL;
        return NULL;
    }
    return textbook_take(align, size, SITE);
}

EXPORT int posix_memalign(void **ret_payload, size_t align, size_t size)
{
    int saved = errno;
    if (align < sizeof(void *) || align & (align - 1))
        return EINVAL;
    void *payload = textbook_take(align, size, SITE);
    errno = saved;
    if (!payload)
        return ENOMEM;
    *ret_payload = payload;
    return 0;
}

EXPORT void *valloc(size_t size)
{
    return textbook_take(PAGE_BYTES, size, SITE);
}

EXPORT void *pvalloc(size_t size)
{
    size_t bytes = size ? size : 1;
    if (bytes > PTRDIFF_MAX) {
        errno = ENOMEM;
        return NULL;
    }
    return textbook_take(PAGE_BYTES, round_up(bytes, PAGE_BYTES), SITE);
}

EXPORT size_t malloc_usable_size(void *payload)
{
    return textbook_usable_size(payload);
}

EXPORT void *malloc_name(size_t size, const char *name)
{
    void *payload = textbook_take(ALIGNMENT, size, SITE);
    return payload ? malloc_rename(payload, name) : NULL;
}

EXPORT void *malloc_rename(void *payload, const char *name)
{
    textbook_name(payload, name);
    return payload;
}
