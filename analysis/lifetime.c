#include "analysis/lifetime.h"

#include <assert.h>
#include <string.h>

#include "analysis/grow.h"

#define OBJECTS_FIRST 65536u

unsigned lifetime_bin(uint64_t length)
{
    return length ? 64u - (unsigned)__builtin_clzll(length) : 0;
}

uint64_t lifetime_bin_low(unsigned bin)
{
    return bin ? UINT64_C(1) << (bin - 1) : 0;
}

uint64_t lifetime_bin_high(unsigned bin)
{
    return bin ? lifetime_bin_low(bin) * 2 - 1 : 0; /* bin 64 wraps to UINT64_MAX */
}

void lifetimes_end(struct lifetimes *lifetimes)
{
    grow_free(lifetimes->born_bytes, lifetimes->capacity * sizeof(uint64_t));
    memset(lifetimes, 0, sizeof *lifetimes);
}

bool lifetimes_born(struct lifetimes *lifetimes, uint32_t id, uint64_t allocated_bytes)
{
    if (id >= lifetimes->capacity) {
        size_t count = grow_count(lifetimes->capacity, id, OBJECTS_FIRST);
        void *table = lifetimes->born_bytes;
        if (!grow_table(&table, lifetimes->capacity * sizeof(uint64_t), count * sizeof(uint64_t)))
            return false;
        lifetimes->born_bytes = table;
        lifetimes->capacity = count;
    }
    lifetimes->born_bytes[id] = allocated_bytes;
    return true;
}

static void count_block(struct lifetime_histogram *histogram, uint64_t length, uint64_t size)
{
    unsigned bin = lifetime_bin(length);

    histogram->blocks[bin]++;
    histogram->bytes[bin] += size;
}

void lifetimes_ended(struct lifetimes *lifetimes, uint32_t id, uint64_t events, uint64_t size,
                     uint64_t allocated_bytes)
{
    assert(id < lifetimes->capacity);
    count_block(&lifetimes->by_events, events, size);
    uint64_t meanwhile = allocated_bytes - lifetimes->born_bytes[id];
    count_block(&lifetimes->by_bytes, meanwhile, size);
    lifetimes->by_size[lifetime_bin(size)][lifetime_bin(meanwhile)]++;
}

uint64_t lifetime_quantile(const struct lifetime_histogram *histogram, double share)
{
    uint64_t all = 0, below = 0;

    for (unsigned bin = 0; bin < LIFETIME_BINS; bin++)
        all += histogram->blocks[bin];
    for (unsigned bin = 0; all && bin < LIFETIME_BINS; bin++) {
        below += histogram->blocks[bin];
        if ((double)below >= share * (double)all)
            return lifetime_bin_high(bin);
    }
    return 0;
}
