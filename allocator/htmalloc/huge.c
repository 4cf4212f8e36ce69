#include "huge.h"

#include "footprint.h"
#include "os.h"
#include "span.h"

/* One mapping. Open addressing, linear probing; deletion moves later entries up, so that freeing
 * never needs memory. */
struct huge {
    char *base; /* NULL: the entry is free */
    size_t bytes;
};

#define KEPT_MAX  32
#define PIECE_MIN (32 * HT_PAGE) /* smaller ends of mappings are not kept apart */
#define TABLE_MIN (HT_PAGE / sizeof(struct huge))

struct huge_counts huge_counts;
struct ht_lock huge_lock;

static struct huge *table;
static size_t table_size; /* entries, a power of two */
static struct huge kept[KEPT_MAX];
static size_t kept_least; /* the fewest kept bytes that there have been in this window */

static size_t hash_of(const void *base)
{
    uint64_t mixed = ((uintptr_t)base >> HT_PAGE_SHIFT) * 0x9e3779b97f4a7c15u;
    return (size_t)(mixed >> 20) & (table_size - 1);
}

static struct huge *find(const void *address)
{
    if (table == NULL)
        return NULL;
    for (size_t at = hash_of(address); table[at].base != NULL; at = (at + 1) & (table_size - 1)) {
        if (table[at].base == address)
            return &table[at];
    }
    return NULL;
}

static void insert(char *base, size_t bytes)
{
    size_t at = hash_of(base);
    while (table[at].base != NULL)
        at = (at + 1) & (table_size - 1);
    table[at] = (struct huge){base, bytes};
    huge_counts.blocks++;
    huge_counts.bytes += bytes;
}

static void delete_entry(struct huge *entry)
{
    size_t mask = table_size - 1, hole = (size_t)(entry - table);
    huge_counts.blocks--;
    huge_counts.bytes -= entry->bytes;
    for (size_t at = (hole + 1) & mask; table[at].base != NULL; at = (at + 1) & mask) {
        /* The entry may move to the hole unless its own place lies behind the hole. */
        if (((at - hash_of(table[at].base)) & mask) >= ((at - hole) & mask)) {
            table[hole] = table[at];
            hole = at;
        }
    }
    table[hole].base = NULL;
}

/* Makes sure that one more entry fits. */
static bool reserve(void)
{
    if ((huge_counts.blocks + 1) * 2 <= table_size)
        return true;
    size_t old_size = table_size, new_size = old_size == 0 ? TABLE_MIN : old_size * 2;
    struct huge *old = table, *new = os_map(new_size * sizeof *new, HT_PAGE);
    if (new == NULL)
        return huge_counts.blocks + 1 < table_size;
    table = new;
    table_size = new_size;
    huge_counts.blocks = huge_counts.bytes = 0;
    for (size_t i = 0; i < old_size; i++) {
        if (old[i].base != NULL)
            insert(old[i].base, old[i].bytes);
    }
    huge_counts.table_bytes = new_size * sizeof *new;
    if (old != NULL)
        os_unmap(old, old_size * sizeof *old);
    return true;
}

/* --- freed mappings kept for the next request --- */

static void count_kept(ptrdiff_t bytes)
{
    huge_counts.kept_bytes += (size_t)bytes;
    if (huge_counts.kept_bytes < kept_least)
        kept_least = huge_counts.kept_bytes;
    footprint_add(&footprint.spare, bytes >> HT_PAGE_SHIFT);
}

static void count_used(ptrdiff_t bytes)
{
    footprint_add(&footprint.used, bytes >> HT_PAGE_SHIFT);
}

/* Unmaps kept mappings, the smallest first since they are worth the least, until no more than
 * `keep` bytes stand. */
static size_t kept_shrink(size_t keep)
{
    size_t before = huge_counts.kept_bytes;
    while (huge_counts.kept_bytes > keep) {
        struct huge *least = NULL;
        for (int i = 0; i < KEPT_MAX; i++) {
            if (kept[i].base != NULL && (least == NULL || kept[i].bytes < least->bytes))
                least = &kept[i];
        }
        os_unmap(least->base, least->bytes);
        least->base = NULL;
        count_kept(-(ptrdiff_t)least->bytes);
    }
    return before - huge_counts.kept_bytes;
}

/* Fresh pages for `bytes` are about to be taken: what others must give back for them goes, as far
 * as it is kept here. Returns the pages that are still owed. */
static size_t pay_for(size_t bytes)
{
    size_t excess = footprint_excess(bytes >> HT_PAGE_SHIFT);
    if (excess == 0)
        return 0;
    size_t kept_bytes = huge_counts.kept_bytes, excess_bytes = excess << HT_PAGE_SHIFT;
    size_t gone = kept_shrink(excess_bytes < kept_bytes ? kept_bytes - excess_bytes : 0);
    return gone < excess_bytes ? (excess_bytes - gone) >> HT_PAGE_SHIFT : 0;
}

/* Takes a free mapping in; where all places are taken, the smallest gives way. */
static void keep(char *base, size_t bytes)
{
    struct huge *place = NULL;
    for (int i = 0; i < KEPT_MAX; i++) {
        struct huge *one = &kept[i];
        if (one->base != NULL && one->base + one->bytes == base) {
            one->bytes += bytes;
            count_kept((ptrdiff_t)bytes);
            return;
        }
        if (place == NULL ||
            (place->base != NULL && (one->base == NULL || one->bytes < place->bytes)))
            place = one;
    }
    if (place->base != NULL && place->bytes >= bytes) {
        os_unmap(base, bytes);
        return;
    }
    if (place->base != NULL) {
        os_unmap(place->base, place->bytes);
        count_kept(-(ptrdiff_t)place->bytes);
    }
    *place = (struct huge){base, bytes};
    count_kept((ptrdiff_t)bytes);
    size_t surplus = footprint_surplus() << HT_PAGE_SHIFT;
    if (surplus > 0)
        kept_shrink(surplus < huge_counts.kept_bytes ? huge_counts.kept_bytes - surplus : 0);
}

/* Takes the first `bytes` out of a kept mapping, or all of it when little would be left. Returns
 * how many that was. */
static size_t kept_cut(struct huge *one, size_t bytes)
{
    if (one->bytes - bytes < PIECE_MIN)
        bytes = one->bytes;
    one->base = one->bytes == bytes ? NULL : one->base + bytes;
    one->bytes -= bytes;
    count_kept(-(ptrdiff_t)bytes);
    return bytes;
}

/* A kept mapping for `bytes`: the smallest that is large enough, or the largest made larger. */
static char *take_kept(size_t bytes, size_t align, size_t *ret_bytes, size_t *ret_owed)
{
    struct huge *fit = NULL, *greatest = NULL;
    for (int i = 0; i < KEPT_MAX; i++) {
        struct huge *one = &kept[i];
        if (one->base == NULL || ((uintptr_t)one->base & (align - 1)) != 0)
            continue;
        if (one->bytes >= bytes && (fit == NULL || one->bytes < fit->bytes))
            fit = one;
        if (greatest == NULL || one->bytes > greatest->bytes)
            greatest = one;
    }
    if (fit != NULL) {
        char *base = fit->base;
        *ret_bytes = kept_cut(fit, bytes);
        return base;
    }
    if (greatest == NULL || align > HT_PAGE)
        return NULL;
    /* Out of the list first: paying may unmap what is in it. */
    struct huge grown = *greatest;
    greatest->base = NULL;
    count_kept(-(ptrdiff_t)grown.bytes);
    *ret_owed = pay_for(bytes - grown.bytes);
    char *base = os_remap(grown.base, grown.bytes, bytes, true);
    if (base == NULL)
        keep(grown.base, grown.bytes);
    else
        *ret_bytes = bytes;
    return base;
}

/* --- blocks --- */

/* A mapping for `bytes`, from the kept ones or the system. `ret_owed` gets the pages that others
 * must give back for it. */
static char *obtain(size_t *bytes, size_t align, bool *ret_zero, size_t *ret_owed)
{
    *ret_zero = false;
    char *base = take_kept(*bytes, align, bytes, ret_owed);
    if (base != NULL)
        return base;
    *ret_zero = true;
    *ret_owed = pay_for(*bytes);
    return os_map(*bytes, align);
}

void *huge_take(size_t size, size_t align, bool *ret_zero)
{
    size_t bytes = (size + HT_PAGE - 1) & ~(HT_PAGE - 1), owed = 0;
    if (bytes < size || bytes > PTRDIFF_MAX || align > PTRDIFF_MAX / 2)
        return NULL;
    lock_take(&huge_lock);
    char *base = NULL;
    if (reserve())
        base = obtain(&bytes, align < HT_PAGE ? HT_PAGE : align, ret_zero, &owed);
    if (base != NULL) {
        insert(base, bytes);
        count_used((ptrdiff_t)bytes);
    }
    lock_give(&huge_lock);
    if (owed > 0)
        span_purge_some(owed);
    return base;
}

bool huge_free(void *address)
{
    lock_take(&huge_lock);
    struct huge *entry = find(address);
    bool found = entry != NULL;
    if (found) {
        size_t bytes = entry->bytes;
        delete_entry(entry);
        count_used(-(ptrdiff_t)bytes);
        keep(address, bytes);
    }
    lock_give(&huge_lock);
    footprint_tick();
    return found;
}

size_t huge_usable(const void *address)
{
    lock_take(&huge_lock);
    struct huge *entry = find(address);
    size_t bytes = entry == NULL ? 0 : entry->bytes;
    lock_give(&huge_lock);
    return bytes;
}

/* Gives the end of a block back. */
static char *shrink(char *base, size_t old_bytes, size_t bytes)
{
    if (old_bytes - bytes >= PIECE_MIN)
        keep(base + bytes, old_bytes - bytes);
    else
        os_unmap(base + bytes, old_bytes - bytes);
    return base;
}

/* Makes a block longer: by kept pages right behind it, else by the system, which moves it if it
 * must. */
static char *lengthen(char *base, size_t old_bytes, size_t *bytes, size_t *ret_owed)
{
    size_t have = old_bytes;
    for (int i = 0; i < KEPT_MAX && have < *bytes; i++) {
        if (kept[i].base == base + have) {
            size_t wanted = *bytes - have;
            have += kept_cut(&kept[i], wanted < kept[i].bytes ? wanted : kept[i].bytes);
        }
    }
    if (have >= *bytes) {
        *bytes = have;
        return base;
    }
    *ret_owed = pay_for(*bytes - have);
    char *moved = os_remap(base, have, *bytes, true);
    if (moved == NULL && have > old_bytes)
        keep(base + old_bytes, have - old_bytes);
    return moved;
}

void *huge_resize(void *address, size_t size)
{
    size_t bytes = (size + HT_PAGE - 1) & ~(HT_PAGE - 1), owed = 0;
    if (bytes < size || bytes > PTRDIFF_MAX)
        return NULL;
    lock_take(&huge_lock);
    struct huge *entry = find(address);
    char *moved = NULL;
    if (entry != NULL) {
        size_t old_bytes = entry->bytes;
        moved = address;
        if (bytes < old_bytes)
            shrink(address, old_bytes, bytes);
        else if (bytes > old_bytes)
            moved = lengthen(address, old_bytes, &bytes, &owed);
        if (moved != NULL && bytes != old_bytes) {
            delete_entry(entry);
            insert(moved, bytes);
            count_used((ptrdiff_t)bytes - (ptrdiff_t)old_bytes);
        }
    }
    lock_give(&huge_lock);
    if (owed > 0)
        span_purge_some(owed);
    return moved;
}

size_t huge_flush(void)
{
    lock_take(&huge_lock);
    size_t bytes = kept_shrink(0);
    lock_give(&huge_lock);
    return bytes;
}

void huge_decay(void)
{
    lock_take(&huge_lock);
    kept_shrink(huge_counts.kept_bytes - kept_least);
    kept_least = huge_counts.kept_bytes;
    lock_give(&huge_lock);
}

void huge_each(void (*visit)(void *context, void *address, size_t bytes), void *context)
{
    for (size_t at = 0; at < table_size; at++) {
        if (table[at].base != NULL)
            visit(context, table[at].base, table[at].bytes);
    }
}
