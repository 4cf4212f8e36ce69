#include "mixed.h"

#include "footprint.h"
#include "os.h"

#include <string.h>

#define UNITS (HT_SLICE / HT_ALIGN)

/* --- bits --- */

static bool bit_is_set(const uint64_t *bits, unsigned at)
{
    return __atomic_load_n(&bits[at / 64], __ATOMIC_ACQUIRE) >> (at % 64) & 1;
}

static void bit_set(uint64_t *bits, unsigned at)
{
    bits[at / 64] |= (uint64_t)1 << (at % 64);
}

static void bits_set(uint64_t *bits, unsigned from, unsigned count)
{
    while (count > 0) {
        unsigned bit = from % 64, width = 64 - bit < count ? 64 - bit : count;
        bits[from / 64] |= (~(uint64_t)0 >> (64 - width)) << bit;
        from += width;
        count -= width;
    }
}

/* The first unit from `at` on that has the value, `end` when there is none before it. */
static unsigned bits_find(const uint64_t *bits, unsigned at, unsigned end, bool value)
{
    while (at < end) {
        uint64_t word = __atomic_load_n(&bits[at / 64], __ATOMIC_ACQUIRE);
        word = (value ? word : ~word) >> (at % 64);
        if (word != 0) {
            at += (unsigned)__builtin_ctzll(word);
            return at < end ? at : end;
        }
        at = (at / 64 + 1) * 64;
    }
    return end;
}

static unsigned unit_of(const struct run *run, const void *address)
{
    return (unsigned)((size_t)((const char *)address - slice_base(run)) / HT_ALIGN);
}

/* --- carving anew --- */

/* What a run would be. */
struct plan {
    uint64_t odd[MIXED_WORDS], covered[MIXED_WORDS], starts[MIXED_WORDS];
    uint32_t odds, blocks;
};

static void plan_odd(struct plan *plan, unsigned unit, uint32_t bytes)
{
    bit_set(plan->odd, unit);
    bits_set(plan->covered, unit, bytes / HT_ALIGN);
    plan->odds++;
}

/* Everything in use becomes odd. */
static void plan_used(struct plan *plan, const struct run *run)
{
    uint64_t free[MIXED_WORDS] = {0};
    uint32_t bytes = class_bytes(run->class), count = 0;
    for (const struct block *block = run->free; block != NULL; block = block_next(block)) {
        run_check_listed(run, block, ++count);
        bit_set(free, unit_of(run, block));
    }
    if (!run->mixed) {
        for (uint32_t at = 0; at + bytes <= HT_SLICE; at += bytes) {
            if ((run->carve >> (at >> HT_PAGE_SHIFT) & 1) == 0 && !bit_is_set(free, at / HT_ALIGN))
                plan_odd(plan, at / HT_ALIGN, bytes);
        }
        return;
    }
    const struct mixed *mixed = mixed_of(run);
    memcpy(plan->odd, mixed->odd, sizeof plan->odd);
    memcpy(plan->covered, mixed->covered, sizeof plan->covered);
    plan->odds = mixed->odds;
    for (unsigned at = 0; (at = bits_find(mixed->starts, at, UNITS, true)) < UNITS; at++) {
        if (!bit_is_set(free, at))
            plan_odd(plan, at, bytes);
    }
}

/* Blocks of the class wherever they fit, aligned as those of its own runs are. */
static void plan_blocks(struct plan *plan, uint32_t bytes)
{
    unsigned units = bytes / HT_ALIGN, align = units & -units;
    for (unsigned at = 0; at + units <= UNITS;) {
        unsigned hit = bits_find(plan->covered, at, at + units, true);
        if (hit == at + units) {
            bit_set(plan->starts, at);
            plan->blocks++;
            at = hit;
        } else {
            at = (bits_find(plan->covered, hit, UNITS, false) + align - 1) & ~(align - 1);
        }
    }
}

/* The segment's records, made when it has its first mixed run. */
static bool records_made(struct segment *segment)
{
    if (__atomic_load_n(&segment->mixed, __ATOMIC_ACQUIRE) != NULL)
        return true;
    struct mixed *none = NULL, *made = os_map(MIXED_MAP_BYTES, HT_PAGE);
    if (made == NULL)
        return false;
    if (!__atomic_compare_exchange_n(&segment->mixed, &none, made, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_RELAXED))
        os_unmap(made, MIXED_MAP_BYTES); /* another heap's thread was faster */
    return true;
}

/* In an order that lets other threads, about to free odd blocks, read the maps meanwhile: each of
 * those is found, either by the old class and map or in the new one. */
static void commit(struct run *run, const struct plan *plan, unsigned class)
{
    struct mixed *mixed = mixed_of(run);
    for (unsigned i = 0; i < MIXED_WORDS; i++)
        __atomic_store_n(&mixed->covered[i], plan->covered[i], __ATOMIC_RELAXED);
    for (unsigned i = 0; i < MIXED_WORDS; i++)
        __atomic_store_n(&mixed->odd[i], plan->odd[i], __ATOMIC_RELEASE);
    for (unsigned i = 0; i < MIXED_WORDS; i++)
        __atomic_store_n(&mixed->starts[i], 0, __ATOMIC_RELEASE);
    __atomic_store_n(&mixed->odds, plan->odds, __ATOMIC_RELAXED);
    __atomic_store_n(&run->mixed, true, __ATOMIC_RELEASE);
    __atomic_store_n(&run->class, (uint8_t) class, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < MIXED_WORDS; i++)
        __atomic_store_n(&mixed->starts[i], plan->starts[i], __ATOMIC_RELEASE);
    footprint_add(&footprint.used, __builtin_popcount(run->carve));
    run->carve = 0;
    run->left = 1;
    __atomic_store_n(&run->circulating, (uint16_t)plan->blocks, __ATOMIC_RELAXED);
}

/* Puts the blocks in front of the run's free list. */
static void link_all(struct run *run, const uint64_t *starts)
{
    struct block *next = run->free;
    for (unsigned word = MIXED_WORDS; word-- > 0;) {
        for (uint64_t bits = starts[word]; bits != 0;) {
            unsigned bit = 63 - (unsigned)__builtin_clzll(bits);
            bits ^= (uint64_t)1 << bit;
            struct block *block =
                (struct block *)(slice_base(run) + (size_t)(word * 64 + bit) * HT_ALIGN);
            block_link_in(run, block, next);
            next = block;
        }
    }
    run->free = next;
}

bool mixed_make(struct run *run, unsigned class)
{
#ifdef HT_HARD
    (void)run, (void)class, (void)plan_used, (void)plan_blocks, (void)records_made, (void)commit,
        (void)link_all;
    return false;
#else
    struct plan plan = {0};
    plan_used(&plan, run);
    plan_blocks(&plan, class_bytes(class));
    if (plan.blocks * class_bytes(class) < HT_SLICE / MIXED_SHARE || !records_made(segment_of(run)))
        return false;
    commit(run, &plan, class);
    run->free = NULL;
    link_all(run, plan.starts);
    return true;
#endif
}

bool mixed_extend(struct run *run)
{
    struct plan plan = {0};
    struct mixed *mixed = mixed_of(run);
    uint32_t bytes = class_bytes(run->class);
    memcpy(plan.covered, mixed->covered, sizeof plan.covered);
    for (unsigned at = 0; (at = bits_find(mixed->starts, at, UNITS, true)) < UNITS; at++)
        bits_set(plan.covered, at, bytes / HT_ALIGN);
    plan_blocks(&plan, bytes);
    if (plan.blocks == 0)
        return false;
    for (unsigned i = 0; i < MIXED_WORDS; i++)
        __atomic_or_fetch(&mixed->starts[i], plan.starts[i], __ATOMIC_RELEASE);
    __atomic_store_n(&run->circulating, (uint16_t)(run->circulating + plan.blocks),
                     __ATOMIC_RELAXED);
    link_all(run, plan.starts);
    return true;
}

/* --- asking --- */

bool mixed_has_block(const struct run *run, const void *address)
{
    if ((uintptr_t)address % HT_ALIGN != 0)
        return false;
    const struct mixed *mixed = mixed_of(run);
    unsigned unit = unit_of(run, address);
    return unit < UNITS && (bit_is_set(mixed->starts, unit) || bit_is_set(mixed->odd, unit));
}

/* From an odd block's start to the next one's, or to where nothing is covered. */
static size_t odd_bytes(const struct mixed *mixed, unsigned unit)
{
    unsigned end = bits_find(mixed->covered, unit + 1, UNITS, false);
    return (size_t)(bits_find(mixed->odd, unit + 1, end, true) - unit) * HT_ALIGN;
}

size_t mixed_block_bytes(const struct run *run, const void *address)
{
    uint32_t bytes = class_bytes(__atomic_load_n(&run->class, __ATOMIC_ACQUIRE));
    const struct mixed *mixed = mixed_of(run);
    unsigned unit = unit_of(run, address);
    return bit_is_set(mixed->starts, unit) ? bytes : odd_bytes(mixed, unit);
}

size_t mixed_odd_bytes(const struct run *run)
{
    size_t units = 0;
    for (unsigned i = 0; i < MIXED_WORDS; i++)
        units += (size_t)__builtin_popcountll(mixed_of(run)->covered[i]);
    return units * HT_ALIGN;
}

/* --- freeing --- */

bool mixed_drop(struct run *run, const void *block)
{
    struct mixed *mixed = mixed_of(run);
    unsigned unit = unit_of(run, block);
    if (!bit_is_set(mixed->odd, unit))
        return false;
    /* First what it covers: whoever measures the block before it must find one of the two ends. */
    unsigned end = unit + (unsigned)(odd_bytes(mixed, unit) / HT_ALIGN);
    for (unsigned at = unit; at < end; at++)
        __atomic_and_fetch(&mixed->covered[at / 64], ~((uint64_t)1 << (at % 64)), __ATOMIC_RELAXED);
    __atomic_and_fetch(&mixed->odd[unit / 64], ~((uint64_t)1 << (unit % 64)), __ATOMIC_RELEASE);
    __atomic_store_n(&mixed->odds, mixed->odds - 1, __ATOMIC_RELAXED);
    return true;
}

struct block *mixed_sift(struct run *run, struct block *first)
{
    struct block *kept = NULL, *next;
    uint32_t count = 0;
    for (struct block *block = first; block != NULL; block = next) {
        run_check_listed(run, block, ++count);
        next = block_next_in(run, block);
        if (mixed_drop(run, block)) {
            count--; /* nor is it counted among the run's blocks any more */
            continue;
        }
        if (kept == NULL)
            first = block;
        else
            block_link_in(run, kept, block);
        kept = block;
    }
    if (kept == NULL)
        return NULL;
    block_link_in(run, kept, NULL);
    return first;
}
