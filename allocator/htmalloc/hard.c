/* An object of the hardened build alone: see hard.h. */
#include "hard.h"

#ifdef HT_HARD

#include "fast.h"
#include "htmalloc.h"
#include "huge.h"
#include "message.h"
#include "span.h"

#include <errno.h>
#include <string.h>
#include <sys/auxv.h>

#define CANARY_BYTE 0xe7u
#define CANARY      0xe7e7e7e7e7e7e7e7u
#define TAIL_FACTOR 0x9e3779b1u
#define SLACK_BITS  24
#define FOREIGN     "not a block of this allocator, or freed before"
#define NO_START    "freed before, or not the start of a block"

uintptr_t hard_key = 0x5bd1e9955bd1e995u;
struct hard_class hard_classes[CLASS_COUNT];

/* A block in use as a check found it. */
struct sealed {
    size_t capacity; /* with canary and tail */
    size_t size;     /* that the program asked for */
    unsigned align_log2;
};

void hard_setup(void)
{
    uintptr_t key;
    const char *random = (const char *)getauxval(AT_RANDOM); /* 16 bytes; libc uses the first */
    if (random != NULL) {
        memcpy(&key, random + 8, sizeof key);
        hard_key ^= key;
    }
    for (unsigned class = 0; class < CLASS_COUNT; class ++) {
        uint32_t bytes = class_bytes(class);
        hard_classes[class].bytes = bytes;
        hard_classes[class].inverse = (uint32_t)((((uint64_t)1 << 32) + bytes - 1) / bytes);
    }
}

void hard_die_written(const void *block)
{
    ht_die_pointer("malloc", block, "the free block was written to after it was freed");
}

/* --- canaries --- */

static inline uint64_t load(const void *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

static inline void store(void *at, uint64_t word)
{
    memcpy(at, &word, sizeof word);
}

/* The word at the end of a block that ends at `end`: the value, a product of it cut to 24 bits, the
 * canary byte. */
static inline uint64_t tail_word(const char *end, uint32_t value)
{
    uint64_t word = (uint64_t)(value * TAIL_FACTOR) << 32 | value;
    word ^= hard_key ^ (uintptr_t)end;
    return (word & ~((uint64_t)0xff << 56)) | (uint64_t)CANARY_BYTE << 56;
}

static inline bool tail_read(const char *end, uint32_t *ret_value)
{
    uint64_t word = load(end - 8);
    *ret_value = (uint32_t)(word ^ hard_key ^ (uintptr_t)end);
    return word == tail_word(end, *ret_value);
}

static inline void *seal(void *address, size_t size, size_t capacity, unsigned align_log2)
{
    char *behind = (char *)address + size, *end = (char *)address + capacity;
    size_t slack = capacity - size;
    store(behind, CANARY);
    store(end - 16, CANARY);
    if (slack >= 24)
        store(behind + 8, CANARY);
    store(end - 8, tail_word(end, (uint32_t)slack | align_log2 << SLACK_BITS));
    return address;
}

static inline bool seal_holds(const char *address, const struct sealed *sealed)
{
    const char *behind = address + sealed->size, *end = address + sealed->capacity;
    uint64_t wrong = (load(behind) ^ CANARY) | (load(end - 16) ^ CANARY);
    if (sealed->capacity - sealed->size >= 24)
        wrong |= load(behind + 8) ^ CANARY;
    return wrong == 0;
}

void hard_prepare(void *block, uint32_t bytes)
{
    block_poison(block, bytes);
    hard_prepare_tail(block, bytes);
}

void hard_prepare_tail(void *block, uint32_t bytes)
{
    char *end = (char *)block + bytes;
    store(end - 8, tail_word(end, 0));
}

/* --- checks --- */

static HT_COLD _Noreturn void die_size(const char *operation, const void *address, const char *what,
                                       size_t given, size_t made)
{
    struct ht_line line = {.length = 0};
    line_text(&line, what);
    line_number(&line, given);
    line_text(&line, ", but the block was made with ");
    line_number(&line, made);
    line.text[line.length] = '\0';
    ht_die_pointer(operation, address, line.text);
}

static inline void check_run_block(const char *operation, const struct run *run, const char *block)
{
    const struct hard_class *class = &hard_classes[run->class];
    uint32_t offset = (uint32_t)(block - slice_base(run)), before;
    uint32_t number = (uint32_t)((uint64_t)offset * class->inverse >> 32);
    if (ht_unlikely(number == 0 || number * class->bytes != offset))
        ht_die_pointer(operation, block, "not the start of a block");
    if (ht_unlikely(block_is_marked((const struct block *)block)))
        ht_die_pointer(operation, block, "double free: the block has been freed before");
    if (ht_unlikely(run->carve >> (offset >> HT_PAGE_SHIFT) & 1))
        ht_die_pointer(operation, block, NO_START);
    /* Zeros: the page before has been given back to the system. */
    if (ht_unlikely(!tail_read(block, &before)) && load(block - 8) != 0)
        ht_die_pointer(operation, block, "written before the block's start");
}

/* The bytes of the block that starts at `address`, of whatever kind. */
static inline size_t capacity_of(const char *operation, const void *address)
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
    if (slice_number(head) == 0 || slice_base(head) != address || kind_of(head) != SLICE_LARGE)
        ht_die_pointer(operation, address,
                       kind_of(head) == SLICE_CACHED && slice_base(head) == address
                           ? "double free: the block has been freed before"
                           : NO_START);
    return head->large_bytes;
}

/* Ends the program unless the block is one in use, and whole. */
static inline struct sealed check(const char *operation, const void *address)
{
    struct sealed sealed = {.capacity = capacity_of(operation, address)};
    uint32_t value;
    bool whole = tail_read((const char *)address + sealed.capacity, &value);
    uint32_t slack = value & ((1u << SLACK_BITS) - 1);
    if (ht_likely(whole && slack >= HARD_TAIL && slack <= sealed.capacity)) {
        sealed.size = sealed.capacity - slack;
        sealed.align_log2 = value >> SLACK_BITS;
        if (ht_likely(seal_holds(address, &sealed)))
            return sealed;
    }
    /* What a block that was freed has lost its mark by was a write, too. */
    bool freed = load((const char *)address + 16) == HARD_POISON;
    ht_die_pointer(operation, address,
                   freed ? "the free block was written to after it was freed"
                         : "written past the block's end");
}

static inline void release(void *address, const struct sealed *sealed)
{
    if (ht_likely(sealed->capacity <= HT_SMALL_MAX))
        block_poison(address, (uint32_t)sealed->capacity);
    fast_free(address);
}

/* --- the public functions --- */

/* A block that could not be made smaller may be much too long for the tail word: it then counts as
 * longer than was asked for. */
static void *seal_any(void *address, size_t size, size_t capacity, unsigned align_log2)
{
    const size_t slack_max = ((size_t)1 << SLACK_BITS) - 1;
    if (ht_unlikely(capacity - size > slack_max))
        size = capacity - slack_max;
    return seal(address, size, capacity, align_log2);
}

static HT_NOINLINE void *seal_slow(void *address, size_t size, unsigned align_log2)
{
    if (ht_unlikely(address == NULL))
        return NULL;
    return seal_any(address, size, plain_usable_size(address), align_log2);
}

/* What is asked of the allocator for `size`; above any limit when that overflows. A block of 16
 * bytes would have its tail where a free one has its mark. */
static inline size_t longer(size_t size)
{
    return size > PTRDIFF_MAX ? SIZE_MAX : size + (size == 0) + HARD_TAIL;
}

void *ht_malloc(size_t size)
{
    if (ht_likely(size <= HT_FAST_MAX - HARD_TAIL)) {
        struct run *run = heap_self->table[(longer(size) + HT_ALIGN - 1) / HT_ALIGN];
        if (ht_likely(run->free != NULL)) {
            uint32_t bytes = hard_classes[run->class].bytes;
            return seal(run_pop(run), size, bytes, 0);
        }
    }
    return seal_slow(plain_malloc(longer(size)), size, 0);
}

void *ht_calloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        bytes = SIZE_MAX;
    if (ht_unlikely(bytes > HT_SMALL_MAX))
        return seal_slow(plain_calloc(1, longer(bytes)), bytes, 0);
    void *address = ht_malloc(bytes);
    return address == NULL ? NULL : memset(address, 0, bytes);
}

void *ht_memalign(size_t align, size_t size)
{
    unsigned align_log2 = align == 0 ? 0 : (unsigned)__builtin_ctzl(align);
    return seal_slow(plain_memalign(align, longer(size)), size, align_log2);
}

void ht_free(void *address)
{
    if (ht_unlikely(address == NULL))
        return;
    struct sealed sealed = check("free", address);
    release(address, &sealed);
}

void hard_free_aligned_sized(const char *operation, void *address, size_t align, size_t size)
{
    if (address == NULL)
        return;
    struct sealed sealed = check(operation, address);
    if (size != SIZE_MAX && size != sealed.size)
        die_size(operation, address, "the size given is ", size, sealed.size);
    if (align != 0 && align != (size_t)1 << sealed.align_log2)
        die_size(operation, address, "the alignment given is ", align,
                 (size_t)1 << sealed.align_log2);
    release(address, &sealed);
}

void hard_free_sized(const char *operation, void *address, size_t size)
{
    hard_free_aligned_sized(operation, address, 0, size);
}

void hard_free_aligned(const char *operation, void *address, size_t align)
{
    hard_free_aligned_sized(operation, address, align, SIZE_MAX);
}

void ht_free_sized(void *address, size_t size)
{
    hard_free_sized("free_sized", address, size);
}

void ht_free_aligned_sized(void *address, size_t align, size_t size)
{
    hard_free_aligned_sized("free_aligned_sized", address, align, size);
}

size_t ht_usable_size(const void *address)
{
    return address == NULL ? 0 : check("malloc_usable_size", address).size;
}

/* To another block, or where it is when there is no memory to make it smaller with. */
static void *move(void *address, const struct sealed *sealed, size_t size)
{
    void *moved = ht_malloc(size);
    if (moved == NULL)
        return size <= sealed->size ? seal_any(address, size, sealed->capacity, 0) : NULL;
    memcpy(moved, address, sealed->size < size ? sealed->size : size);
    release(address, sealed);
    return moved;
}

void *ht_realloc(void *address, size_t size)
{
    if (address == NULL)
        return ht_malloc(size);
    struct sealed sealed = check("realloc", address);
    if (size == 0) {
        release(address, &sealed);
        return NULL;
    }
    size_t whole = longer(size);
    if (sealed.capacity > HT_SMALL_MAX && whole > HT_SMALL_MAX)
        return seal_slow(plain_realloc(address, whole), size, 0);
    if (whole > sealed.capacity || whole < sealed.capacity / 2)
        return move(address, &sealed, size);
    return seal(address, size, sealed.capacity, 0);
}

/* --- the whole heap --- */

void hard_check_empty(const struct run *run)
{
    uint32_t bytes = hard_classes[run->class].bytes;
    const char *base = slice_base(run);
    for (uint32_t at = bytes; at + bytes <= run_bytes(run); at += bytes) {
        const struct block *block = (const struct block *)(base + at);
        if (run->carve >> (at >> HT_PAGE_SHIFT) & 1)
            continue;
        if (!block_is_marked(block) || !block_is_poisoned(block, bytes))
            hard_die_written(block);
    }
}

static void check_run(const struct run *run)
{
    uint32_t bytes = hard_classes[run->class].bytes;
    const char *base = slice_base(run);
    for (uint32_t at = bytes; at + bytes <= run_bytes(run); at += bytes) {
        const struct block *block = (const struct block *)(base + at);
        if (run->carve >> (at >> HT_PAGE_SHIFT) & 1)
            continue;
        if (!block_is_marked(block)) {
            uint32_t value;
            if (tail_read(base + at + bytes, &value) && value == 0)
                hard_die_written(block); /* it has never been handed out */
            check("at exit", block);
        } else if (!block_is_poisoned(block, bytes)) {
            ht_die_pointer("at exit", block, "the free block was written to after it was freed");
        }
    }
}

static void check_segment(const struct segment *segment)
{
    for (unsigned at = 1; at < HT_SEGMENT_SLICES;) {
        const struct run *span = (const struct run *)segment + at;
        if (kind_of(span) == SLICE_RUN)
            check_run(span);
        else if (kind_of(span) == SLICE_LARGE)
            check("at exit", slice_base(span));
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
