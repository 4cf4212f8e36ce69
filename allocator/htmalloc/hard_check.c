/* Of the hardened build alone (see hard.h): looks at blocks closely and says what is wrong. */
#include "hard.h"

#ifdef HT_HARD

#include "huge.h"
#include "message.h"
#include "private_heap.h"
#include "segment.h"

#define FOREIGN  "not a block of this allocator, or freed before"
#define NO_START "freed before, or not the start of a block"
#define INSIDE   "not the start of a block"
#define TWICE    "double free: the block has been freed before"
#define WRITTEN  "the free block was written to after it was freed"

void hard_die_written(const void *block)
{
    ht_die_pointer("malloc", block, WRITTEN);
}

/* --- lists --- */

static uint32_t bytes_of(const void *block)
{
    const struct run *run = slice_of(block);
    if (kind_of(run) == SLICE_INSIDE)
        run -= run->back;
    return hard_classes[run->class].bytes;
}

struct block *block_next(const struct block *block)
{
    return block_follow(block, bytes_of(block));
}

void block_link(struct block *block, struct block *next)
{
    block_lead(block, bytes_of(block), next);
}

/* --- one block --- */

static bool is_uncarved(const struct run *run, uint32_t offset)
{
    uint32_t carve = __atomic_load_n(&run->carve, __ATOMIC_RELAXED);
    return carve >> (offset >> HT_PAGE_SHIFT) & 1;
}

static bool is_free(const char *block, uint32_t bytes)
{
    return link_leads(block, link_load(block + bytes));
}

static void check_before(const char *operation, const struct run *run, const char *block)
{
    uint32_t offset = (uint32_t)(block - slice_base(run)) - hard_classes[run->class].bytes;
    /* Once: the block before may be another thread's, who frees it or takes it meanwhile. */
    uint64_t word = __atomic_load_n((const uint64_t *)(block - SEAL_BYTES), __ATOMIC_ACQUIRE);
    uint64_t plain = word ^ seal_code(block);
    if (ht_likely(seal_holds(plain) || link_leads(block, plain)))
        return;
    /* The page before has been given back to the system, or was so once. */
    if (word == 0 && (offset == 0 || is_uncarved(run, offset)))
        return;
    ht_die_pointer(operation, block, "written before the block's start");
}

static void check_run_block(const char *operation, const struct run *run, const char *block)
{
    uint32_t offset = (uint32_t)(block - slice_base(run)), bytes = hard_classes[run->class].bytes;
    if (ht_unlikely(offset == 0 || offset % bytes != 0))
        ht_die_pointer(operation, block, INSIDE);
    if (ht_unlikely(is_uncarved(run, offset)))
        ht_die_pointer(operation, block, NO_START);
    if (ht_unlikely(is_free(block, bytes)))
        ht_die_pointer(operation, block, TWICE);
    check_before(operation, run, block);
}

/* The bytes of the block that starts at `address`, of whatever kind. */
static size_t check_start(const char *operation, const void *address)
{
    if (ht_unlikely((uintptr_t)address >> HT_ADDRESS_BITS != 0))
        ht_die_pointer(operation, address, FOREIGN);
    if (ht_unlikely(!segment_holds(address))) {
        size_t bytes = huge_usable(address);
        if (bytes == 0)
            ht_die_pointer(operation, address, FOREIGN);
        return bytes;
    }
    const struct run *head = slice_of(address);
    if (kind_of(head) == SLICE_INSIDE && head->back < slice_number(head))
        head -= head->back;
    if (ht_likely(kind_of(head) == SLICE_RUN && slice_number(head) > 0)) {
        check_run_block(operation, head, address);
        return hard_classes[head->class].bytes;
    }
    if (slice_number(head) > 0 && kind_of(head) == SLICE_PRIVATE)
        ht_die_pointer(operation, address, PRIVATE_MISUSE);
    bool start = slice_number(head) > 0 && slice_base(head) == address;
    if (ht_unlikely(!start || kind_of(head) != SLICE_LARGE)) {
        if (start && kind_of(head) == SLICE_CACHED)
            ht_die_pointer(operation, address, TWICE);
        ht_die_pointer(operation, address, kind_of(head) == SLICE_LARGE ? INSIDE : NO_START);
    }
    return head->large_bytes;
}

struct sealed hard_check(const char *operation, const void *address)
{
    struct sealed sealed = {.capacity = check_start(operation, address)};
    const char *end = (const char *)address + sealed.capacity;
    uint64_t plain = seal_load(end);
    uint32_t slack = (uint32_t)plain & SLACK_MASK;
    if (ht_likely(seal_holds(plain) && slack >= SEAL_BYTES && slack <= sealed.capacity &&
                  fill_wrong(end, slack) == 0)) {
        sealed.size = sealed.capacity - slack;
        sealed.align_log2 = (uint32_t)plain >> SLACK_BITS;
        return sealed;
    }
    ht_die_pointer(operation, address, "written past the block's end");
}

/* --- the whole heap --- */

/* Calls `look` for each block in circulation. */
static inline __attribute__((always_inline)) void
each_block(const struct run *run, void (*look)(const struct block *, const struct hard_class *))
{
    const struct hard_class class = hard_classes[run->class];
    const char *base = slice_base(run);
    uint32_t end = (uint32_t)run_bytes(run) - class.bytes, carve = run->carve;
    for (uint32_t at = class.bytes; at <= end; at += class.bytes) {
        if (ht_likely((carve >> (at >> HT_PAGE_SHIFT) & 1) == 0))
            look((const struct block *)(base + at), &class);
    }
}

static inline void look_at_free(const struct block *block, const struct hard_class *class)
{
    if (ht_unlikely(!is_free((const char *)block, class->bytes)) ||
        ht_unlikely(!poison_holds(block, class->poison)))
        hard_die_written(block);
}

static inline void look_at_any(const struct block *block, const struct hard_class *class)
{
    if (!is_free((const char *)block, class->bytes))
        hard_check("at exit", block);
    else if (!poison_holds(block, class->poison))
        ht_die_pointer("at exit", block, WRITTEN);
}

void hard_check_empty(const struct run *run)
{
    each_block(run, look_at_free);
}

static void check_segment(const struct segment *segment)
{
    for (unsigned at = 1; at < HT_SEGMENT_SLICES;) {
        const struct run *span = (const struct run *)segment + at;
        if (kind_of(span) == SLICE_RUN)
            each_block(span, look_at_any);
        else if (kind_of(span) == SLICE_LARGE)
            hard_check("at exit", slice_base(span));
        if (span->slices == 0)
            break;
        at += span->slices;
    }
}

void hard_check_all(void)
{
    if (!__libc_single_threaded)
        return;
    for (const struct segment *at = segment_first(); at != NULL; at = at->next)
        check_segment(at);
}

#endif
