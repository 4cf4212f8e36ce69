#include "run.h"

#include "footprint.h"
#include "hard.h"
#include "message.h"
#include "mixed.h"
#include "os.h"
#include "remote.h"

#include <string.h>

/* The hardened build needs a seal before each block: see hard.h. */
#ifdef HT_HARD
#define FIRST_BLOCK 1u
#else
#define FIRST_BLOCK 0u
#endif

/* The number of the first block that starts at or behind the page. */
static uint32_t first_block(const struct run *run, uint32_t page)
{
    uint32_t bytes = class_bytes(run->class);
    uint32_t block = ((page << HT_PAGE_SHIFT) + bytes - 1) / bytes;
    if (block == 0)
        block = FIRST_BLOCK;
    uint32_t capacity = run_capacity(run);
    return block < capacity ? block : capacity;
}

/* A bit for each page that some block starts in. */
static uint32_t starting_pages(const struct run *run)
{
    uint32_t bytes = class_bytes(run->class);
    if (bytes <= HT_PAGE) { /* each page up to the last block's */
        uint32_t last = (run_capacity(run) - 1) * bytes >> HT_PAGE_SHIFT;
        return UINT32_MAX >> (31 - last);
    }
    uint32_t mask = 0;
    for (uint32_t at = 0; at + bytes <= run_bytes(run); at += bytes)
        mask |= 1u << (at >> HT_PAGE_SHIFT);
    return mask;
}

/* The pages that a bit of the mask stands for, roughly: more than one where blocks are longer. */
static ptrdiff_t pages_each(const struct run *run)
{
    uint32_t pages = class_bytes(run->class) >> HT_PAGE_SHIFT;
    return pages == 0 ? 1 : (ptrdiff_t)pages;
}

static void count_uncarved(const struct run *run, int bits)
{
    footprint_add(&footprint.used, -bits * pages_each(run));
}

void run_init(struct run *run, struct heap *owner, unsigned class, unsigned slices)
{
    run->free = NULL;
    run->left = RUN_UNCOUNTED;
    run->remote = 0;
    run->next = run->prev = run->pending_next = NULL;
    run->circulating = 0;
    run->class = (uint8_t) class;
    run->slices = (uint8_t)slices;
    run->back = 0;
    run->mixed = false;
    run->state = RUN_CURRENT;
    run->carve = starting_pages(run);
    count_uncarved(run, __builtin_popcount(run->carve));
    for (unsigned i = 1; i < run->slices; i++) {
        kind_set(&run[i], SLICE_INSIDE);
        run[i].back = (uint8_t)i;
    }
    kind_set(run, SLICE_RUN);
    __atomic_store_n(&run->owner, owner, __ATOMIC_RELEASE);
}

/* Links a block that has just been carved. */
static inline void fresh(struct block *block, struct block *next, uint32_t bytes)
{
#ifdef HT_HARD
    poison_write(block, poison_plan(bytes));
    block_lead(block, bytes, next);
#else
    (void)bytes;
    block_link(block, next);
#endif
}

/* Before block `at` is carved: in the hardened build the one before it must have its seal, in
 * circulation or not. */
static void fresh_before(struct run *run, uint32_t at, uint32_t bytes)
{
#ifdef HT_HARD
    uint32_t before = (at - 1) * bytes;
    if (at == FIRST_BLOCK || run->carve >> (before >> HT_PAGE_SHIFT) & 1)
        hard_prepare_seal(slice_base(run) + before, bytes);
#else
    (void)run, (void)at, (void)bytes;
#endif
}

bool run_carve(struct run *run)
{
    uint32_t bytes = class_bytes(run->class);
    while (run->carve != 0) {
        uint32_t page = (uint32_t)__builtin_ctz(run->carve);
        uint32_t rest = run->carve & (run->carve - 1);
        count_uncarved(run, -1);
        uint32_t at = first_block(run, page), end = first_block(run, page + 1);
        if (at == end) {
            run->carve = rest;
            continue;
        }
        char *base = slice_base(run);
        /* Threads that send blocks here read it without a lock, as a hint. */
        __atomic_store_n(&run->circulating, (uint16_t)(run->circulating + (end - at)),
                         __ATOMIC_RELAXED);
        fresh_before(run, at, bytes);
        struct block *first = (struct block *)(base + (size_t)at * bytes);
        struct block *last = (struct block *)(base + (size_t)(end - 1) * bytes);
        for (struct block *block = first; block != last;) {
            struct block *next = (struct block *)((char *)block + bytes);
            fresh(block, next, bytes);
            block = next;
        }
        fresh(last, run->free, bytes);
        run->free = first;
        /* Last: the hardened build's checks in other threads excuse what is not carved. */
        __atomic_store_n(&run->carve, rest, __ATOMIC_RELEASE);
        return true;
    }
    return false;
}

uint32_t run_used(const struct run *run)
{
    uint32_t free = 0;
    for (const struct block *block = run->free; block != NULL; block = block_next_in(run, block))
        run_check_listed(run, block, ++free);
    return run->circulating - free;
}

bool run_has_block(const struct run *run, const void *address)
{
    /* The class first: it is the last to change when a run becomes a mixed one. */
    uint32_t bytes = class_bytes(__atomic_load_n(&run->class, __ATOMIC_ACQUIRE));
    if (ht_unlikely(__atomic_load_n(&run->mixed, __ATOMIC_ACQUIRE)))
        return mixed_has_block(run, address);
    size_t offset = (size_t)((const char *)address - slice_base(run));
    /* A division of 32 bits is several times as fast as one of 64. */
    return offset < run_bytes(run) && (uint32_t)offset % bytes == 0 &&
           (FIRST_BLOCK == 0 || offset != 0);
}

size_t run_block_bytes(const struct run *run, const void *address)
{
    size_t bytes = class_bytes(__atomic_load_n(&run->class, __ATOMIC_ACQUIRE));
    return ht_unlikely(__atomic_load_n(&run->mixed, __ATOMIC_ACQUIRE))
               ? mixed_block_bytes(run, address)
               : bytes;
}

void run_check_listed(const struct run *run, const struct block *block, uint32_t count)
{
    if (ht_unlikely(!run_has_block(run, block)))
        ht_die_pointer("free list", block,
                       "a free block was written to, or what is no block was freed");
    if (ht_unlikely(count > run->circulating + mixed_odds(run)))
        ht_die_pointer("free list", block, "double free: the list of free blocks is a circle");
}

/* Whether all blocks that start in the page are free by the bits. */
static bool page_is_free(const struct run *run, const uint64_t *free, uint32_t page)
{
    uint32_t at = first_block(run, page), end = first_block(run, page + 1);
    if (at == end)
        return false;
    for (; at < end; at++) {
        if ((free[at / 64] >> (at % 64) & 1) == 0)
            return false;
    }
    return true;
}

/* The pages that no block in circulation reaches into. */
static uint32_t untouched_pages(const struct run *run)
{
    uint32_t bytes = class_bytes(run->class), capacity = run_capacity(run), mask = 0;
    uint32_t pages = (uint32_t)(run_bytes(run) >> HT_PAGE_SHIFT);
    for (uint32_t page = 0; page < pages; page++) {
        uint32_t block = (page << HT_PAGE_SHIFT) / bytes;
        uint32_t end = (((page + 1) << HT_PAGE_SHIFT) - 1) / bytes + 1;
        bool touched = false;
        for (; block < end && block < capacity && !touched; block++)
            touched = (run->carve >> (block * bytes >> HT_PAGE_SHIFT) & 1) == 0;
        mask |= (uint32_t)!touched << page;
    }
    return mask;
}

uint32_t run_finish(struct run *run)
{
#ifdef HT_HARD
    hard_check_empty(run);
#endif
    if (run->slices == 1) {
        count_uncarved(run, -__builtin_popcount(run->carve));
        return run->circulating > 0;
    }
    const unsigned pages_shift = HT_SLICE_SHIFT - HT_PAGE_SHIFT;
    uint32_t untouched = run->carve == 0 ? 0 : untouched_pages(run), touched = 0;
    for (unsigned slice = 0; slice < run->slices; slice++) {
        uint32_t pages = untouched >> (slice << pages_shift) & ((1u << (1 << pages_shift)) - 1);
        touched |= (uint32_t)(pages != (1u << (1 << pages_shift)) - 1) << slice;
    }
    count_uncarved(run, -__builtin_popcount(run->carve));
    return touched;
}

/* Drops the blocks that start in pages of the mask from the free list. */
static void drop_blocks(struct run *run, uint32_t pages)
{
    const char *base = slice_base(run);
    struct block *kept = NULL, *next;
    uint32_t dropped = 0;
    for (struct block *block = run->free; block != NULL; block = next) {
        next = block_next_in(run, block);
        uint32_t page = (uint32_t)((const char *)block - base) >> HT_PAGE_SHIFT;
        if (pages >> page & 1) {
            dropped++;
            block_leave(block, &hard_classes[run->class]);
        } else {
            if (kept == NULL)
                run->free = block;
            else
                block_link_in(run, kept, block);
            kept = block;
        }
    }
    if (kept == NULL)
        run->free = NULL;
    else
        block_link_in(run, kept, NULL);
    __atomic_store_n(&run->circulating, (uint16_t)(run->circulating - dropped), __ATOMIC_RELAXED);
}

static void purge_pages(const struct run *run, uint32_t mask)
{
    char *base = slice_base(run);
    while (mask != 0) {
        unsigned first = (unsigned)__builtin_ctz(mask), count = 0;
        while (first + count < 32 && mask >> (first + count) & 1)
            count++;
        /* Of pages that are not in circulation it is relied on that they read as zeros. */
        if (!os_purge(base + first * HT_PAGE, count * HT_PAGE))
            memset(base + first * HT_PAGE, 0, count * HT_PAGE);
        mask &= count == 32 ? 0 : ~(((1u << count) - 1) << first);
    }
}

uint32_t run_purge(struct run *run)
{
    if (run->mixed)
        return 0;
    uint64_t free[HT_SLICE / HT_ALIGN / 64] = {0};
    const char *base = slice_base(run);
    uint32_t bytes = class_bytes(run->class), drop = 0;
    uint32_t count = 0;
    for (const struct block *block = run->free; block != NULL; block = block_next_in(run, block)) {
        run_check_listed(run, block, ++count);
        uint32_t number = (uint32_t)((const char *)block - base) / bytes;
        free[number / 64] |= (uint64_t)1 << (number % 64);
    }
    for (uint32_t page = 0; page < run_bytes(run) >> HT_PAGE_SHIFT; page++) {
        if ((run->carve >> page & 1) == 0 && page_is_free(run, free, page))
            drop |= 1u << page;
    }
    if (drop == 0)
        return 0;
    uint32_t before = untouched_pages(run);
    drop_blocks(run, drop);
    run->carve |= drop;
    count_uncarved(run, __builtin_popcount(drop));
    uint32_t gone = untouched_pages(run) & ~before;
    purge_pages(run, gone);
    return (uint32_t)__builtin_popcount(gone);
}
