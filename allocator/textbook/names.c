#include "names.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "block.h"
#include "memcheck.h"
#include "options.h"

#define LEAST 128 /* entries */

/* A hash table with open addressing, at most half full. */
struct entry {
    const void *payload; /* NULL: a free entry */
    char name[NAME_BYTES];
};

_Static_assert(sizeof(struct entry) == 32, "entries fill pages");

size_t names_count;
static struct entry *entries;
static size_t capacity; /* a power of two, or 0 */

static size_t home(const void *payload)
{
    return ((uintptr_t)payload * UINT64_C(0x9E3779B97F4A7C15) >> 32) & (capacity - 1);
}

/* The block's entry, or the free one where it would be. */
static struct entry *find(const void *payload)
{
    size_t at = home(payload);
    while (entries[at].payload && entries[at].payload != payload)
        at = (at + 1) & (capacity - 1);
    return &entries[at];
}

static bool grow(void)
{
    struct entry *old = entries;
    size_t had = capacity, wanted = had ? 2 * had : LEAST;
    void *memory = mmap(NULL, wanted * sizeof *old, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    memcheck_hide(memory,
                  wanted * sizeof *old); /* what points to a leaked block from here is no use */
    entries = memory;
    capacity = wanted;
    for (size_t i = 0; i < had; i++)
        if (old[i].payload)
            *find(old[i].payload) = old[i];
    if (old)
        munmap(old, had * sizeof *old);
    return true;
}

bool names_set(const void *payload, const char *name)
{
    if (!*name) {
        names_drop(payload);
        return true;
    }
    if (2 * names_count >= capacity && !grow())
        return false;
    struct entry *entry = find(payload);
    names_count += !entry->payload;
    entry->payload = payload;
    strncpy(entry->name, name, NAME_BYTES - 1);
    entry->name[NAME_BYTES - 1] = 0;
    return true;
}

const char *names_get(const void *payload)
{
    if (!names_count)
        return NULL;
    const struct entry *entry = find(payload);
    return entry->payload ? entry->name : NULL;
}

/* The entries behind the gap that would not be found over it move into it. */
void names_drop(const void *payload)
{
    if (!names_count)
        return;
    struct entry *gap = find(payload);
    if (!gap->payload)
        return;
    size_t hole = (size_t)(gap - entries), mask = capacity - 1;
    for (size_t at = (hole + 1) & mask; entries[at].payload; at = (at + 1) & mask) {
        size_t from_home = (at - home(entries[at].payload)) & mask;
        if (from_home < ((at - hole) & mask))
            continue;
        entries[hole] = entries[at];
        hole = at;
    }
    entries[hole].payload = NULL;
    names_count--;
}

void names_move(const void *from, const void *to)
{
    char name[NAME_BYTES];
    const char *had = from == to ? NULL : names_get(from);
    if (!had)
        return;
    memcpy(name, had, sizeof name);
    names_drop(from);
    names_set(to, name);
}

/* Only the boundary-tag heap has footers behind its payloads. */
const char *names_of_block(const struct region *region, const char *start, size_t bytes,
                           size_t usable)
{
    size_t footer = region && options.fit < FIT_BUDDY ? TAG_BYTES : 0;
    return names_get(start + bytes - footer - usable);
}

void names_walk(void (*visit)(void *context, const void *payload, const char *name), void *context)
{
    for (size_t i = 0; i < capacity; i++)
        if (entries[i].payload)
            visit(context, entries[i].payload, entries[i].name);
}

void names_forget(void)
{
    if (entries)
        munmap(entries, capacity * sizeof *entries);
    entries = NULL;
    capacity = names_count = 0;
}
