/*
 * An allocator that a signal handler may interrupt anywhere and call: one atomic addition, no free.
 * Preloaded behind the recorder, it makes allocation in handlers legal, so that a test can say how
 * many events there must be. 1 GiB in all.
 */
#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BUMP_BYTES (UINT64_C(1) << 30)

static _Atomic(char *) begin;
static _Atomic uint64_t used;

static char *arena(void)
{
    char *memory = atomic_load(&begin);
    if (memory)
        return memory;
    char *fresh = mmap(NULL, BUMP_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (atomic_compare_exchange_strong(&begin, &memory, fresh))
        return fresh;
    munmap(fresh, BUMP_BYTES);
    return memory;
}

void *malloc(size_t size)
{
    uint64_t bytes = (size + 31) / 16 * 16;
    uint64_t at = atomic_fetch_add(&used, bytes);
    if (at + bytes > BUMP_BYTES)
        return NULL;
    char *block = arena() + at;
    *(uint64_t *)block = size;
    return block + 16;
}

void free(void *block)
{
    (void)block;
}

void *calloc(size_t count, size_t size)
{
    return malloc(count * size);
}

size_t malloc_usable_size(void *block)
{
    return block ? *(uint64_t *)((char *)block - 16) : 0;
}

void *realloc(void *old, size_t size)
{
    char *block = malloc(size);
    size_t keep = malloc_usable_size(old);
    if (block && old)
        memcpy(block, old, keep < size ? keep : size);
    return block;
}
