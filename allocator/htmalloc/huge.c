#include "huge.h"

#include "extent.h"
#include "footprint.h"
#include "os.h"
#include "span.h"

/* One mapping. Open addressing, linear probing; deletion moves later entries up, so that freeing
 * never needs memory. */
struct huge {
    char *base; /* NULL: the entry is free */
    size_t bytes;
};

/* The most address space that is mapped ahead of its use. */
#define ROOM_MAX ((size_t)32 << 20)

#define TABLE_MIN (HT_PAGE / sizeof(struct huge))

struct huge_counts huge_counts;
struct ht_lock huge_lock;

static struct huge *table;
static size_t table_size; /* entries, a power of two */

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

/* --- where pages come from and go to --- */

static void count_used(ptrdiff_t bytes)
{
    footprint_add(&footprint.used, bytes >> HT_PAGE_SHIFT);
}

/* `bytes` of fresh pages are about to be taken: what others must give back for them goes, as far as
 * it is kept here. Returns the pages that are still owed. */
static size_t pay_for(size_t bytes)
{
    size_t excess = footprint_excess(bytes >> HT_PAGE_SHIFT) << HT_PAGE_SHIFT;
    if (excess == 0)
        return 0;
    size_t dirty = extent_counts.dirty;
    size_t gone = extent_purge(excess < dirty ? dirty - excess : 0);
    return gone < excess ? (excess - gone) >> HT_PAGE_SHIFT : 0;
}

/* Free pages, all of which count as touched. */
static void keep(char *base, size_t bytes)
{
    extent_add((struct extent){base, bytes, bytes, false});
    size_t surplus = footprint_surplus() << HT_PAGE_SHIFT, dirty = extent_counts.dirty;
    if (surplus > 0)
        extent_purge(surplus < dirty ? dirty - surplus : 0);
}

/* How much to map for a block of `bytes`: room for others too, so that what they leave can be
 * joined, as long as that is no more than what is in use already. */
static size_t bytes_to_map(size_t bytes)
{
    size_t room = huge_counts.bytes < ROOM_MAX ? huge_counts.bytes : ROOM_MAX;
    return bytes > ROOM_MAX / 2 ? bytes : bytes + (room & ~(HT_PAGE - 1));
}

static char *map_new(size_t *bytes, size_t align)
{
    size_t whole = align > HT_PAGE ? *bytes : bytes_to_map(*bytes);
    char *base = os_map(whole, align);
    if (base == NULL && whole > *bytes)
        base = os_map(whole = *bytes, align);
    if (base != NULL && whole > *bytes)
        extent_add((struct extent){base + *bytes, whole - *bytes, 0, true});
    return base;
}

/* The pages that were freed last, and more behind them: the system moves them if it must. */
static char *grow_dirtiest(size_t bytes, size_t *ret_owed)
{
    struct extent most = extent_take_dirtiest();
    if (most.base == NULL)
        return NULL;
    if (most.bytes < bytes && most.dirty >= bytes / 4) {
        *ret_owed = pay_for(bytes - most.dirty);
        char *base = os_remap(most.base, most.bytes, bytes, true);
        if (base != NULL)
            return base;
    }
    extent_add(most);
    return NULL;
}

/* Pages for a block, `*bytes` of them or a few more. `ret_owed` gets the pages that spans must give
 * back for it. */
static char *obtain(size_t *bytes, size_t align, bool *ret_zero, size_t *ret_owed)
{
    struct extent taken = extent_take(*bytes, align);
    if (taken.base != NULL) {
        *bytes = taken.bytes;
        *ret_zero = taken.zero;
        *ret_owed = pay_for(taken.bytes - taken.dirty);
        return taken.base;
    }
    char *base = align == HT_PAGE ? grow_dirtiest(*bytes, ret_owed) : NULL;
    *ret_zero = base == NULL;
    if (base != NULL)
        return base;
    *ret_owed = pay_for(*bytes);
    return map_new(bytes, align);
}

/* --- blocks --- */

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

/* Makes a block longer: in place where free pages lie right behind it, else the system moves it. */
static char *lengthen(char *base, size_t old_bytes, size_t *bytes, size_t *ret_owed)
{
    struct extent behind = extent_take_at(base + old_bytes, *bytes - old_bytes);
    if (behind.base != NULL) {
        *bytes = old_bytes + behind.bytes;
        *ret_owed = pay_for(behind.bytes - behind.dirty);
        return base;
    }
    *ret_owed = pay_for(*bytes - old_bytes);
    return os_remap(base, old_bytes, *bytes, true);
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
            keep((char *)address + bytes, old_bytes - bytes);
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
    size_t bytes = extent_clear();
    lock_give(&huge_lock);
    return bytes;
}

void huge_decay(void)
{
    lock_take(&huge_lock);
    extent_purge(extent_counts.dirty - extent_counts.dirty_least);
    extent_counts.dirty_least = extent_counts.dirty;
    lock_give(&huge_lock);
}

void huge_each(void (*visit)(void *context, void *address, size_t bytes), void *context)
{
    for (size_t at = 0; at < table_size; at++) {
        if (table[at].base != NULL)
            visit(context, table[at].base, table[at].bytes);
    }
}
