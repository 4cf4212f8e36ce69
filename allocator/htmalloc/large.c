#include "large.h"

#include "footprint.h"
#include "span.h"

static unsigned slices_for(size_t size)
{
    return (unsigned)((size + HT_SLICE - 1) >> HT_SLICE_SHIFT);
}

static size_t whole_pages(size_t size)
{
    return (size + HT_PAGE - 1) & ~(HT_PAGE - 1);
}

void *large_take(struct heap *heap, size_t size, size_t align, bool *ret_zero)
{
    void *address = align <= HT_SLICE ? large_take_cached(heap, size) : NULL;
    if (address != NULL) {
        *ret_zero = false;
        return address;
    }
    unsigned slices = slices_for(size);
    struct run *head = span_take(slices, align < HT_SLICE ? HT_SLICE : align, ret_zero);
    if (ht_unlikely(head == NULL))
        return NULL;
    head->slices = (uint8_t)slices;
    head->large_bytes = whole_pages(size);
    kind_set(head, SLICE_LARGE);
    return slice_base(head);
}

void large_free(struct heap *heap, struct run *head)
{
    unsigned slices = head->slices;
    size_t bytes = (size_t)slices << HT_SLICE_SHIFT;
    if (slices <= HT_LARGE_CACHE_SLICES && heap->state == HEAP_OWNED &&
        heap->large[slices] == NULL && heap->large_bytes + bytes <= HT_LARGE_CACHE_BYTES) {
        kind_set(head, SLICE_CACHED);
        heap->large[slices] = head;
        heap->large_bytes += bytes;
        return;
    }
    span_give(head, slices, SPAN_TOUCHED);
    footprint_tick();
}

bool large_resize(struct run *head, size_t size)
{
    unsigned old_slices = head->slices, new_slices = slices_for(size);
    if (new_slices > old_slices) {
        if (!span_extend(head, old_slices, new_slices))
            return false;
    } else if (new_slices < old_slices) {
        span_shorten(head, old_slices, new_slices);
    }
    head->large_bytes = whole_pages(size);
    return true;
}

void large_flush(struct heap *heap)
{
    for (unsigned slices = 0; slices <= HT_LARGE_CACHE_SLICES; slices++) {
        struct run *head = heap->large[slices];
        heap->large[slices] = NULL;
        if (head != NULL)
            span_give(head, slices, SPAN_TOUCHED);
    }
    heap->large_bytes = 0;
}
