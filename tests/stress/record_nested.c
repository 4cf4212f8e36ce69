/*
 * An allocator that calls itself by the public names, which are the recorder's: calloc, realloc and
 * the aligned ones are made of malloc and free. What the program called is one event, whatever that
 * took. Counts the outer calls like record_count.c; never gives memory back.
 */
#include <malloc.h>
#include <string.h>
#include "tests/stress/record_slots.h"

static __thread int depth __attribute__((tls_model("initial-exec")));

void *__libc_malloc(size_t);

static void count_outer(enum counted kind)
{
    if (!depth)
        count(kind);
}

static size_t *header(void *block)
{
    return (size_t *)block - 2;
}

void *malloc(size_t size)
{
    count_outer(MALLOC);
    size_t *block = __libc_malloc(size + 16);
    block[0] = size;
    return block + 2;
}

void free(void *block)
{
    count_outer(block ? FREE : FREE_NULL);
}

void *calloc(size_t items, size_t size)
{
    count_outer(CALLOC);
    depth++;
    void *block = malloc(items * size);
    memset(block, 0, items * size);
    depth--;
    return block;
}

void *realloc(void *old, size_t size)
{
    count_outer(REALLOC);
    depth++;
    void *block = malloc(size);
    if (old)
        memcpy(block, old, *header(old) < size ? *header(old) : size);
    free(old);
    depth--;
    return block;
}

void *aligned_alloc(size_t alignment, size_t size)
{
    count_outer(ALIGNED);
    depth++;
    uintptr_t block = (uintptr_t)malloc(size + alignment + 16);
    depth--;
    block = (block + 16 + alignment - 1) & -(uintptr_t)alignment;
    *header((void *)block) = size;
    return (void *)block;
}

void *memalign(size_t alignment, size_t size)
{
    return aligned_alloc(alignment, size); /* by a jump, where the compiler likes */
}

int posix_memalign(void **ret_block, size_t alignment, size_t size)
{
    *ret_block = aligned_alloc(alignment, size);
    return 0;
}

size_t malloc_usable_size(void *block)
{
    count_outer(USABLE);
    return *header(block);
}
