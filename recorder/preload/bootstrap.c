#include "recorder/preload/bootstrap.h"

#include <stdatomic.h>
#include <sys/mman.h>
#include "recorder/preload/syscalls.h"

enum { MAPPINGS_MAX = 64, HEADER = 16, MAPPING_BYTES = 1 << 20 };

_Alignas(4096) char bootstrap_arena[BOOTSTRAP_BYTES];
unsigned bootstrap_mappings;

static struct {
    char *begin;
    size_t bytes;
} mapping[MAPPINGS_MAX];

/* Where the next block comes from: the arena, later the latest mapping. One thread at a time: the
 * one inside next_find(). */
static char *position = bootstrap_arena, *end = bootstrap_arena + BOOTSTRAP_BYTES;

static bool grow(size_t bytes)
{
    if (bootstrap_mappings == MAPPINGS_MAX)
        return false;
    bytes = (bytes + MAPPING_BYTES - 1) & -(size_t)MAPPING_BYTES;
    char *begin = raw_mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!begin)
        return false;
    mapping[bootstrap_mappings].begin = begin;
    mapping[bootstrap_mappings].bytes = bytes;
    bootstrap_mappings++;
    position = begin;
    end = begin + bytes;
    return true;
}

static char *place(size_t bytes, size_t alignment)
{
    uintptr_t block = ((uintptr_t)position + HEADER + alignment - 1) & -(uintptr_t)alignment;
    return block <= (uintptr_t)end && bytes <= (uintptr_t)end - block ? (char *)block : NULL;
}

void *bootstrap_allocate(size_t bytes, size_t alignment)
{
    if (alignment < 16)
        alignment = 16;
    if (bytes > SIZE_MAX / 4 || alignment > 4096)
        return NULL;
    char *block = place(bytes, alignment);
    if (!block && grow(bytes + alignment + HEADER))
        block = place(bytes, alignment);
    if (!block)
        return NULL;
    *(size_t *)(block - HEADER) = bytes;
    position = block + bytes;
    return block;
}

size_t bootstrap_size(const void *pointer)
{
    return *(const size_t *)((const char *)pointer - HEADER);
}

bool bootstrap_owns_mapped(const void *pointer)
{
    for (unsigned i = 0; i < bootstrap_mappings; i++)
        if ((uintptr_t)pointer - (uintptr_t)mapping[i].begin < mapping[i].bytes)
            return true;
    return false;
}
