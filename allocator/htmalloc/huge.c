#include "huge.h"

#include "options.h"
#include "os.h"

/* One mapping. Open addressing, linear probing; deletion moves later entries up, so that freeing
 * never needs memory. */
struct huge {
    char *base; /* NULL: the entry is free */
    size_t bytes;
};

#define KEPT_MAX  8
#define TABLE_MIN (HT_PAGE / sizeof(struct huge))

struct huge_counts huge_counts;
struct ht_lock huge_lock;

static struct huge *table;
static size_t table_size; /* entries, a power of two */
static struct huge kept[KEPT_MAX];

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

/* A kept mapping that fits without wasting more than an eighth, the best of them. */
static char *take_kept(size_t bytes, size_t align, size_t *ret_bytes)
{
    struct huge *best = NULL;
    for (int i = 0; i < KEPT_MAX; i++) {
        struct huge *one = &kept[i];
        if (one->base != NULL && one->bytes >= bytes && one->bytes - bytes <= bytes / 8 &&
            ((uintptr_t)one->base & (align - 1)) == 0 && (best == NULL || one->bytes < best->bytes))
            best = one;
    }
    if (best == NULL)
        return NULL;
    char *base = best->base;
    *ret_bytes = best->bytes;
    huge_counts.kept_bytes -= best->bytes;
    best->base = NULL;
    return base;
}

static size_t kept_limit(void)
{
    size_t share = huge_counts.bytes / 8;
    return share > options.huge_keep ? share : options.huge_keep;
}

/* Keeps a freed mapping when the amounts allow it, in place of smaller ones where all are taken. */
static bool keep(char *base, size_t bytes)
{
    if (huge_counts.kept_bytes + bytes > kept_limit())
        return false;
    for (int i = 0; i < KEPT_MAX; i++) {
        if (kept[i].base == NULL) {
            kept[i] = (struct huge){base, bytes};
            huge_counts.kept_bytes += bytes;
            return true;
        }
    }
    return false;
}

static size_t flush_locked(void)
{
    size_t bytes = huge_counts.kept_bytes;
    for (int i = 0; i < KEPT_MAX; i++) {
        if (kept[i].base != NULL)
            os_unmap(kept[i].base, kept[i].bytes);
        kept[i].base = NULL;
    }
    huge_counts.kept_bytes = 0;
    return bytes;
}

void *huge_take(size_t size, size_t align, bool *ret_zero)
{
    size_t bytes = (size + HT_PAGE - 1) & ~(HT_PAGE - 1);
    if (bytes < size || bytes > PTRDIFF_MAX || align > PTRDIFF_MAX / 2)
        return NULL;
    lock_take(&huge_lock);
    char *base = NULL;
    *ret_zero = true;
    if (reserve()) {
        base = take_kept(bytes, align, &bytes);
        if (base != NULL)
            *ret_zero = false;
        else
            base = os_map(bytes, align < HT_PAGE ? HT_PAGE : align);
        if (base != NULL)
            insert(base, bytes);
    }
    lock_give(&huge_lock);
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
        if (!keep(address, bytes))
            os_unmap(address, bytes);
    }
    lock_give(&huge_lock);
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

void *huge_resize(void *address, size_t size)
{
    size_t bytes = (size + HT_PAGE - 1) & ~(HT_PAGE - 1);
    if (bytes < size || bytes > PTRDIFF_MAX)
        return NULL;
    lock_take(&huge_lock);
    struct huge *entry = find(address);
    char *moved = NULL;
    if (entry != NULL) {
        size_t old_bytes = entry->bytes;
        moved = bytes == old_bytes ? address : os_remap(address, old_bytes, bytes, true);
        if (moved != NULL && bytes != old_bytes) {
            delete_entry(entry);
            insert(moved, bytes);
        }
    }
    lock_give(&huge_lock);
    return moved;
}

size_t huge_flush(void)
{
    lock_take(&huge_lock);
    size_t bytes = flush_locked();
    lock_give(&huge_lock);
    return bytes;
}

void huge_each(void (*visit)(void *context, void *address, size_t bytes), void *context)
{
    for (size_t at = 0; at < table_size; at++) {
        if (table[at].base != NULL)
            visit(context, table[at].base, table[at].bytes);
    }
}
