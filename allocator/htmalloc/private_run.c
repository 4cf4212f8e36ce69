#include "private_run.h"

#include "footprint.h"
#include "large.h"
#include "message.h"
#include "span.h"

static_assert(16u << (SHELVES_SMALL - 1) == HT_SMALL_MAX, "the last small shelf has the longest");

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

/* --- the hardened build --- */

#ifdef HT_HARD
static bool is_free(const void *block, uint32_t bytes)
{
    return link_leads(block, link_load((const char *)block + bytes));
}

void private_freed(void *block, uint32_t bytes)
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
        private_freed(block, bytes);
        block_end(block);
    }
}
#else
#define free_rest(run) ((void)0)
#endif

/* --- small blocks --- */

static void set_bytes(struct run *run, uint32_t bytes)
{
    run->remote = (((uint64_t)1 << 32) + bytes - 1) / bytes << 32 | bytes;
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

static struct run *new_run(struct ht_heap *heap, unsigned class)
{
    if (heap->shelves == NULL && heap->runs >= GROWN_RUNS)
        grow_up(heap);
    if (heap->shelves == NULL) {
        size_t size = 16;
        while (size < class_bytes(class))
            size *= 2;
        class = class_of(size);
    }
    bool zero;
    struct run *run = take_span(heap, class_slices(class), HT_SLICE, &zero);
    if (run == NULL)
        return NULL;
    run_init(run, NULL, class, class_slices(class));
    run->left = 0;
    run->state = RUN_PARTIAL;
    set_bytes(run, class_bytes(class));
    claim(heap, run);
    run_list_insert(private_shelf(heap, private_bytes(run)), run);
    heap->runs++;
    return run;
}

/* A run with a free block for `size` bytes; NULL when there is no memory. */
static struct run *refill(struct ht_heap *heap, size_t size)
{
    struct run **shelf = private_shelf(heap, size);
    for (struct run *run; (run = *shelf) != NULL;) {
        if (run->free != NULL || run_carve(run))
            return run;
        run_list_remove(shelf, run);
        run->state = RUN_FULL;
        run_list_insert(&heap->others, run);
    }
    struct run *run = new_run(heap, class_of(size));
    return run != NULL && run_carve(run) ? run : NULL;
}

void *private_take_small(struct ht_heap *heap, size_t size)
{
    struct run *run = refill(heap, size);
    if (run == NULL || !private_allows(heap, private_bytes(run)))
        return NULL;
    return private_pop(heap, run);
}

/* The last one of a shelf stays for the next block. */
void private_give_empty(struct ht_heap *heap, struct run *run)
{
    if (run->next == NULL && run->prev == NULL)
        return;
    run_list_remove(private_shelf(heap, private_bytes(run)), run);
    give_span(heap, run);
}

void private_free_small(struct ht_heap *heap, struct run *run, void *address)
{
    if (run->left == 0)
        ht_die_pointer("ht_heap_free", address, "double free");
    if (run->state == RUN_FULL) {
        run_list_remove(&heap->others, run);
        run->state = RUN_PARTIAL;
        run_list_insert(private_shelf(heap, private_bytes(run)), run);
    }
    private_push(heap, run, address);
}

/* --- large blocks --- */

void *private_take_large(struct ht_heap *heap, size_t size, size_t align, bool *ret_zero)
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
    run_list_insert(&heap->others, head);
    heap->live += head->large_bytes;
    return slice_base(head);
}

bool private_resize_large(struct ht_heap *heap, struct run *head, size_t size)
{
    size_t old_bytes = head->large_bytes, old_slices = head->slices;
    if (!large_resize(head, size))
        return false;
    kind_set(head, SLICE_PRIVATE);
    heap->live += head->large_bytes - old_bytes;
    heap->slices += head->slices - old_slices;
    return true;
}

void private_free_large(struct ht_heap *heap, struct run *head)
{
    heap->live -= head->large_bytes;
    run_list_remove(&heap->others, head);
    give_span(heap, head);
    footprint_tick();
}

/* --- all --- */

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

void private_give_all(struct ht_heap *heap)
{
    for (unsigned i = 0; i < SHELVES_SMALL; i++)
        give_list(heap, &heap->small[i]);
    for (unsigned i = 0; heap->shelves != NULL && i < CLASS_COUNT; i++)
        give_list(heap, &heap->shelves[i]);
    give_list(heap, &heap->others);
    ht_free(heap->shelves);
    heap->shelves = NULL;
}
