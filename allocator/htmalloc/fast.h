/* The fast paths, compiled into both the ht_ functions and the interposed names. */
#ifndef HTMALLOC_FAST_H
#define HTMALLOC_FAST_H

#include "heap.h"
#include "segment.h"

/* What the fast paths hand over to (api.c). */
void *ht_malloc_slow(size_t size);
void ht_free_slow(void *address);
void ht_free_counted_out(struct run *run);

/* A block where nothing but its list has to be looked at, else NULL. */
static inline void *fast_take(size_t size)
{
    if (ht_unlikely(size > HT_FAST_MAX))
        return NULL;
    struct run *run = heap_self->table[(size + HT_ALIGN - 1) / HT_ALIGN];
    return ht_likely(run->free != NULL) ? run_pop(run) : NULL;
}

static inline void *fast_malloc(size_t size)
{
    void *block = fast_take(size);
    return ht_likely(block != NULL) ? block : ht_malloc_slow(size);
}

static inline void fast_free(void *address)
{
    uintptr_t at = (uintptr_t)address, segment = at >> HT_SEGMENT_SHIFT;
    if (ht_unlikely(__atomic_load_n(&segment_map, __ATOMIC_RELAXED)[segment] == 0)) {
        ht_free_slow(address);
        return;
    }
    /* The compiler would mask the address again rather than shift the number back, at one
     * instruction more: it must not know where the number comes from. */
    __asm__("" : "+r"(segment));
    uintptr_t offset =
        at >> (HT_SLICE_SHIFT - 6) & (HT_SEGMENT_SLICES - 1) * (uintptr_t)HT_RUN_BYTES;
    struct run *run = (struct run *)((segment << HT_SEGMENT_SHIFT) + offset);
    if (ht_unlikely(__atomic_load_n(&run->owner, __ATOMIC_RELAXED) != heap_self)) {
        ht_free_slow(address);
        return;
    }
    run_push(run, address);
    if (ht_unlikely(--run->left == 0))
        ht_free_counted_out(run);
}
static_assert(HT_RUN_BYTES == 1 << 6, "fast_free() shifts slice numbers to descriptors");

#endif
