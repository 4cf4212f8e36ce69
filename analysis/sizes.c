#include "analysis/sizes.h"

#include <assert.h>

#include "analysis/grow.h"

#define HASH_SLOTS_FIRST 4096u
#define HASH_SLOTS_MAX   (1u << 19) /* 20 MiB */
#define STEPS_LOG2       6          /* of a rounded size, a doubling */

_Static_assert(SIZES_EXACT_MAX + (64u << STEPS_LOG2) < HASH_SLOTS_MAX / 4 * 3,
               "rounded sizes always find a slot");

bool size_table_init(struct size_table *table)
{
    void *small = NULL, *hash = NULL;

    *table = (struct size_table){0};
    if (!grow_table(&small, 0, SIZES_SMALL * sizeof(struct size_entry)))
        return false;
    table->small = small;
    for (uint64_t size = 0; size < SIZES_SMALL; size++)
        table->small[size].size = size;
    if (!grow_table(&hash, 0, HASH_SLOTS_FIRST * sizeof(struct size_entry)))
        return false;
    table->hash = hash;
    table->hash_slots = HASH_SLOTS_FIRST;
    return true;
}

void size_table_end(struct size_table *table)
{
    grow_free(table->small, SIZES_SMALL * sizeof(struct size_entry));
    grow_free(table->hash, table->hash_slots * sizeof(struct size_entry));
    *table = (struct size_table){0};
}

/* The slot of `size`, or the free slot where it belongs. */
static struct size_entry *hash_slot(struct size_entry *hash, size_t slots, uint64_t size)
{
    size_t at = (size_t)(size * UINT64_C(0x9E3779B97F4A7C15) >> 20) & (slots - 1);

    while (hash[at].allocations && hash[at].size != size)
        at = (at + 1) & (slots - 1);
    return &hash[at];
}

static bool hash_double(struct size_table *table)
{
    size_t slots = table->hash_slots * 2;
    void *fresh = NULL;

    if (!grow_table(&fresh, 0, slots * sizeof(struct size_entry)))
        return false;
    for (size_t i = 0; i < table->hash_slots; i++)
        if (table->hash[i].allocations)
            *hash_slot(fresh, slots, table->hash[i].size) = table->hash[i];
    grow_free(table->hash, table->hash_slots * sizeof(struct size_entry));
    table->hash = fresh;
    table->hash_slots = slots;
    return true;
}

static uint64_t round_size(uint64_t size)
{
    unsigned shift = 63u - (unsigned)__builtin_clzll(size) - STEPS_LOG2;
    uint64_t mask = (UINT64_C(1) << shift) - 1;

    return size > UINT64_MAX - mask ? UINT64_MAX : (size + mask) & ~mask;
}

/* The entry that counts blocks of `size`: an exact one where there is one, else the rounded one. */
static struct size_entry *find(struct size_table *table, uint64_t size)
{
    struct size_entry *entry;

    if (size < SIZES_SMALL)
        return &table->small[size];
    entry = hash_slot(table->hash, table->hash_slots, size);
    if (entry->allocations || !table->rounded)
        return entry;
    return hash_slot(table->hash, table->hash_slots, round_size(size));
}

/* Keeps the count of the last peak before it changes. */
static void save(const struct size_table *table, struct size_entry *entry)
{
    if (entry->saved_epoch == table->epoch)
        return;
    entry->live_at_peak = entry->live;
    entry->saved_epoch = table->epoch;
}

bool size_table_add(struct size_table *table, uint64_t size)
{
    struct size_entry *entry;

    if (size >= SIZES_SMALL && table->hash_used >= SIZES_EXACT_MAX)
        table->rounded = true;
    if (table->hash_used >= table->hash_slots / 4 * 3 && !hash_double(table))
        return false;
    entry = find(table, size);
    if (size >= SIZES_SMALL && !entry->allocations) {
        entry->size = table->rounded ? round_size(size) : size;
        table->hash_used++;
    }
    save(table, entry);
    entry->allocations++;
    entry->live++;
    return true;
}

void size_table_remove(struct size_table *table, uint64_t size)
{
    struct size_entry *entry = find(table, size);

    assert(entry->live > 0);
    save(table, entry);
    entry->live--;
}

void size_table_peak(struct size_table *table)
{
    table->epoch++;
}

uint64_t size_entry_at_peak(const struct size_table *table, const struct size_entry *entry)
{
    return entry->saved_epoch == table->epoch ? entry->live_at_peak : entry->live;
}

static uint64_t key_of(const struct size_table *table, enum size_order order,
                       const struct size_entry *entry)
{
    if (order == SIZE_BY_ALLOCATIONS)
        return entry->allocations;
    return size_entry_at_peak(table, entry) * entry->size;
}

/* Puts `entry` where it belongs among the `count` best so far; returns the new count. */
static size_t insert(const struct size_table *table, enum size_order order,
                     const struct size_entry *entry, const struct size_entry **best, size_t count,
                     size_t limit)
{
    uint64_t key = key_of(table, order, entry);
    size_t at = count;

    if (!key)
        return count;
    while (at > 0) {
        uint64_t above = key_of(table, order, best[at - 1]);
        if (above > key || (above == key && best[at - 1]->size < entry->size))
            break;
        at--;
    }
    if (at == limit)
        return count;
    if (count < limit)
        count++;
    for (size_t i = count - 1; i > at; i--)
        best[i] = best[i - 1];
    best[at] = entry;
    return count;
}

size_t size_table_top(const struct size_table *table, enum size_order order,
                      const struct size_entry **ret, size_t limit)
{
    size_t count = 0;

    for (size_t i = 0; i < SIZES_SMALL; i++)
        count = insert(table, order, &table->small[i], ret, count, limit);
    for (size_t i = 0; i < table->hash_slots; i++)
        if (table->hash[i].allocations)
            count = insert(table, order, &table->hash[i], ret, count, limit);
    return count;
}
