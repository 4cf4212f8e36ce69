#include "analysis/class_use.h"

#include <stdlib.h>

static int by_size(const void *first, const void *second)
{
    uint64_t a = ((const struct size_entry *)first)->size;
    uint64_t b = ((const struct size_entry *)second)->size;
    return a < b ? -1 : a > b;
}

static void take(struct class_sizes *sizes, const struct size_table *table,
                 const struct size_entry *entry)
{
    if (!entry->allocations)
        return;
    struct size_entry *copy = &sizes->entries[sizes->count++];
    *copy = *entry;
    copy->live_at_peak = size_entry_at_peak(table, entry);
}

bool class_sizes_begin(struct class_sizes *sizes, const struct size_table *table)
{
    *sizes = (struct class_sizes){0};
    sizes->entries = malloc((SIZES_SMALL + table->hash_used + 1) * sizeof *sizes->entries);
    if (!sizes->entries)
        return false;
    for (size_t i = 0; i < SIZES_SMALL; i++)
        take(sizes, table, &table->small[i]);
    size_t small = sizes->count;
    for (size_t i = 0; i < table->hash_slots; i++)
        take(sizes, table, &table->hash[i]);
    qsort(sizes->entries + small, sizes->count - small, sizeof *sizes->entries, by_size);
    return true;
}

void class_sizes_end(struct class_sizes *sizes)
{
    free(sizes->entries);
    *sizes = (struct class_sizes){0};
}

/* The size joins the class, which is empty or has smaller ones. */
static void join(struct class_use *use, const struct size_entry *entry, uint64_t usable)
{
    uint64_t lost = usable - entry->size;
    if (!use->allocations)
        use->least = entry->size;
    use->usable = usable;
    use->allocations += entry->allocations;
    use->lost_in_calls += lost * entry->allocations;
    use->blocks_at_peak += entry->live_at_peak;
    use->requested_at_peak += entry->live_at_peak * entry->size;
    use->lost_at_peak += entry->live_at_peak * lost;
}

size_t class_use(const struct class_sizes *sizes, const struct class_rule *rule,
                 struct class_use *ret)
{
    size_t count = 0;
    for (size_t i = 0; i < sizes->count; i++) {
        uint64_t usable = rule->usable(sizes->entries[i].size);
        if (!count || ret[count - 1].usable != usable)
            ret[count++] = (struct class_use){0};
        join(&ret[count - 1], &sizes->entries[i], usable);
    }
    return count;
}

struct class_waste class_waste(const struct class_sizes *sizes, const struct class_rule *rule)
{
    struct class_waste waste = {0};
    uint64_t last = 0;
    for (size_t i = 0; i < sizes->count; i++) {
        const struct size_entry *entry = &sizes->entries[i];
        uint64_t usable = rule->usable(entry->size), lost = usable - entry->size;
        waste.classes += i == 0 || usable != last;
        last = usable;
        waste.lost_at_peak += lost * entry->live_at_peak;
        waste.large_lost_at_peak += usable > CLASS_USE_LARGE ? lost * entry->live_at_peak : 0;
        waste.headers_at_peak += rule->header * entry->live_at_peak;
        waste.lost_in_calls += (double)lost * (double)entry->allocations;
        waste.requested_in_calls += (double)entry->size * (double)entry->allocations;
    }
    return waste;
}

static int by_lost(const void *first, const void *second)
{
    const struct class_use *a = first, *b = second;
    if (a->lost_at_peak != b->lost_at_peak)
        return a->lost_at_peak < b->lost_at_peak ? 1 : -1;
    if (a->lost_in_calls != b->lost_in_calls)
        return a->lost_in_calls < b->lost_in_calls ? 1 : -1;
    return a->usable < b->usable ? -1 : a->usable > b->usable;
}

void class_use_rank(struct class_use *uses, size_t count)
{
    qsort(uses, count, sizeof *uses, by_lost);
}
