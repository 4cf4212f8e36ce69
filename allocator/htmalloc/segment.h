/* Segments: aligned mappings of HT_SEGMENT bytes, divided in slices. Slice 0 holds the descriptors
 * (run.h), touched as they are needed; the others are handed out as spans (span.h). Everything but
 * segment_holds() and segment_of() is called under the span lock. */
#ifndef HTMALLOC_SEGMENT_H
#define HTMALLOC_SEGMENT_H

#include "run.h"

/* Lies where slice 0's own descriptor would. */
struct segment {
    struct segment *next, *prev;
    uint64_t dirty[HT_SEGMENT_SLICES / 64]; /* one bit a slice: its pages may be resident */
    struct mixed *mixed;                    /* by slice: see mixed.h; NULL before the first */
    uint32_t free;                          /* slices in free spans */
    uint32_t unused;
};
#define MIXED_MAP_BYTES ((size_t)104 << 10) /* what is mapped for `mixed` */
static_assert(sizeof(struct segment) == HT_RUN_BYTES, "a segment's own data fills descriptor 0");

/* One byte a segment-sized piece of the address space: 1 where a segment of ours lies. The one load
 * by which free() knows our blocks from NULL, huge blocks and foreign pointers. */
extern uint8_t *segment_map HT_HIDDEN;

static inline bool segment_holds(const void *address)
{
    const uint8_t *map = __atomic_load_n(&segment_map, __ATOMIC_RELAXED);
    return map[(uintptr_t)address >> HT_SEGMENT_SHIFT] != 0;
}

static inline struct segment *segment_of(const struct run *slice)
{
    return (struct segment *)((uintptr_t)slice & ~(uintptr_t)(HT_SEGMENT - 1));
}

/* To be called once before anything else; false when the system refuses memory. */
bool segment_setup(void);

/* Maps a segment, all of it free and clean; NULL when the system refuses. */
struct segment *segment_add(void);
void segment_remove(struct segment *segment);
struct segment *segment_first(void);

/* The dirty bits of `slices` slices from number `from`. */
bool segment_is_dirty(const struct segment *segment, unsigned slice);
unsigned segment_count_dirty(const struct segment *segment, unsigned from, unsigned slices);
void segment_set_dirty(struct segment *segment, unsigned from, unsigned slices, bool dirty);

#endif
