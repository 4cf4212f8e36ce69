#include "run.h"

#include "footprint.h"
#include "remote.h"

/* The number of the first block that starts at or behind the page. */
static uint32_t first_block(const struct run *run, uint32_t page)
{
    uint32_t bytes = class_bytes(run->class);
    uint32_t block = ((page << HT_PAGE_SHIFT) + bytes - 1) / bytes;
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

void run_finish(struct run *run)
{
    count_uncarved(run, -__builtin_popcount(run->carve));
}

void run_init(struct run *run, struct heap *owner, unsigned class)
{
    run->free = NULL;
    run->left = RUN_UNCOUNTED;
    run->remote = 0;
    run->next = run->prev = run->pending_next = NULL;
    run->circulating = 0;
    run->class = (uint8_t) class;
    run->slices = (uint8_t)class_slices(class);
    run->back = 0;
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

bool run_carve(struct run *run)
{
    uint32_t bytes = class_bytes(run->class);
    while (run->carve != 0) {
        uint32_t page = (uint32_t)__builtin_ctz(run->carve);
        run->carve &= run->carve - 1;
        count_uncarved(run, -1);
        uint32_t at = first_block(run, page), end = first_block(run, page + 1);
        if (at == end)
            continue;
        char *base = slice_base(run);
        /* Threads that send blocks here read it without a lock, as a hint. */
        __atomic_store_n(&run->circulating, (uint16_t)(run->circulating + (end - at)),
                         __ATOMIC_RELAXED);
        struct block *first = (struct block *)(base + (size_t)at * bytes);
        struct block *last = (struct block *)(base + (size_t)(end - 1) * bytes);
        for (struct block *block = first; block != last;) {
            struct block *next = (struct block *)((char *)block + bytes);
            block->next = next;
            block = next;
        }
        last->next = run->free;
        run->free = first;
        return true;
    }
    return false;
}

uint32_t run_used(const struct run *run)
{
    uint32_t free = 0;
    for (const struct block *block = run->free; block != NULL; block = block->next)
        free++;
    return run->circulating - free;
}

bool run_has_block(const struct run *run, const void *address)
{
    size_t offset = (size_t)((const char *)address - slice_base(run));
    /* A division of 32 bits is several times as fast as one of 64. */
    return offset < run_bytes(run) && (uint32_t)offset % class_bytes(run->class) == 0;
}
