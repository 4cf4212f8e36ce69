/* An object of the hardened build alone: see hard.h. */
#include "hard.h"

#ifdef HT_HARD

#include "fast.h"
#include "htmalloc.h"
#include "huge.h"
#include "message.h"

#include <errno.h>
#include <sys/auxv.h>

#define ALWAYS_INLINE inline __attribute__((always_inline))

uintptr_t hard_key = (uintptr_t)SEAL_TOP << 56 | 0x1e9955bd1e995u;
struct hard_class hard_classes[CLASS_COUNT];

void hard_setup(void)
{
    uintptr_t key;
    const char *random = (const char *)getauxval(AT_RANDOM); /* 16 bytes; libc uses the first */
    if (random != NULL) {
        memcpy(&key, random + 8, sizeof key);
        hard_key ^= key >> 8 & ~(uintptr_t)0xf; /* the low digit stays 5: see seal.h */
    }
    for (unsigned class = 0; class < CLASS_COUNT; class ++) {
        uint32_t bytes = class_bytes(class);
        hard_classes[class] = (struct hard_class){(uint16_t)bytes, poison_plan(bytes)};
    }
}

void hard_prepare_seal(void *block, uint32_t bytes)
{
    link_store((char *)block + bytes, 0);
}

/* --- taking --- */

static unsigned align_bits(size_t align)
{
    return align == 0 ? 0 : (unsigned)__builtin_ctzl(align);
}

/* What is asked of the allocator for `size`; above any limit when that overflows. */
static inline size_t longer(size_t size)
{
    if (ht_unlikely(size > PTRDIFF_MAX))
        return SIZE_MAX;
    return size < SEAL_LEAST - SEAL_BYTES ? SEAL_LEAST : size + SEAL_BYTES;
}

/* The bytes of what is known to be a block. */
static size_t capacity_of(const void *address)
{
    if (ht_unlikely(!segment_holds(address)))
        return huge_usable(address);
    const struct run *head = slice_of(address);
    if (kind_of(head) == SLICE_INSIDE)
        head -= head->back;
    return kind_of(head) == SLICE_RUN ? hard_classes[head->class].bytes : head->large_bytes;
}

/* A block that could not be made smaller may be much too long for the seal: it then counts as
 * longer than was asked for. */
static size_t size_to_seal(size_t size, size_t capacity)
{
    return capacity - size > SLACK_MASK ? capacity - SLACK_MASK : size;
}

static HT_NOINLINE void *malloc_slow(size_t size)
{
    void *address = plain_malloc(longer(size));
    if (ht_unlikely(address == NULL))
        return NULL;
    return seal_fresh(address, size, capacity_of(address), 0);
}

/* Changes nothing and leaves it to malloc_slow() where something is wrong. */
void *hard_malloc(size_t size)
{
    if (ht_unlikely(size > HT_FAST_MAX - SEAL_BYTES))
        return malloc_slow(size);
    struct run *run = heap_self->table[(longer(size) + HT_ALIGN - 1) / HT_ALIGN];
    struct block *block = run->free;
    if (ht_unlikely(block == NULL))
        return malloc_slow(size);
    const struct hard_class class = hard_classes[run->class];
    char *end = (char *)block + class.bytes;
    uintptr_t next = link_load(end);
    if (ht_unlikely(!link_leads(block, next)) || ht_unlikely(!poison_holds(block, class.poison)))
        return malloc_slow(size);
    run->free = (struct block *)next;
    if (class.poison.last == POISON_LONG) /* elsewhere the poison is the fill */
        fill_write(end, (uint32_t)(class.bytes - size));
    seal_write(block, size, class.bytes, 0);
    return block;
}

void *ht_malloc(size_t size)
{
    return hard_malloc(size);
}

void *ht_calloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        bytes = SIZE_MAX;
    void *address = bytes > HT_SMALL_MAX ? plain_calloc(1, longer(bytes)) : hard_malloc(bytes);
    if (address == NULL)
        return NULL;
    if (bytes <= HT_SMALL_MAX)
        return memset(address, 0, bytes);
    return seal_used(address, bytes, capacity_of(address), 0);
}

void *ht_memalign(size_t align, size_t size)
{
    void *address = plain_memalign(align, longer(size));
    if (ht_unlikely(address == NULL))
        return NULL;
    return seal_fresh(address, size, capacity_of(address), align_bits(align));
}

/* --- giving --- */

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

/* Frees a block of a run of this thread if it is one without fault and, `size` not being SIZE_MAX,
 * of that size. */
static ALWAYS_INLINE bool give(struct run *run, void *address, size_t size)
{
    const struct hard_class class = hard_classes[run->class];
    char *end = (char *)address + class.bytes;
    uint64_t plain = seal_load(end);
    uint32_t slack = (uint32_t)plain & SLACK_MASK;
    if (ht_unlikely(!seal_holds(plain)) || ht_unlikely(fill_wrong(end, slack) != 0) ||
        ht_unlikely(((const uint8_t *)address)[-1] != SEAL_TOP) ||
        (size != SIZE_MAX && ht_unlikely(class.bytes - slack != size)))
        return false;
    poison_write(address, class.poison);
    block_lead(address, class.bytes, run->free);
    run->free = address;
    if (ht_unlikely(--run->left == 0))
        ht_free_counted_out(run);
    return true;
}

/* segment_holds() for any address. */
static inline bool is_mapped(const void *address)
{
    uintptr_t segment = (uintptr_t)address >> HT_SEGMENT_SHIFT;
    return ht_likely(segment >> (HT_ADDRESS_BITS - HT_SEGMENT_SHIFT) == 0) &&
           ht_likely(__atomic_load_n(&segment_map, __ATOMIC_RELAXED)[segment] != 0);
}

static inline bool is_own(const struct run *run)
{
    return __atomic_load_n(&run->owner, __ATOMIC_RELAXED) == heap_self;
}

/* Takes what the fast path could not tell: a block of several slices, another thread's, none. */
static HT_NOINLINE void free_slow(const char *operation, void *address, size_t align, size_t size)
{
    if (address == NULL)
        return;
    if (is_mapped(address) && align == 0) {
        struct run *slice = slice_of(address);
        if (kind_of(slice) == SLICE_INSIDE && slice->back < slice_number(slice) &&
            is_own(slice - slice->back) && give(slice - slice->back, address, size))
            return;
    }
    struct sealed sealed = hard_check(operation, address);
    if (size != SIZE_MAX && size != sealed.size)
        die_size(operation, address, "the size given is ", size, sealed.size);
    if (align != 0 && align != (size_t)1 << sealed.align_log2)
        die_size(operation, address, "the alignment given is ", align,
                 (size_t)1 << sealed.align_log2);
    if (sealed.capacity <= HT_SMALL_MAX)
        poison_write(address, poison_plan((uint32_t)sealed.capacity));
    ht_free_slow(address);
}

static ALWAYS_INLINE bool free_fast(void *address, size_t size)
{
    return is_mapped(address) && ht_likely(is_own(slice_of(address))) &&
           give(slice_of(address), address, size);
}

void hard_free(void *address)
{
    if (ht_unlikely(!free_fast(address, SIZE_MAX)))
        free_slow("free", address, 0, SIZE_MAX);
}

void ht_free(void *address)
{
    hard_free(address);
}

void hard_free_sized(const char *operation, void *address, size_t size)
{
    if (ht_unlikely(!free_fast(address, size)))
        free_slow(operation, address, 0, size);
}

void hard_free_aligned(const char *operation, void *address, size_t align)
{
    free_slow(operation, address, align, SIZE_MAX);
}

void hard_free_aligned_sized(const char *operation, void *address, size_t align, size_t size)
{
    free_slow(operation, address, align, size);
}

void ht_free_sized(void *address, size_t size)
{
    hard_free_sized("free_sized", address, size);
}

void ht_free_aligned_sized(void *address, size_t align, size_t size)
{
    free_slow("free_aligned_sized", address, align, size);
}

/* --- sizes --- */

size_t ht_usable_size(const void *address)
{
    return address == NULL ? 0 : hard_check("malloc_usable_size", address).size;
}

/* To another block, or where it is when there is no memory to make it smaller with. */
static void *move(void *address, const struct sealed *sealed, size_t size)
{
    void *moved = hard_malloc(size);
    if (moved == NULL) {
        if (size > sealed->size)
            return NULL;
        return seal_used(address, size_to_seal(size, sealed->capacity), sealed->capacity, 0);
    }
    memcpy(moved, address, sealed->size < size ? sealed->size : size);
    hard_free(address);
    return moved;
}

void *ht_realloc(void *address, size_t size)
{
    if (address == NULL)
        return hard_malloc(size);
    struct sealed sealed = hard_check("realloc", address);
    if (size == 0) {
        hard_free(address);
        return NULL;
    }
    size_t whole = longer(size);
    if (sealed.capacity > HT_SMALL_MAX && whole > HT_SMALL_MAX) {
        address = plain_realloc(address, whole);
        if (address == NULL)
            return NULL;
        size_t capacity = capacity_of(address);
        return seal_used(address, size_to_seal(size, capacity), capacity, 0);
    }
    if (whole > sealed.capacity || whole < sealed.capacity / 2)
        return move(address, &sealed, size);
    return seal_used(address, size, sealed.capacity, 0);
}

#endif
