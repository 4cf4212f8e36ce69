/* Of the build for Valgrind alone: see memcheck.h. */
#include "memcheck.h"

#ifdef HT_VALGRIND

#include "os.h"
#include "private_heap.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <valgrind/memcheck.h>

#define GUARD            16u /* bytes before and behind a block */
#define QUARANTINE_BYTES ((size_t)16 << 20)
#define QUARANTINE_SLOTS 32768u

struct tracked {
    char *address; /* NULL: the entry is free */
    char *base;    /* of the allocator's block */
    size_t size;   /* that was asked for */
    struct ht_heap *heap;
    size_t slot; /* of its heap's array */
    enum memcheck_kind kind;
};

struct ht_lock memcheck_lock;

/* The process is ending: blocks are memcheck's own, what was tracked is only forgotten. */
static bool finished;
void *__libc_memalign(size_t align, size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *address, size_t size);
void __libc_free(void *address);

void memcheck_inside(void)
{
    VALGRIND_DISABLE_ERROR_REPORTING;
}

void memcheck_outside(void)
{
    VALGRIND_ENABLE_ERROR_REPORTING;
}

/* --- what is known of the blocks: open addressing, entries move up when one is deleted --- */

static struct tracked *table;
static size_t table_size, table_used;

static size_t place_of(const void *address)
{
    return (size_t)(((uintptr_t)address >> 4) * 0x9e3779b97f4a7c15u >> 20) & (table_size - 1);
}

static struct tracked *find(const void *address)
{
    if (table == NULL)
        return NULL;
    size_t at = place_of(address);
    while (table[at].address != NULL && table[at].address != address)
        at = (at + 1) & (table_size - 1);
    return table[at].address == NULL ? NULL : &table[at];
}

static void insert(const struct tracked *entry)
{
    size_t at = place_of(entry->address);
    while (table[at].address != NULL)
        at = (at + 1) & (table_size - 1);
    table[at] = *entry;
    table_used++;
}

static bool reserve(void)
{
    if ((table_used + 1) * 2 <= table_size)
        return true;
    size_t old_size = table_size, new_size = old_size == 0 ? 4096 : old_size * 2;
    struct tracked *old = table, *new = os_map(new_size * sizeof *new, HT_PAGE);
    if (new == NULL)
        return false;
    VALGRIND_MAKE_MEM_NOACCESS(new, new_size * sizeof *new);
    table = new;
    table_size = new_size;
    table_used = 0;
    for (size_t i = 0; i < old_size; i++) {
        if (old[i].address != NULL)
            insert(&old[i]);
    }
    if (old != NULL)
        os_unmap(old, old_size * sizeof *old);
    return true;
}

static void delete_entry(struct tracked *entry)
{
    size_t mask = table_size - 1, hole = (size_t)(entry - table);
    table_used--;
    for (size_t at = (hole + 1) & mask; table[at].address != NULL; at = (at + 1) & mask) {
        if (((at - place_of(table[at].address)) & mask) >= ((at - hole) & mask)) {
            table[hole] = table[at];
            hole = at;
        }
    }
    table[hole].address = NULL;
}

static bool track(const struct tracked *entry)
{
    lock_take(&memcheck_lock);
    bool done = reserve();
    if (done)
        insert(entry);
    lock_give(&memcheck_lock);
    return done;
}

/* Forgets the block if it is of this heap (NULL: the common one); false when no block starts there.
 */
static bool forget(const void *address, const struct ht_heap *heap, struct tracked *ret_entry)
{
    lock_take(&memcheck_lock);
    struct tracked *entry = find(address);
    bool found = entry != NULL;
    if (found) {
        *ret_entry = *entry;
        if (entry->heap == heap)
            delete_entry(entry);
    }
    lock_give(&memcheck_lock);
    return found;
}

static bool look_up(const void *address, const struct ht_heap *heap, struct tracked *ret_entry)
{
    lock_take(&memcheck_lock);
    const struct tracked *entry = find(address);
    bool found = entry != NULL && entry->heap == heap;
    if (found)
        *ret_entry = *entry;
    lock_give(&memcheck_lock);
    return found;
}

/* --- freed blocks, the oldest first --- */

struct waiting {
    char *base; /* NULL: its heap is gone */
    size_t size;
    struct ht_heap *heap;
};
static struct waiting *queue;
static size_t queue_first, queue_count, queue_bytes;

static void give(const struct waiting *one)
{
    if (one->base == NULL)
        return;
    if (one->heap == NULL)
        plain_free(one->base);
    else
        plain_heap_free(one->heap, one->base);
}

static bool queue_pop(struct waiting *ret_one)
{
    *ret_one = queue[queue_first];
    queue_first = (queue_first + 1) % QUARANTINE_SLOTS;
    queue_bytes -= ret_one->size;
    return queue_count-- > 0;
}

/* Takes one in and gives others up for it. */
static void quarantine(const struct tracked *entry)
{
    struct waiting one = {entry->base, entry->size, entry->heap};
    lock_take(&memcheck_lock);
    if (queue == NULL) {
        queue = os_map(QUARANTINE_SLOTS * sizeof *queue, HT_PAGE);
        if (queue != NULL)
            VALGRIND_MAKE_MEM_NOACCESS(queue, QUARANTINE_SLOTS * sizeof *queue);
    }
    bool queued = queue != NULL && one.size <= QUARANTINE_BYTES;
    while (queued && (queue_count == QUARANTINE_SLOTS ||
                      (queue_count > 0 && queue_bytes + one.size > QUARANTINE_BYTES))) {
        struct waiting old;
        queue_pop(&old);
        lock_give(&memcheck_lock);
        give(&old);
        lock_take(&memcheck_lock);
    }
    if (queued) {
        queue[(queue_first + queue_count++) % QUARANTINE_SLOTS] = one;
        queue_bytes += one.size;
    }
    lock_give(&memcheck_lock);
    if (!queued)
        give(&one);
}

/* When memory is refused. */
static void quarantine_flush(void)
{
    for (bool more = true; more;) {
        struct waiting old = {0};
        lock_take(&memcheck_lock);
        more = queue_count > 0 && queue_pop(&old);
        lock_give(&memcheck_lock);
        give(&old);
    }
}

/* --- what a private heap leads to, for the leak search: an array that its own block leads to ---
 */

struct memcheck_owned {
    size_t count, free; /* free: the first slot without a block; `count` when there is none */
    uintptr_t slots[];  /* a block's address, or the next free slot, doubled, plus 1 */
};

static bool owned_grow(struct ht_heap *heap)
{
    struct memcheck_owned *old = heap->owned;
    size_t had = old == NULL ? 0 : old->count, count = had == 0 ? 16 : 2 * had;
    struct memcheck_owned *new =
        memcheck_take(sizeof *new + count * sizeof *new->slots, HT_ALIGN, true, MEMCHECK_MALLOC);
    if (new == NULL)
        return false;
    if (had > 0)
        memcpy(new->slots, old->slots, had * sizeof *new->slots);
    for (size_t i = had; i < count; i++)
        new->slots[i] = 2 * (i + 1) + 1;
    new->count = count;
    new->free = had;
    memcheck_free(old, MEMCHECK_MALLOC, SIZE_MAX);
    heap->owned = new;
    return true;
}

static bool own(struct tracked *entry)
{
    struct ht_heap *heap = entry->heap;
    if (heap == NULL)
        return true;
    if ((heap->owned == NULL || heap->owned->free == heap->owned->count) && !owned_grow(heap))
        return false;
    entry->slot = heap->owned->free;
    heap->owned->free = heap->owned->slots[entry->slot] / 2;
    heap->owned->slots[entry->slot] = (uintptr_t)entry->address;
    return true;
}

static void disown(const struct tracked *entry)
{
    if (entry->heap == NULL || entry->heap->owned == NULL)
        return;
    entry->heap->owned->slots[entry->slot] = 2 * entry->heap->owned->free + 1;
    entry->heap->owned->free = entry->slot;
}

/* --- taking --- */

static char *take_base(struct ht_heap *heap, size_t align, size_t size)
{
    if (heap != NULL)
        return plain_heap_aligned(heap, align, size);
    return align <= HT_ALIGN ? plain_malloc(size) : plain_memalign(align, size);
}

static size_t usable(const struct tracked *entry)
{
    return entry->heap == NULL ? plain_usable_size(entry->base)
                               : plain_heap_usable_size(entry->heap, entry->base);
}

static void *take_inside(struct tracked *entry, size_t align, bool zero)
{
    size_t guard = align < GUARD ? GUARD : align, size = entry->size + guard + GUARD;
    entry->base = take_base(entry->heap, guard, size);
    if (entry->base == NULL) {
        quarantine_flush();
        entry->base = take_base(entry->heap, guard, size);
    }
    if (entry->base == NULL)
        return NULL;
    entry->address = entry->base + guard;
    if (!own(entry) || !track(entry)) {
        give(&(struct waiting){entry->base, entry->size, entry->heap});
        errno = ENOMEM;
        return NULL;
    }
    if (zero)
        memset(entry->address, 0, entry->size);
    VALGRIND_MAKE_MEM_NOACCESS(entry->base, usable(entry));
    return entry->address;
}

static void *take(struct ht_heap *heap, size_t size, size_t align, bool zero,
                  enum memcheck_kind kind)
{
    if (finished)
        return zero ? __libc_calloc(1, size) : __libc_memalign(align, size);
    if (size > PTRDIFF_MAX - 2 * GUARD || align > PTRDIFF_MAX - 2 * GUARD - size) {
        errno = ENOMEM;
        return NULL;
    }
    struct tracked entry = {.size = size, .heap = heap, .kind = kind};
    memcheck_inside();
    void *address = take_inside(&entry, align, zero);
    memcheck_outside();
    if (address != NULL)
        VALGRIND_MALLOCLIKE_BLOCK(address, size, GUARD, zero);
    return address;
}

void *memcheck_take(size_t size, size_t align, bool zero, enum memcheck_kind kind)
{
    return take(NULL, size, align, zero, kind);
}

/* --- giving --- */

/* memcheck's own word for it is closed to us: this makes an error, with the caller's stack and the
 * block's, and a line that says what it is. `guard` is a byte before the block, out of bounds. */
static HT_NOINLINE void mismatched_free_or_delete(const void *address, const char *made,
                                                  const char *freed)
{
    VALGRIND_PRINTF("Mismatched free() / delete / delete []: %p was made by %s, freed by %s\n",
                    address, made, freed);
    VALGRIND_CHECK_MEM_IS_ADDRESSABLE((const char *)address - 1, 1);
}

static HT_NOINLINE void wrong_size_of_sized_free(const void *address, size_t made, size_t freed)
{
    VALGRIND_PRINTF("Wrong size: %p was made with %lu bytes, freed with %lu\n", address,
                    (unsigned long)made, (unsigned long)freed);
    VALGRIND_CHECK_MEM_IS_ADDRESSABLE((const char *)address - 1, 1);
}

static void check_kind(const struct tracked *entry, const struct ht_heap *heap,
                       enum memcheck_kind kind, size_t size)
{
    static const char *const makers[] = {"malloc", "new", "new []", "a private heap"};
    static const char *const freers[] = {"free or realloc", "delete", "delete []",
                                         "a private heap"};
    if (entry->kind != kind || entry->heap != heap)
        mismatched_free_or_delete(entry->address, makers[entry->kind], freers[kind]);
    else if (size != SIZE_MAX && size != entry->size)
        wrong_size_of_sized_free(entry->address, entry->size, size);
}

static void release(struct ht_heap *heap, void *address, enum memcheck_kind kind, size_t size)
{
    struct tracked entry;
    if (address == NULL)
        return;
    int saved = errno;
    memcheck_inside();
    bool found = forget(address, heap, &entry);
    memcheck_outside();
    if (found)
        check_kind(&entry, heap, kind, size);
    if (found && entry.heap != heap)
        return; /* that was the error: the block stands */
    if (!found && finished)
        __libc_free(address);
    else
        VALGRIND_FREELIKE_BLOCK(address, GUARD); /* memcheck reports what it does not know */
    if (found && !finished) {
        memcheck_inside();
        disown(&entry);
        quarantine(&entry);
        memcheck_outside();
    }
    errno = saved;
}

void memcheck_free(void *address, enum memcheck_kind kind, size_t size)
{
    release(NULL, address, kind, size);
}

/* --- changing --- */

/* Where the block is, if there is room and not too much of it. */
static bool resize_in_place(const struct tracked *entry, size_t size)
{
    memcheck_inside();
    char *end = entry->base + usable(entry);
    bool fits = size + GUARD <= (size_t)(end - entry->address) && size >= entry->size / 2;
    if (fits) {
        lock_take(&memcheck_lock);
        find(entry->address)->size = size;
        lock_give(&memcheck_lock);
    }
    memcheck_outside();
    if (fits)
        VALGRIND_RESIZEINPLACE_BLOCK(entry->address, entry->size, size, GUARD);
    return fits;
}

static void *change(struct ht_heap *heap, void *address, size_t size, enum memcheck_kind kind)
{
    struct tracked entry;
    if (address == NULL)
        return take(heap, size, HT_ALIGN, false, kind);
    memcheck_inside();
    bool found = look_up(address, heap, &entry);
    memcheck_outside();
    if (!found && finished)
        return __libc_realloc(address, size);
    if (!found || size == 0) {
        release(heap, address, kind, SIZE_MAX);
        return NULL;
    }
    if (size <= PTRDIFF_MAX - 2 * GUARD && !finished && entry.kind == kind &&
        resize_in_place(&entry, size))
        return address;
    void *moved = take(heap, size, HT_ALIGN, false, kind);
    if (moved != NULL) {
        memcpy(moved, address, entry.size < size ? entry.size : size);
        release(heap, address, kind, SIZE_MAX);
    }
    return moved;
}

/* --- the public functions --- */

void *ht_malloc(size_t size)
{
    return take(NULL, size, HT_ALIGN, false, MEMCHECK_MALLOC);
}

void *ht_calloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return take(NULL, bytes, HT_ALIGN, true, MEMCHECK_MALLOC);
}

void *ht_memalign(size_t align, size_t size)
{
    if ((align & (align - 1)) != 0) {
        errno = EINVAL;
        return NULL;
    }
    return take(NULL, size, align, false, MEMCHECK_MALLOC);
}

void *ht_realloc(void *address, size_t size)
{
    return change(NULL, address, size, MEMCHECK_MALLOC);
}

void ht_free(void *address)
{
    release(NULL, address, MEMCHECK_MALLOC, SIZE_MAX);
}

void ht_free_sized(void *address, size_t size)
{
    release(NULL, address, MEMCHECK_MALLOC, size);
}

void ht_free_aligned_sized(void *address, size_t align, size_t size)
{
    (void)align;
    release(NULL, address, MEMCHECK_MALLOC, size);
}

size_t ht_usable_size(const void *address)
{
    struct tracked entry = {0};
    memcheck_inside();
    bool found = address != NULL && look_up(address, NULL, &entry);
    memcheck_outside();
    return found ? entry.size : 0;
}

/* --- private heaps --- */

void *ht_heap_malloc(struct ht_heap *heap, size_t size)
{
    return take(heap, size, HT_ALIGN, false, MEMCHECK_HEAP);
}

void *ht_heap_calloc(struct ht_heap *heap, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return take(heap, bytes, HT_ALIGN, true, MEMCHECK_HEAP);
}

void *ht_heap_aligned(struct ht_heap *heap, size_t align, size_t size)
{
    if (align == 0 || (align & (align - 1)) != 0) {
        errno = EINVAL;
        return NULL;
    }
    return take(heap, size, align, false, MEMCHECK_HEAP);
}

void *ht_heap_realloc(struct ht_heap *heap, void *address, size_t size)
{
    return change(heap, address, size, MEMCHECK_HEAP);
}

void ht_heap_free(struct ht_heap *heap, void *address)
{
    release(heap, address, MEMCHECK_HEAP, SIZE_MAX);
}

size_t ht_heap_usable_size(const struct ht_heap *heap, const void *address)
{
    struct tracked entry = {0};
    memcheck_inside();
    bool found = address != NULL && look_up(address, heap, &entry);
    memcheck_outside();
    return found ? entry.size : 0;
}

/* What waits to be used again of a heap that is about to give up all of it. */
static void queue_drop(const struct ht_heap *heap)
{
    lock_take(&memcheck_lock);
    for (size_t i = 0; i < queue_count; i++) {
        struct waiting *one = &queue[(queue_first + i) % QUARANTINE_SLOTS];
        if (one->heap == heap)
            one->base = NULL;
    }
    lock_give(&memcheck_lock);
}

void ht_heap_free_all(struct ht_heap *heap)
{
    memcheck_inside();
    for (size_t i = 0; i < table_size;) {
        if (table[i].address == NULL || table[i].heap != heap) {
            i++;
            continue;
        }
        char *address = table[i].address;
        struct tracked entry;
        forget(address, heap, &entry); /* another may move to its place */
        VALGRIND_FREELIKE_BLOCK(address, GUARD);
    }
    memcheck_free(heap->owned, MEMCHECK_MALLOC, SIZE_MAX);
    heap->owned = NULL;
    if (!finished) {
        queue_drop(heap);
        plain_heap_free_all(heap);
    }
    memcheck_outside();
}

void ht_heap_delete(struct ht_heap *heap)
{
    if (heap == NULL)
        return;
    ht_heap_free_all(heap);
    ht_free(heap);
}

/* --- the end --- */

void memcheck_finish(void)
{
    if (!RUNNING_ON_VALGRIND)
        return;
    memcheck_inside();
    finished = true;
    memcheck_unmap_all();
    memcheck_outside();
}

#endif
