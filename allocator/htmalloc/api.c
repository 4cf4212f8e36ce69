#include "htmalloc.h"

#include "fast.h"
#include "hard.h"
#include "huge.h"
#include "large.h"
#include "memcheck.h"
#include "message.h"
#include "private_heap.h"
#include "os.h"
#include "span.h"

#include <errno.h>
#include <string.h>

/* In the hardened build these stand behind those of the same names in hard.c, in the build for
 * Valgrind behind those in memcheck.c. */
#if defined HT_HARD || defined HT_VALGRIND
#define ht_malloc      plain_malloc
#define ht_calloc      plain_calloc
#define ht_memalign    plain_memalign
#define ht_realloc     plain_realloc
#define ht_free        plain_free
#define ht_usable_size plain_usable_size
#endif

#define FOREIGN "not a block of this allocator, or freed before"

/* --- taking --- */

static void *out_of_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

/* After the system has refused memory: gives back all that is not needed, for one more try. `heap`
 * is the caller's; NULL where there was no memory for one. */
static HT_COLD void reclaim(struct heap *heap)
{
    if (heap != NULL)
        heap_trim(heap);
    heap_trim_orphans();
    huge_flush();
    span_purge(0);
}

static void *take_once(struct heap *heap, size_t size, size_t align, bool *ret_zero)
{
    *ret_zero = false;
    if (size <= HT_SMALL_MAX && align <= HT_ALIGN)
        return heap_take(heap, class_of(size));
    if (align <= HT_SLICE) {
        unsigned class = class_of_aligned(size, align);
        if (class < CLASS_COUNT)
            return heap_take_exact(heap, class);
    }
    if (size <= HT_LARGE_MAX && align <= HT_SEGMENT / 4)
        return large_take(heap, size, align, ret_zero);
    return huge_take(size, align, ret_zero);
}

/* Any size but 0, any alignment (a power of two). */
static void *take_twice(size_t size, size_t align, bool *ret_zero)
{
    for (bool again = false;; again = true) {
        struct heap *heap = heap_get();
        void *address = ht_likely(heap != NULL) ? take_once(heap, size, align, ret_zero) : NULL;
        if (ht_likely(address != NULL))
            return address;
        if (again)
            return out_of_memory();
        reclaim(heap);
    }
}

static void *take(size_t size, size_t align, bool *ret_zero)
{
    if (ht_unlikely(size > PTRDIFF_MAX))
        return out_of_memory();
    void *address = take_twice(size + (size == 0), align, ret_zero);
    if (ht_unlikely(heap_self->borrowed))
        heap_return(heap_self);
    return address;
}

static HT_NOINLINE void *take_any(size_t size)
{
    bool zero;
    return take(size, HT_ALIGN, &zero);
}

HT_NOINLINE void *ht_malloc_slow(size_t size)
{
    struct heap *heap = heap_self;
    if (ht_likely(size <= HT_SMALL_MAX && heap->state == HEAP_OWNED)) {
        void *address = heap_take(heap, class_of(size));
        if (ht_likely(address != NULL))
            return address;
    } else if (size > HT_SMALL_MAX && size <= HT_LARGE_MAX) {
        void *address = large_take_cached(heap, size);
        if (ht_likely(address != NULL))
            return address;
    }
    return take_any(size);
}

void *ht_malloc(size_t size)
{
    return fast_malloc(size);
}

void *ht_calloc(size_t count, size_t size)
{
    size_t bytes;
    if (ht_unlikely(__builtin_mul_overflow(count, size, &bytes)))
        return out_of_memory();
    if (ht_likely(bytes <= HT_SMALL_MAX)) {
        void *address = fast_malloc(bytes);
        return address == NULL ? NULL : memset(address, 0, bytes);
    }
    bool zero;
    void *address = take(bytes, HT_ALIGN, &zero);
    return address == NULL || zero ? address : memset(address, 0, bytes);
}

void *ht_memalign(size_t align, size_t size)
{
    if (ht_unlikely((align & (align - 1)) != 0)) {
        errno = EINVAL;
        return NULL;
    }
    if (align <= HT_ALIGN)
        return fast_malloc(size);
    bool zero;
    return take(size, align, &zero);
}

/* --- giving --- */

/* What the address in one of our segments is the start of; ends the program when of nothing. */
static struct run *block_head(const char *operation, const void *address)
{
    struct run *head = slice_of(address);
    if (kind_of(head) == SLICE_INSIDE && head - head->back > head - slice_number(head))
        head -= head->back;
    if (slice_number(head) > 0) {
        if (kind_of(head) == SLICE_RUN && run_has_block(head, address))
            return head;
        if (kind_of(head) == SLICE_LARGE && slice_base(head) == address)
            return head;
        if (kind_of(head) == SLICE_CACHED && slice_base(head) == address)
            ht_die_pointer(operation, address, "double free");
        if (kind_of(head) == SLICE_PRIVATE)
            ht_die_pointer(operation, address, PRIVATE_MISUSE);
    }
    if (kind_of(head) == SLICE_FREE && slice_base(head) == address)
        ht_die_pointer(operation, address, "double free");
    bool in_block = kind_of(head) == SLICE_RUN || kind_of(head) == SLICE_LARGE;
    ht_die_pointer(operation, address,
                   in_block ? "not the start of a block"
                            : "freed before, or not the start of a block");
}

static void free_huge(void *address)
{
    if (!huge_free(address))
        ht_die_pointer("free", address, FOREIGN);
}

void ht_free_counted_out(struct run *run)
{
    heap_counted_out(heap_self, run);
}

static inline void free_own(struct heap *heap, struct run *run, struct block *block)
{
    run_push(run, block);
    if (ht_unlikely(--run->left == 0))
        heap_counted_out(heap, run);
}

/* Another thread's block, or no block at all. */
static HT_NOINLINE void free_odd(struct heap *heap, void *address)
{
    struct run *run = block_head("free", address);
    if (kind_of(run) == SLICE_LARGE) {
        large_free(heap, run);
    } else if (__atomic_load_n(&run->owner, __ATOMIC_RELAXED) != heap) {
        heap_free_remote(heap, run, address);
    } else {
        free_own(heap, run, address);
    }
}

HT_NOINLINE void ht_free_slow(void *address)
{
    struct heap *heap = heap_self;
    if (ht_likely(segment_holds(address))) {
        struct run *head = slice_of(address);
        unsigned kind = kind_of(head);
        struct run *run = head - (kind == SLICE_INSIDE ? head->back : 0);
        /* Only a run of blocks has a heap for its owner. */
        if (ht_likely(__atomic_load_n(&run->owner, __ATOMIC_RELAXED) == heap))
            free_own(heap, run, address);
        else if (kind == SLICE_LARGE && ((uintptr_t)address & (HT_SLICE - 1)) == 0)
            large_free(heap, head);
        else
            free_odd(heap, address);
    } else if (address != NULL) {
        free_huge(address);
    }
}

void ht_free(void *address)
{
    fast_free(address);
}

/* --- sizes --- */

/* Also gives the descriptor of the block's run or slices; NULL for a huge block. */
static size_t usable(const char *operation, const void *address, struct run **ret_head)
{
    bool possible = (uintptr_t)address >> HT_ADDRESS_BITS == 0; /* the map ends there */
    if (ht_likely(possible && segment_holds(address))) {
        struct run *head = *ret_head = block_head(operation, address);
        return kind_of(head) == SLICE_RUN ? run_block_bytes(head, address) : head->large_bytes;
    }
    *ret_head = NULL;
    size_t bytes = possible ? huge_usable(address) : 0;
    if (bytes == 0)
        ht_die_pointer(operation, address, FOREIGN);
    return bytes;
}

size_t ht_usable_size(const void *address)
{
    struct run *head;
    return address == NULL ? 0 : usable("malloc_usable_size", address, &head);
}

/* --- changing --- */

/* Whether the block can be left where it is and as it is, or made to fit there. */
static bool fits_in_place(struct run *head, size_t old_bytes, size_t size)
{
    if (kind_of(head) == SLICE_RUN)
        return size <= old_bytes && size >= old_bytes / 2;
    return size > HT_SMALL_MAX && size <= HT_LARGE_MAX && large_resize(head, size);
}

static void *move(void *address, size_t old_bytes, size_t size)
{
    void *moved = ht_malloc(size);
    if (moved != NULL) {
        memcpy(moved, address, old_bytes < size ? old_bytes : size);
        ht_free(address);
    } else if (size <= old_bytes) {
        return address; /* there is no memory to make it smaller with */
    }
    return moved;
}

void *ht_realloc(void *address, size_t size)
{
    if (address == NULL)
        return fast_malloc(size);
    if (ht_unlikely(size == 0)) {
        fast_free(address);
        return NULL;
    }
    if (ht_unlikely(size > PTRDIFF_MAX))
        return out_of_memory();
    struct run *head;
    size_t old_bytes = usable("realloc", address, &head);
    if (head != NULL && fits_in_place(head, old_bytes, size))
        return address;
    if (head == NULL && size > HT_LARGE_MAX) {
        void *moved = huge_resize(address, size);
        if (moved != NULL)
            return moved;
    }
    return move(address, old_bytes, size);
}

/* --- the rest --- */

int ht_trim(size_t keep_bytes)
{
    struct heap *heap = heap_self;
    size_t purged = os_purged_bytes();
    memcheck_inside();
    if (heap->state == HEAP_OWNED)
        heap_trim(heap);
    heap_trim_orphans();
    size_t bytes = huge_flush();
    bytes += span_purge(keep_bytes >> HT_SLICE_SHIFT) << HT_SLICE_SHIFT;
    memcheck_outside();
    return bytes > 0 || os_purged_bytes() != purged;
}

const char *ht_version(void)
{
    return "htmalloc " HEAPTAPE_VERSION;
}
