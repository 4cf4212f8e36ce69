#include "private_run.h"

#include "footprint.h"
#include "huge.h"
#include "memcheck.h"
#include "message.h"
#include "segment.h"

#include <errno.h>
#include <string.h>

/* As in api.c; the heap's own data is a block like the program's. */
#ifdef HT_VALGRIND
#define ht_heap_malloc      plain_heap_malloc
#define ht_heap_calloc      plain_heap_calloc
#define ht_heap_realloc     plain_heap_realloc
#define ht_heap_aligned     plain_heap_aligned
#define ht_heap_free        plain_heap_free
#define ht_heap_usable_size plain_heap_usable_size
#define ht_heap_free_all    plain_heap_free_all
#define ht_heap_delete      plain_heap_delete
#endif

#define NOT_OURS "not a block of this heap, or freed before"

/* Lies right before a huge block, in the page before it. */
struct private_huge {
    struct private_huge *next, *prev;
    char *base;     /* of what was taken from huge.h */
    size_t bytes;   /* of that */
    size_t padding; /* from base to the block */
};

static void *out_of_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

/* --- huge blocks --- */

static void link_huge(struct ht_heap *heap, struct private_huge *huge)
{
    huge->prev = NULL;
    huge->next = heap->huge;
    if (huge->next != NULL)
        huge->next->prev = huge;
    heap->huge = huge;
    heap->huge_bytes += huge->bytes;
    heap->live += huge->bytes - huge->padding;
}

static void unlink_huge(struct ht_heap *heap, struct private_huge *huge)
{
    if (huge->next != NULL)
        huge->next->prev = huge->prev;
    if (huge->prev != NULL)
        huge->prev->next = huge->next;
    else
        heap->huge = huge->next;
    heap->huge_bytes -= huge->bytes;
    heap->live -= huge->bytes - huge->padding;
}

static void *take_huge(struct ht_heap *heap, size_t size, size_t align, bool *ret_zero)
{
    size_t padding = align < HT_PAGE ? HT_PAGE : align;
    if (size > PTRDIFF_MAX - padding)
        return NULL;
    char *base = huge_take(padding + size, padding, ret_zero);
    if (base == NULL) {
        ht_trim(0);
        base = huge_take(padding + size, padding, ret_zero);
        if (base == NULL)
            return NULL;
    }
    struct private_huge *huge = (struct private_huge *)(base + padding) - 1;
    *huge = (struct private_huge){.base = base, .bytes = huge_usable(base), .padding = padding};
    link_huge(heap, huge);
    return huge + 1;
}

/* The head moves with the block. */
static void *resize_huge(struct ht_heap *heap, struct private_huge *huge, size_t size)
{
    size_t padding = huge->padding;
    char *old_base = huge->base;
    unlink_huge(heap, huge);
    char *base = huge_resize(old_base, padding + size);
    char *now = base != NULL ? base : old_base;
    huge = (struct private_huge *)(now + padding) - 1;
    huge->base = now;
    huge->bytes = huge_usable(now);
    link_huge(heap, huge);
    return base == NULL ? NULL : huge + 1;
}

/* A walk: each of its steps stands for a megabyte and more that had to be mapped and filled. */
static bool has_huge(const struct ht_heap *heap, const void *address)
{
    const struct private_huge *huge = heap->huge;
    while (huge != NULL && huge + 1 != address)
        huge = huge->next;
    return huge != NULL;
}

/* --- any block --- */

/* What the block's slices begin with, NULL for a huge block; ends the program unless it is a block
 * in use of this heap. */
static struct run *head_of(const struct ht_heap *heap, const char *operation, const void *address)
{
    if (ht_unlikely(!segment_holds(address))) {
        if (!has_huge(heap, address))
            ht_die_pointer(operation, address, NOT_OURS);
        return NULL;
    }
    struct run *head = slice_of(address);
    if (kind_of(head) == SLICE_INSIDE && head->back < slice_number(head))
        head -= head->back;
    if (ht_unlikely(slice_number(head) == 0 || kind_of(head) != SLICE_PRIVATE ||
                    head->owner != (const struct heap *)heap))
        ht_die_pointer(operation, address, NOT_OURS);
    if (ht_unlikely(private_is_large(head) ? slice_base(head) != address
                                           : !private_has_block(head, address)))
        ht_die_pointer(operation, address, "not the start of a block");
    return head;
}

static size_t usable_of(const struct run *head, const void *address)
{
    if (head == NULL) {
        const struct private_huge *huge = (const struct private_huge *)address - 1;
        return huge->bytes - huge->padding;
    }
    return private_is_large(head) ? head->large_bytes : private_bytes(head);
}

/* Any size, any alignment (a power of two). */
static HT_NOINLINE void *take(struct ht_heap *heap, size_t size, size_t align, bool *ret_zero)
{
    *ret_zero = false;
    size = private_size(size + (size == 0));
    void *address;
    unsigned class = CLASS_COUNT;
    if (align <= HT_SLICE && size <= HT_SMALL_MAX)
        class = align <= HT_ALIGN ? class_of(size) : class_of_aligned(size, align);
    if (!private_allows(heap, size))
        address = NULL;
    else if (class < CLASS_COUNT)
        address = private_take_small(heap, class_bytes(class));
    else if (size <= HT_LARGE_MAX && align <= HT_SEGMENT / 4)
        address = private_take_large(heap, size, align, ret_zero);
    else
        address = take_huge(heap, size, align, ret_zero);
    return address != NULL ? address : out_of_memory();
}

/* What the shelf has ready, or NULL. */
static inline void *take_fast(struct ht_heap *heap, size_t size)
{
    if (ht_unlikely(size > HT_SMALL_MAX))
        return NULL;
    struct run *run = *private_shelf(heap, private_size(size));
    if (ht_unlikely(run == NULL || run->free == NULL || !private_allows(heap, private_bytes(run))))
        return NULL;
    return private_pop(heap, run);
}

static void give(struct ht_heap *heap, struct run *head, void *address)
{
    if (head == NULL) {
        struct private_huge *huge = (struct private_huge *)address - 1;
        char *base = huge->base;
        unlink_huge(heap, huge);
        huge_free(base);
    } else if (private_is_large(head)) {
        private_free_large(heap, head);
    } else {
        private_free_small(heap, head, address);
    }
}

/* --- the functions of htmalloc.h --- */

struct ht_heap *ht_heap_new(const struct ht_heap_options *options)
{
    struct ht_heap *heap = ht_calloc(1, sizeof *heap);
    if (heap != NULL)
        heap->limit = options == NULL || options->limit == 0 ? SIZE_MAX : options->limit;
    return heap;
}

void *ht_heap_malloc(struct ht_heap *heap, size_t size)
{
    void *address = take_fast(heap, size);
    bool zero;
    return ht_likely(address != NULL) ? address : take(heap, size, HT_ALIGN, &zero);
}

void *ht_heap_calloc(struct ht_heap *heap, size_t count, size_t size)
{
    size_t bytes;
    bool zero;
    if (ht_unlikely(__builtin_mul_overflow(count, size, &bytes)))
        return out_of_memory();
    void *address = take_fast(heap, bytes);
    if (address != NULL)
        return memset(address, 0, bytes);
    address = take(heap, bytes, HT_ALIGN, &zero);
    return address == NULL || zero ? address : memset(address, 0, bytes);
}

void *ht_heap_aligned(struct ht_heap *heap, size_t align, size_t size)
{
    bool zero;
    if (ht_unlikely(align == 0 || (align & (align - 1)) != 0)) {
        errno = EINVAL;
        return NULL;
    }
    return take(heap, size, align, &zero);
}

/* The block where it is, or moved by the system rather than copied; NULL when that cannot be. */
static void *resize(struct ht_heap *heap, struct run *head, void *address, size_t size)
{
    size_t old_bytes = usable_of(head, address);
    if (head == NULL)
        return size > HT_LARGE_MAX && size < PTRDIFF_MAX / 2
                   ? resize_huge(heap, (struct private_huge *)address - 1, size)
                   : NULL;
    if (!private_is_large(head))
        return size <= old_bytes && size >= old_bytes / 2 ? address : NULL;
    return size > HT_SMALL_MAX && size <= HT_LARGE_MAX && private_resize_large(heap, head, size)
               ? address
               : NULL;
}

void *ht_heap_realloc(struct ht_heap *heap, void *address, size_t size)
{
    if (address == NULL)
        return ht_heap_malloc(heap, size);
    struct run *head = head_of(heap, "ht_heap_realloc", address);
    if (size == 0) {
        give(heap, head, address);
        return NULL;
    }
    size_t old_bytes = usable_of(head, address), limit = heap->limit;
    if (size > old_bytes && !private_allows(heap, size - old_bytes))
        return out_of_memory();
    void *moved = resize(heap, head, address, size);
    if (moved != NULL)
        return moved;
    /* While both are there the old one does not count. */
    heap->limit = limit > SIZE_MAX - old_bytes ? SIZE_MAX : limit + old_bytes;
    moved = ht_heap_malloc(heap, size);
    heap->limit = limit;
    if (moved == NULL)
        return size <= old_bytes ? address : NULL;
    memcpy(moved, address, old_bytes < size ? old_bytes : size);
    give(heap, head, address);
    return moved;
}

static HT_NOINLINE void free_slow(struct ht_heap *heap, void *address)
{
    if (address != NULL)
        give(heap, head_of(heap, "ht_heap_free", address), address);
}

void ht_heap_free(struct ht_heap *heap, void *address)
{
    if (ht_likely(segment_holds(address))) {
        struct run *run = slice_of(address);
        if (kind_of(run) == SLICE_INSIDE)
            run -= run->back;
        if (ht_likely(kind_of(run) == SLICE_PRIVATE && run->state == RUN_PARTIAL &&
                      run->owner == (struct heap *)heap && run->left > 0) &&
            ht_likely(private_has_block(run, address))) {
            private_push(heap, run, address);
            return;
        }
    }
    free_slow(heap, address);
}

size_t ht_heap_usable_size(const struct ht_heap *heap, const void *address)
{
    return address == NULL ? 0 : usable_of(head_of(heap, "ht_heap_usable_size", address), address);
}

void ht_heap_free_all(struct ht_heap *heap)
{
    private_give_all(heap);
    while (heap->huge != NULL)
        give(heap, NULL, heap->huge + 1);
    heap->live = 0;
    footprint_tick();
}

void ht_heap_delete(struct ht_heap *heap)
{
    if (heap == NULL)
        return;
    ht_heap_free_all(heap);
    ht_free(heap);
}

void ht_heap_stats(const struct ht_heap *heap, struct ht_heap_stats *ret_stats)
{
    *ret_stats = (struct ht_heap_stats){
        .live = heap->live,
        .held = (heap->slices << HT_SLICE_SHIFT) + heap->huge_bytes,
        .state = ht_usable_size(heap) + ht_usable_size(heap->shelves),
    };
}
