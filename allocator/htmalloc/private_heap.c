#include "private_heap.h"

#include "footprint.h"
#include "hard.h"
#include "huge.h"
#include "large.h"
#include "memcheck.h"
#include "message.h"
#include "segment.h"
#include "span.h"

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

static_assert(16u << (SHELVES_SMALL - 1) == HT_SMALL_MAX, "the last small shelf has the longest");

#define NOT_OURS "not a block of this heap, or freed before"

/* Lies right before a huge block, in the page before it. */
struct private_huge {
    struct private_huge *next, *prev;
    char *base;     /* of what was taken from huge.h */
    size_t bytes;   /* of that */
    size_t padding; /* from base to the block */
};

/* The bytes that blocks may still take. */
static size_t room(const struct ht_heap *heap)
{
    return heap->limit > heap->live ? heap->limit - heap->live : 0;
}

static void *out_of_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

/* --- lists --- */

static void list_insert(struct run **list, struct run *run)
{
    run->prev = NULL;
    run->next = *list;
    if (run->next != NULL)
        run->next->prev = run;
    *list = run;
}

static void list_remove(struct run **list, struct run *run)
{
    if (run->next != NULL)
        run->next->prev = run->prev;
    if (run->prev != NULL)
        run->prev->next = run->next;
    else
        *list = run->next;
    run->next = run->prev = NULL;
}

/* --- shelves --- */

static unsigned small_shelf(unsigned class)
{
    uint32_t bytes = class_bytes(class);
    return bytes <= 16 ? 0 : 32u - (unsigned)__builtin_clz(bytes - 1) - 4;
}

static struct run **shelf_of(struct ht_heap *heap, unsigned class)
{
    return heap->shelves != NULL ? &heap->shelves[class] : &heap->small[small_shelf(class)];
}

/* A shelf for each class from now on; as before when there is no memory for it. */
static void grow_up(struct ht_heap *heap)
{
    struct run **shelves = ht_calloc(CLASS_COUNT, sizeof *shelves);
    if (shelves == NULL)
        return;
    for (unsigned i = 0; i < SHELVES_SMALL; i++) {
        shelves[class_of((size_t)16 << i)] = heap->small[i];
        heap->small[i] = NULL;
    }
    heap->shelves = shelves;
}

/* --- spans --- */

static struct run *take_span(struct ht_heap *heap, unsigned slices, size_t align, bool *ret_zero)
{
    struct run *head = span_take(slices, align, ret_zero);
    if (ht_unlikely(head == NULL)) {
        ht_trim(0);
        head = span_take(slices, align, ret_zero);
        if (head == NULL)
            return NULL;
    }
    heap->slices += slices;
    return head;
}

static void claim(struct ht_heap *heap, struct run *head)
{
    kind_set(head, SLICE_PRIVATE);
    __atomic_store_n(&head->owner, (struct heap *)heap, __ATOMIC_RELEASE);
}

/* The head is in no list any more. */
static void give_span(struct ht_heap *heap, struct run *head)
{
    uint32_t touched = SPAN_TOUCHED;
    if (!private_is_large(head)) {
        touched = run_finish(head);
        head->state = 0;
        heap->runs--;
    }
    heap->slices -= head->slices;
    span_give(head, head->slices, touched);
}

/* --- blocks in the hardened build: no seals, but free ones are linked in code and poisoned --- */

#ifdef HT_HARD
#define BLOCK_LEAST SEAL_LEAST

static bool is_free(const void *block, uint32_t bytes)
{
    return link_leads(block, link_load((const char *)block + bytes));
}

static void block_taken(void *block, uint32_t bytes)
{
    seal_store((char *)block + bytes, SEAL_BIT); /* no link */
}

static void block_freed(void *block, uint32_t bytes)
{
    if (is_free(block, bytes))
        ht_die_pointer("ht_heap_free", block, "double free: the block has been freed before");
    poison_write(block, poison_plan(bytes));
}

/* Frees what is still in use: a run that is given back must hold free blocks only. */
static void free_rest(struct run *run)
{
    uint32_t bytes = class_bytes(run->class);
    for (uint32_t at = bytes; at + bytes <= run_bytes(run); at += bytes) {
        struct block *block = (struct block *)(slice_base(run) + at);
        if ((run->carve >> (at >> HT_PAGE_SHIFT) & 1) != 0 || is_free(block, bytes))
            continue;
        block_freed(block, bytes);
        block_end(block);
    }
}
#else
#define BLOCK_LEAST               1u
#define block_taken(block, bytes) ((void)0)
#define block_freed(block, bytes) ((void)0)
#define free_rest(run)            ((void)0)
#endif

/* --- small blocks --- */

static struct run *new_run(struct ht_heap *heap, unsigned class)
{
    if (heap->shelves == NULL && heap->runs >= GROWN_RUNS)
        grow_up(heap);
    if (heap->shelves == NULL)
        class = class_of((size_t)16 << small_shelf(class));
    bool zero;
    struct run *run = take_span(heap, class_slices(class), HT_SLICE, &zero);
    if (run == NULL)
        return NULL;
    run_init(run, NULL, class);
    run->left = 0;
    run->state = RUN_PARTIAL;
    claim(heap, run);
    list_insert(shelf_of(heap, class), run);
    heap->runs++;
    return run;
}

/* A run with a free block for the class; NULL when there is no memory. */
static HT_NOINLINE struct run *refill(struct ht_heap *heap, unsigned class)
{
    struct run **shelf = shelf_of(heap, class);
    for (struct run *run; (run = *shelf) != NULL;) {
        if (run->free != NULL || run_carve(run))
            return run;
        list_remove(shelf, run);
        run->state = RUN_FULL;
        list_insert(&heap->others, run);
    }
    struct run *run = new_run(heap, class);
    return run != NULL && run_carve(run) ? run : NULL;
}

static void *take_small(struct ht_heap *heap, unsigned class)
{
    struct run *run = *shelf_of(heap, class);
    if (ht_unlikely(run == NULL || run->free == NULL)) {
        run = refill(heap, class);
        if (run == NULL)
            return NULL;
    }
    size_t bytes = class_bytes(run->class);
    if (ht_unlikely(bytes > room(heap)))
        return NULL;
    run->left++;
    heap->live += bytes;
    struct block *block = run_pop(run);
    block_taken(block, (uint32_t)bytes);
    return block;
}

static void free_small(struct ht_heap *heap, struct run *run, void *address)
{
    uint32_t bytes = class_bytes(run->class);
    block_freed(address, bytes);
    if (ht_unlikely(run->left == 0))
        ht_die_pointer("ht_heap_free", address, "double free");
    run_push(run, address);
    heap->live -= bytes;
    run->left--;
    struct run **shelf = shelf_of(heap, run->class);
    if (ht_unlikely(run->state == RUN_FULL)) {
        list_remove(&heap->others, run);
        run->state = RUN_PARTIAL;
        list_insert(shelf, run);
    }
    if (ht_unlikely(run->left == 0) && (run->next != NULL || run->prev != NULL)) {
        list_remove(shelf, run); /* the last one of a shelf stays for the next block */
        give_span(heap, run);
    }
}

/* --- large blocks --- */

static void *take_large(struct ht_heap *heap, size_t size, size_t align, bool *ret_zero)
{
    unsigned slices = (unsigned)((size + HT_SLICE - 1) >> HT_SLICE_SHIFT);
    struct run *head = take_span(heap, slices, align < HT_SLICE ? HT_SLICE : align, ret_zero);
    if (head == NULL)
        return NULL;
    head->class = CLASS_COUNT;
    head->slices = (uint8_t)slices;
    head->large_bytes = (size + HT_PAGE - 1) & ~(HT_PAGE - 1);
    head->state = 0;
    claim(heap, head);
    list_insert(&heap->others, head);
    heap->live += head->large_bytes;
    return slice_base(head);
}

static bool resize_large(struct ht_heap *heap, struct run *head, size_t size)
{
    size_t old_bytes = head->large_bytes, old_slices = head->slices;
    if (!large_resize(head, size))
        return false;
    kind_set(head, SLICE_PRIVATE);
    heap->live += head->large_bytes - old_bytes;
    heap->slices += head->slices - old_slices;
    return true;
}

static void free_large(struct ht_heap *heap, struct run *head)
{
    heap->live -= head->large_bytes;
    list_remove(&heap->others, head);
    give_span(heap, head);
    footprint_tick();
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
                                           : !run_has_block(head, address)))
        ht_die_pointer(operation, address, "not the start of a block");
    return head;
}

static size_t usable_of(const struct run *head, const void *address)
{
    if (head == NULL) {
        const struct private_huge *huge = (const struct private_huge *)address - 1;
        return huge->bytes - huge->padding;
    }
    return private_is_large(head) ? head->large_bytes : class_bytes(head->class);
}

/* Any size, any alignment (a power of two). */
static void *take(struct ht_heap *heap, size_t size, size_t align, bool *ret_zero)
{
    *ret_zero = false;
    if (ht_unlikely(size < BLOCK_LEAST))
        size = BLOCK_LEAST;
    void *address;
    unsigned class = CLASS_COUNT;
    if (align <= HT_SLICE && size <= HT_SMALL_MAX)
        class = align <= HT_ALIGN ? class_of(size) : class_of_aligned(size, align);
    if (ht_unlikely(size > PTRDIFF_MAX || size > room(heap)))
        address = NULL;
    else if (class < CLASS_COUNT)
        address = take_small(heap, class);
    else if (size <= HT_LARGE_MAX && align <= HT_SEGMENT / 4)
        address = take_large(heap, size, align, ret_zero);
    else
        address = take_huge(heap, size, align, ret_zero);
    return ht_likely(address != NULL) ? address : out_of_memory();
}

static void give(struct ht_heap *heap, struct run *head, void *address)
{
    if (head == NULL) {
        struct private_huge *huge = (struct private_huge *)address - 1;
        char *base = huge->base;
        unlink_huge(heap, huge);
        huge_free(base);
    } else if (private_is_large(head)) {
        free_large(heap, head);
    } else {
        free_small(heap, head, address);
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
    bool zero;
    return take(heap, size, HT_ALIGN, &zero);
}

void *ht_heap_calloc(struct ht_heap *heap, size_t count, size_t size)
{
    size_t bytes;
    bool zero;
    if (ht_unlikely(__builtin_mul_overflow(count, size, &bytes)))
        return out_of_memory();
    void *address = take(heap, bytes, HT_ALIGN, &zero);
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
    return size > HT_SMALL_MAX && size <= HT_LARGE_MAX && resize_large(heap, head, size) ? address
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
    if (size > old_bytes && size - old_bytes > room(heap))
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

void ht_heap_free(struct ht_heap *heap, void *address)
{
    if (address != NULL)
        give(heap, head_of(heap, "ht_heap_free", address), address);
}

size_t ht_heap_usable_size(const struct ht_heap *heap, const void *address)
{
    return address == NULL ? 0 : usable_of(head_of(heap, "ht_heap_usable_size", address), address);
}

static void give_list(struct ht_heap *heap, struct run **list)
{
    struct run *next;
    for (struct run *head = *list; head != NULL; head = next) {
        next = head->next;
        head->next = head->prev = NULL;
        if (!private_is_large(head))
            free_rest(head);
        give_span(heap, head);
    }
    *list = NULL;
}

void ht_heap_free_all(struct ht_heap *heap)
{
    for (unsigned i = 0; i < SHELVES_SMALL; i++)
        give_list(heap, &heap->small[i]);
    for (unsigned i = 0; heap->shelves != NULL && i < CLASS_COUNT; i++)
        give_list(heap, &heap->shelves[i]);
    give_list(heap, &heap->others);
    while (heap->huge != NULL)
        give(heap, NULL, heap->huge + 1);
    ht_free(heap->shelves);
    heap->shelves = NULL;
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
