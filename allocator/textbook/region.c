#include "region.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "block.h"
#include "memcheck.h"
#include "options.h"

struct region *region_first;
static struct region *region_last;
static uintptr_t lowest = UINTPTR_MAX, highest;
static size_t held;

static void note(const struct region *region, size_t more)
{
    memcheck_hide(region_end(region) - more, more);
    held += more;
    if ((uintptr_t)region < lowest)
        lowest = (uintptr_t)region;
    if ((uintptr_t)region_end(region) > highest)
        highest = (uintptr_t)region_end(region);
}

static struct region *begin(void *memory, size_t bytes, bool mapped)
{
    struct region *region = memory;
    *region = (struct region){.prev = region_last, .bytes = bytes, .mapped = mapped};
    *(region_last ? &region_last->next : &region_first) = region;
    region_last = region;
    note(region, bytes);
    return region;
}

/* A break that somebody has left unaligned is rounded up first. */
static struct region *from_brk(size_t bytes)
{
    uintptr_t now = (uintptr_t)sbrk(0);
    size_t gap = round_up(now, ALIGNMENT) - now;
    if (bytes > PTRDIFF_MAX - gap)
        return NULL;
    void *memory = sbrk((intptr_t)(bytes + gap));
    if (memory == (void *)-1)
        return NULL;
    memory = (char *)memory + gap;
    return begin(memory, bytes, false);
}

struct region *region_take(size_t bytes)
{
    int saved = errno;
    bytes = round_up(bytes, ALIGNMENT);
    struct region *region = options.source == SOURCE_BRK ? from_brk(bytes) : NULL;
    if (!region) {
        bytes = round_up(bytes, PAGE_BYTES);
        void *memory =
            mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) {
            errno = ENOMEM;
            return NULL;
        }
        region = begin(memory, bytes, true);
    }
    errno = saved;
    return region;
}

bool region_is_top(const struct region *region)
{
    return region == region_last && !region->mapped;
}

bool region_extend(struct region *region, size_t bytes)
{
    int saved = errno;
    bytes = round_up(bytes, ALIGNMENT);
    if (!region_is_top(region) || bytes > PTRDIFF_MAX || sbrk(0) != region_end(region))
        return false;
    void *memory = sbrk((intptr_t)bytes);
    if (memory == (void *)-1) {
        errno = saved;
        return false;
    }
    if (memory != region_end(region)) /* another thread's sbrk() came between */
        return false;
    region->bytes += bytes;
    note(region, bytes);
    return true;
}

static void unlink_region(struct region *region)
{
    *(region->prev ? &region->prev->next : &region_first) = region->next;
    *(region->next ? &region->next->prev : &region_last) = region->prev;
}

bool region_give(struct region *region)
{
    struct region copy = *region;
    if (!region->mapped)
        return false;
    unlink_region(region);
    if (munmap(region, copy.bytes) == 0) {
        held -= copy.bytes;
        return true;
    }
    *(copy.prev ? &copy.prev->next : &region_first) = region; /* as it was */
    *(copy.next ? &copy.next->prev : &region_last) = region;
    return false;
}

bool region_spans(const void *address)
{
    return (uintptr_t)address >= lowest && (uintptr_t)address < highest;
}

size_t region_held(void)
{
    return held;
}

void region_forget(void)
{
    while (region_last) {
        struct region *region = region_last;
        char *end = region_end(region);
        size_t bytes = region->bytes;
        if (region_give(region))
            continue;
        unlink_region(region);
        if (!region->mapped && sbrk(0) == end)
            sbrk(-(intptr_t)bytes);
    }
    lowest = UINTPTR_MAX;
    highest = held = 0;
}
