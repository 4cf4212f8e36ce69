#include "analysis/heap_free.h"

static void add(struct heap_free *sum, uint64_t bytes, uint64_t request)
{
    if (!bytes)
        return;
    unsigned bin = 63u - (unsigned)__builtin_clzll(bytes);
    bin = bin < HEAP_FREE_BINS ? bin : HEAP_FREE_BINS - 1;
    sum->runs++;
    sum->bytes += bytes;
    sum->largest = bytes > sum->largest ? bytes : sum->largest;
    sum->small_bytes += bytes < request ? bytes : 0;
    sum->bin_runs[bin]++;
    sum->bin_bytes[bin] += bytes;
}

struct heap_free heap_free_runs(const struct heap_snapshot *snapshot, uint64_t request)
{
    struct heap_free sum = {0};
    struct heap_stretches cursor = {0};
    struct heap_range stretch;
    size_t at = 0, count = (size_t)snapshot->head.blocks;
    while (heap_stretch_next(snapshot, &cursor, &stretch)) {
        uint64_t from = stretch.start;
        for (; at < count; at++) {
            const struct heap_block *block = &snapshot->blocks[at];
            uint64_t end = block->address + heap_block_extent(block);
            if (end <= from)
                continue;
            if (block->address >= stretch.end)
                break;
            if (block->address > from)
                add(&sum, block->address - from, request);
            from = end;
            if (end >= stretch.end) /* it may reach into the next one */
                break;
        }
        if (from < stretch.end)
            add(&sum, stretch.end - from, request);
    }
    return sum;
}

double heap_free_external(const struct heap_free *free)
{
    return free->bytes ? 1 - (double)free->largest / (double)free->bytes : 0;
}

double heap_free_unusable(const struct heap_free *free)
{
    return free->bytes ? (double)free->small_bytes / (double)free->bytes : 0;
}
