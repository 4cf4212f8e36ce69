/* The entry points: see wrong.h. */
#ifndef WRONG_MALLOC
#define WRONG_MALLOC right_malloc
#endif
#ifndef WRONG_CALLOC
#define WRONG_CALLOC right_calloc
#endif
#ifndef WRONG_REALLOC
#define WRONG_REALLOC right_realloc
#endif
#ifndef WRONG_MEMALIGN
#define WRONG_MEMALIGN right_memalign
#endif
#ifndef WRONG_FREE
#define WRONG_FREE right_free
#endif
#ifndef WRONG_USABLE
#define WRONG_USABLE right_usable
#endif

#define EXPORT __attribute__((visibility("default")))

EXPORT void *malloc(size_t size)
{
    bench_open();
    return WRONG_MALLOC(size);
}

EXPORT void *calloc(size_t count, size_t size)
{
    return WRONG_CALLOC(count, size);
}

EXPORT void *realloc(void *block, size_t size)
{
    return block ? WRONG_REALLOC(block, size) : WRONG_MALLOC(size);
}

EXPORT void free(void *block)
{
    if (block)
        WRONG_FREE(block);
}

EXPORT void *memalign(size_t alignment, size_t size)
{
    return WRONG_MEMALIGN(alignment, size);
}

EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
    return WRONG_MEMALIGN(alignment, size);
}

EXPORT int posix_memalign(void **ret_block, size_t alignment, size_t size)
{
    void *block = WRONG_MEMALIGN(alignment, size);
    if (!block)
        return ENOMEM;
    *ret_block = block;
    return 0;
}

EXPORT size_t malloc_usable_size(void *block)
{
    return block ? WRONG_USABLE(block) : 0;
}
