#include "segment.h"

#include "os.h"
#include "span.h"

/* Until the first allocation: enough for free(NULL). */
static uint8_t map_early[1];
uint8_t *segment_map = map_early;

static struct segment *segments;

struct segment *segment_first(void)
{
    return segments;
}

bool segment_setup(void)
{
    if (segment_map != map_early)
        return true;
    uint8_t *map = os_map_readable((size_t)1 << (HT_ADDRESS_BITS - HT_SEGMENT_SHIFT));
    if (map != NULL)
        __atomic_store_n(&segment_map, map, __ATOMIC_RELEASE);
    return map != NULL;
}

static bool segment_mark(const struct segment *segment)
{
    uint8_t *at = &segment_map[(uintptr_t)segment >> HT_SEGMENT_SHIFT];
    uint8_t *page = (uint8_t *)((uintptr_t)at & ~(uintptr_t)(HT_PAGE - 1));
    static uint8_t *page_writable;
    if (page != page_writable && !os_make_writable(page, HT_PAGE))
        return false;
    page_writable = page;
    __atomic_store_n(at, 1, __ATOMIC_RELEASE);
    return true;
}

struct segment *segment_add(void)
{
    struct segment *segment = os_map(HT_SEGMENT, HT_SEGMENT);
    if (segment == NULL)
        return NULL;
    if (!segment_mark(segment)) {
        os_unmap(segment, HT_SEGMENT);
        return NULL;
    }
    segment->next = segments;
    if (segments != NULL)
        segments->prev = segment;
    segments = segment;
    segment->free = HT_SEGMENT_SLICES - 1;
    return segment;
}

void segment_remove(struct segment *segment)
{
    if (segment->next != NULL)
        segment->next->prev = segment->prev;
    if (segment->prev != NULL)
        segment->prev->next = segment->next;
    else
        segments = segment->next;
    __atomic_store_n(&segment_map[(uintptr_t)segment >> HT_SEGMENT_SHIFT], 0, __ATOMIC_RELEASE);
    if (segment->mixed != NULL)
        os_unmap(segment->mixed, MIXED_MAP_BYTES);
    os_unmap(segment, HT_SEGMENT);
}

/* --- dirty bits --- */

bool segment_is_dirty(const struct segment *segment, unsigned slice)
{
    return segment->dirty[slice / 64] >> (slice % 64) & 1;
}

unsigned segment_count_dirty(const struct segment *segment, unsigned from, unsigned slices)
{
    if (slices == 1)
        return segment_is_dirty(segment, from);
    unsigned count = 0;
    for (unsigned at = from, end = from + slices; at < end;) {
        unsigned bit = at % 64, width = 64 - bit < end - at ? 64 - bit : end - at;
        uint64_t word = segment->dirty[at / 64] >> bit;
        if (width < 64)
            word &= ((uint64_t)1 << width) - 1;
        count += (unsigned)__builtin_popcountll(word);
        at += width;
    }
    return count;
}

void segment_set_dirty(struct segment *segment, unsigned from, unsigned slices, bool dirty)
{
    for (unsigned at = from; at < from + slices; at++) {
        uint64_t bit = (uint64_t)1 << (at % 64);
        if (dirty)
            segment->dirty[at / 64] |= bit;
        else
            segment->dirty[at / 64] &= ~bit;
    }
}
