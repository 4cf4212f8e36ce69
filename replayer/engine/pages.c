#include "replayer/engine/pages.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include "replayer/engine/engine.h"

#define SMALL_PAGE ((size_t)4096)
#define HUGE_PAGE  ((size_t)2 << 20)

static size_t round_up(size_t bytes, size_t unit)
{
    return (bytes + unit - 1) & ~(unit - 1);
}

/* Resident before it is used; older kernels have no call for it. */
static void populate(char *base, size_t bytes)
{
#ifdef MADV_POPULATE_WRITE
    if (!madvise(base, bytes, MADV_POPULATE_WRITE))
        return;
#endif
    for (size_t at = 0; at < bytes; at += SMALL_PAGE)
        ((volatile char *)base)[at] = 0;
}

static char *map_aligned(size_t bytes, size_t alignment)
{
    size_t mapped = bytes + (alignment > SMALL_PAGE ? alignment : 0);
    char *base = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED)
        engine_fail(HEAPTAPE_EXIT_ENVIRONMENT,
                    "no memory for %zu MiB of the engine's own tables: %s: raise the memory limit",
                    bytes >> 20, strerror(errno));
    char *start = (char *)round_up((uintptr_t)base, alignment);
    if (start > base)
        munmap(base, (size_t)(start - base));
    if (start + bytes < base + mapped)
        munmap(start + bytes, (size_t)(base + mapped - (start + bytes)));
    return start;
}

void *pages_reserve(struct pages *pages, size_t bytes)
{
    if (bytes <= pages->bytes)
        return pages->base;
    size_t wanted = bytes < 2 * pages->bytes ? 2 * pages->bytes : bytes;
    size_t alignment = wanted >= HUGE_PAGE ? HUGE_PAGE : SMALL_PAGE;
    wanted = round_up(wanted, alignment);
    char *base = map_aligned(wanted, alignment);
    if (alignment == HUGE_PAGE)
        madvise(base, wanted, MADV_HUGEPAGE);
    populate(base, wanted);
    if (pages->bytes)
        memcpy(base, pages->base, pages->bytes);
    pages_release(pages);
    pages->base = base;
    pages->bytes = wanted;
    return base;
}

void pages_release(struct pages *pages)
{
    if (pages->bytes)
        munmap(pages->base, pages->bytes);
    pages->base = NULL;
    pages->bytes = 0;
}
