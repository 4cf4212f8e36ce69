#include "large.h"

#include <errno.h>
#include <sys/mman.h>

#include "block.h"
#include "memcheck.h"
#include "options.h"

struct large {
    struct large *next, *prev;
    char *mapping;
    size_t bytes; /* of the mapping */
    size_t pad;   /* makes the payload aligned */
    size_t tag;   /* TAG_LARGE, and TAG_USED where it is not a kept one */
};

_Static_assert(sizeof(struct large) % ALIGNMENT == 0, "payloads are aligned");

static struct large *first;
static size_t held, kept; /* bytes; mappings that could not be given back */

static struct large *large_of(const void *payload)
{
    return (struct large *)(uintptr_t)payload - 1;
}

static struct large *enlist(char *mapping, size_t bytes, uintptr_t payload)
{
    struct large *large = (struct large *)payload - 1;
    *large = (struct large){
        .next = first, .mapping = mapping, .bytes = bytes, .tag = TAG_LARGE | TAG_USED};
    memcheck_hide(mapping, bytes);
    if (first)
        first->prev = large;
    first = large;
    held += bytes;
    return large;
}

static void unlist(struct large *large)
{
    *(large->prev ? &large->prev->next : &first) = large->next;
    if (large->next)
        large->next->prev = large->prev;
    held -= large->bytes;
}

/* A kept mapping that holds so much at that alignment. */
static void *take_kept(size_t size, size_t align)
{
    for (struct large *large = kept ? first : NULL; large; large = large->next) {
        char *payload = (char *)(large + 1);
        if (large->tag & TAG_USED || (uintptr_t)payload & (align - 1) ||
            large_usable(payload) < size)
            continue;
        large->tag |= TAG_USED;
        kept--;
        return payload;
    }
    return NULL;
}

void *large_take(size_t size, size_t align)
{
    size_t bytes =
        round_up(size + sizeof(struct large) + (align > ALIGNMENT ? align : 0), PAGE_BYTES);
    void *again = take_kept(size, align);
    if (again)
        return again;
    char *mapping = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED) {
        errno = ENOMEM;
        return NULL;
    }
    return enlist(mapping, bytes, round_up((uintptr_t)mapping + sizeof(struct large), align)) + 1;
}

void large_give(void *payload)
{
    struct large *large = large_of(payload), copy = *large;
    unlist(large);
    if (munmap(copy.mapping, copy.bytes) == 0)
        return;
    /* It would have to split a mapping in two, and may not. Its pages, at least, it can have. */
    madvise(copy.mapping, copy.bytes, MADV_DONTNEED);
    enlist(copy.mapping, copy.bytes, (uintptr_t)payload)->tag = TAG_LARGE;
    kept++;
}

size_t large_usable(const void *payload)
{
    const struct large *large = large_of(payload);
    return (size_t)(large->mapping + large->bytes - (const char *)payload);
}

void *large_resize(void *payload, size_t size)
{
    struct large *large = large_of(payload);
    size_t front = (size_t)((char *)payload - large->mapping);
    size_t bytes = round_up(front + size, PAGE_BYTES), had = large->bytes;
    char *mapping = large->mapping;
    if (size < options.mmap_threshold)
        return NULL;
    if (bytes == had)
        return payload;
    unlist(large);
    char *moved = mremap(mapping, had, bytes, MREMAP_MAYMOVE);
    if (moved == MAP_FAILED) {
        enlist(mapping, had, (uintptr_t)payload);
        return bytes < had ? payload : NULL;
    }
    return enlist(moved, bytes, (uintptr_t)moved + front) + 1;
}

size_t large_held(void)
{
    return held;
}

void large_walk(visit_block *visit, void *context)
{
    for (const struct large *large = first; large; large = large->next)
        visit(context, NULL, large->mapping, large->bytes, large_usable(large + 1),
              large->tag & TAG_USED);
}

const char *large_check(void)
{
    size_t bytes = 0;
    for (const struct large *large = first; large; large = large->next) {
        bytes += large->bytes;
        if (!(large->tag & TAG_LARGE) || (large->next && large->next->prev != large))
            return "the list of large blocks is damaged";
    }
    return bytes != held ? "the large blocks do not add up" : NULL;
}

void large_forget(void)
{
    while (first) {
        struct large *large = first;
        unlist(large);
        munmap(large->mapping, large->bytes);
    }
    kept = 0;
}
