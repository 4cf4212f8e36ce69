/* The functions that are made of others: the same in every build. */
#include "fast.h"
#include "htmalloc.h"

#include <errno.h>

void *ht_aligned_alloc(size_t align, size_t size)
{
    if (ht_unlikely(align == 0 || (align & (align - 1)) != 0)) {
        errno = EINVAL;
        return NULL;
    }
    return ht_memalign(align, size);
}

int ht_posix_memalign(void **ret_address, size_t align, size_t size)
{
    if (ht_unlikely(align < sizeof(void *) || (align & (align - 1)) != 0))
        return EINVAL;
    int saved = errno;
    void *address = ht_memalign(align, size);
    errno = saved;
    if (address == NULL)
        return ENOMEM;
    *ret_address = address;
    return 0;
}

#if !defined HT_HARD && !defined HT_VALGRIND /* hard.c and memcheck.c have their own */

void ht_free_sized(void *address, size_t size)
{
    (void)size;
    fast_free(address);
}

void ht_free_aligned_sized(void *address, size_t align, size_t size)
{
    (void)align;
    (void)size;
    fast_free(address);
}

#endif

void *ht_reallocarray(void *address, size_t count, size_t size)
{
    size_t bytes;
    if (ht_unlikely(__builtin_mul_overflow(count, size, &bytes))) {
        errno = ENOMEM;
        return NULL;
    }
    return ht_realloc(address, bytes);
}
