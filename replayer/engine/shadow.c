#include "replayer/engine/shadow.h"

#include <sched.h>
#include <string.h>

#define ROOT_ENTRIES   ((size_t)1 << (SHADOW_ADDRESS_BITS - SHADOW_ROOT_BITS))
#define CHUNK_LEAVES   64
#define SWEEP_LEAVES   1024
#define LEAF_WORD_MASK (SHADOW_LEAF_WORDS - 1)

typedef _Atomic(struct shadow_middle *) root_entry;

static root_entry *root_of(struct shadow *shadow, uint64_t granule)
{
    return (root_entry *)shadow->root.base + (granule * SHADOW_GRANULE >> SHADOW_ROOT_BITS);
}

static void lock(struct shadow *shadow)
{
    while (atomic_exchange_explicit(&shadow->lock, 1, memory_order_acquire))
        sched_yield();
}

static void unlock(struct shadow *shadow)
{
    atomic_store_explicit(&shadow->lock, 0, memory_order_release);
}

/* Fresh zeroed memory that stays until the end. */
static void *map(struct shadow *shadow, size_t bytes)
{
    struct pages pages = {0};
    void *base = pages_reserve(&pages, bytes);
    shadow->bytes += pages.bytes;
    return base;
}

void shadow_open(struct shadow *shadow)
{
    memset(shadow, 0, sizeof(*shadow));
    pages_reserve(&shadow->root, ROOT_ENTRIES * sizeof(root_entry));
    shadow->bytes = shadow->root.bytes;
}

bool shadow_covers(uintptr_t start, size_t bytes)
{
    const uint64_t limit = UINT64_C(1) << SHADOW_ADDRESS_BITS;
    return start < limit && bytes <= limit - start;
}

/* ---- leaves
 * -------------------------------------------------------------------------------------- */

static void leaf_release(struct shadow *shadow, struct shadow_leaf *leaf)
{
    *(void **)leaf = shadow->free_leaves;
    shadow->free_leaves = leaf;
}

/* With the lock. */
static struct shadow_leaf *leaf_get(struct shadow *shadow)
{
    if (!shadow->free_leaves) {
        struct shadow_leaf *chunk = map(shadow, CHUNK_LEAVES * sizeof(*chunk));
        for (int i = 0; i < CHUNK_LEAVES; i++)
            leaf_release(shadow, &chunk[i]);
    }
    struct shadow_leaf *leaf = shadow->free_leaves;
    shadow->free_leaves = *(void **)leaf;
    *(void **)leaf = NULL;
    shadow->leaves++;
    return leaf;
}

static __attribute__((noinline)) struct shadow_leaf *leaf_make(struct shadow *shadow,
                                                               uint64_t granule)
{
    lock(shadow);
    root_entry *entry = root_of(shadow, granule);
    struct shadow_middle *middle = atomic_load(entry);
    if (!middle) {
        middle = map(shadow, sizeof(*middle));
        atomic_store_explicit(entry, middle, memory_order_release);
    }
    uint64_t index = granule * SHADOW_GRANULE >> SHADOW_LEAF_BITS;
    _Atomic(struct shadow_leaf *) *place =
        &middle->leaves[index & ((1 << (SHADOW_ROOT_BITS - SHADOW_LEAF_BITS)) - 1)];
    struct shadow_leaf *leaf = atomic_load(place);
    if (!leaf) {
        leaf = leaf_get(shadow);
        atomic_store_explicit(place, leaf, memory_order_release);
    }
    unlock(shadow);
    return leaf;
}

static inline struct shadow_leaf *leaf_find(struct shadow *shadow, uint64_t granule)
{
    struct shadow_middle *middle =
        atomic_load_explicit(root_of(shadow, granule), memory_order_acquire);
    if (!middle)
        return NULL;
    uint64_t index = granule * SHADOW_GRANULE >> SHADOW_LEAF_BITS;
    return atomic_load_explicit(
        &middle->leaves[index & ((1 << (SHADOW_ROOT_BITS - SHADOW_LEAF_BITS)) - 1)],
        memory_order_acquire);
}

/* ---- blocks
 * -------------------------------------------------------------------------------------- */

/* The bits of `granule`'s word from it on, not past `last`. */
static inline uint64_t bits_of(uint64_t granule, uint64_t last)
{
    uint64_t bits = ~UINT64_C(0) << granule % 64;
    if (last / 64 == granule / 64)
        bits &= ~UINT64_C(0) >> (63 - last % 64);
    return bits;
}

bool shadow_enter(struct shadow *shadow, uintptr_t start, size_t bytes)
{
    uint64_t last = (start + bytes - 1) / SHADOW_GRANULE, met = 0;
    struct shadow_leaf *leaf = NULL;
    for (uint64_t granule = start / SHADOW_GRANULE; granule <= last; granule = (granule | 63) + 1) {
        uint64_t word = granule / 64 & LEAF_WORD_MASK;
        if (!leaf || !word)
            leaf = leaf_find(shadow, granule);
        if (__builtin_expect(!leaf, 0))
            leaf = leaf_make(shadow, granule);
        uint64_t bits = bits_of(granule, last);
        met |= atomic_fetch_or_explicit(&leaf->words[word], bits, memory_order_relaxed) & bits;
    }
    return met;
}

void shadow_leave(struct shadow *shadow, uintptr_t start, size_t bytes)
{
    uint64_t last = (start + bytes - 1) / SHADOW_GRANULE;
    struct shadow_leaf *leaf = NULL;
    for (uint64_t granule = start / SHADOW_GRANULE; granule <= last; granule = (granule | 63) + 1) {
        uint64_t word = granule / 64 & LEAF_WORD_MASK;
        if (!leaf || !word)
            leaf = leaf_find(shadow, granule);
        atomic_fetch_and_explicit(&leaf->words[word], ~bits_of(granule, last),
                                  memory_order_relaxed);
    }
}

static bool leaf_is_empty(const struct shadow_leaf *leaf)
{
    uint64_t any = 0;
    for (int i = 0; i < SHADOW_LEAF_WORDS; i++)
        any |= atomic_load_explicit(&leaf->words[i], memory_order_relaxed);
    return !any;
}

void shadow_sweep(struct shadow *shadow)
{
    if (shadow->leaves < 2 * shadow->leaves_swept + SWEEP_LEAVES)
        return;
    for (size_t i = 0; i < ROOT_ENTRIES; i++) {
        struct shadow_middle *middle = atomic_load(&((root_entry *)shadow->root.base)[i]);
        for (size_t j = 0; middle && j < sizeof(middle->leaves) / sizeof(middle->leaves[0]); j++) {
            struct shadow_leaf *leaf = atomic_load(&middle->leaves[j]);
            if (!leaf || !leaf_is_empty(leaf))
                continue;
            atomic_store(&middle->leaves[j], NULL);
            leaf_release(shadow, leaf);
            shadow->leaves--;
        }
    }
    shadow->leaves_swept = shadow->leaves;
}
