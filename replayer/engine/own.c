#include "replayer/engine/own.h"

#include "replayer/engine/proc.h"

#define RANGES_MAX ((size_t)1 << 16) /* the kernel's own limit on mappings */

/* In .bss, not mapped when needed: they are to be among the ranges that they hold. */
struct ranges {
    size_t count;
    struct proc_range table[RANGES_MAX]; /* lowest first */
};

static struct ranges before, now, sets[2];
static struct ranges *own = &sets[0], *merged = &sets[1];

static void append(struct ranges *ranges, uint64_t start, uint64_t end)
{
    if (start < end && ranges->count < RANGES_MAX)
        ranges->table[ranges->count++] =
            (struct proc_range){.start = start, .end = end, .foreign = true};
}

static void read_ranges(struct ranges *ranges)
{
    ranges->count = proc_ranges(ranges->table, RANGES_MAX);
}

void own_pause(void)
{
    read_ranges(&before);
}

/* Whether the byte is in one of the ranges; *ret_next: where that answer changes. */
static bool holds(const struct ranges *ranges, size_t *index, uint64_t byte, uint64_t *ret_next)
{
    while (*index < ranges->count && ranges->table[*index].end <= byte)
        ++*index;
    if (*index == ranges->count) {
        *ret_next = UINT64_MAX;
        return false;
    }
    const struct proc_range *range = &ranges->table[*index];
    *ret_next = byte < range->start ? range->start : range->end;
    return byte >= range->start;
}

/* What of a mapping is the engine's: all if its name says so, else what was so before or is new. */
static void take(const struct proc_range *range, size_t *before_index, size_t *own_index)
{
    if (range->foreign) {
        append(merged, range->start, range->end);
        return;
    }
    for (uint64_t byte = range->start; byte < range->end;) {
        uint64_t change, own_change;
        bool old = holds(&before, before_index, byte, &change);
        bool ours = holds(own, own_index, byte, &own_change);
        change = change < own_change ? change : own_change;
        change = change < range->end ? change : range->end;
        if (!old || ours)
            append(merged, byte, change);
        byte = change;
    }
}

void own_resume(void)
{
    size_t before_index = 0, own_index = 0;
    read_ranges(&now);
    merged->count = 0;
    for (size_t i = 0; i < now.count; i++)
        take(&now.table[i], &before_index, &own_index);
    struct ranges *old = own;
    own = merged;
    merged = old;
}

/* The first range that ends behind the byte. */
static size_t first_behind(uint64_t byte)
{
    size_t low = 0, high = own->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (own->table[middle].end <= byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool own_next(uint64_t byte, uint64_t *ret_change)
{
    size_t index = first_behind(byte);
    return holds(own, &index, byte, ret_change);
}

bool own_overlaps(uintptr_t start, size_t bytes)
{
    size_t low = first_behind(start);
    return low < own->count && own->table[low].start < start + bytes;
}
