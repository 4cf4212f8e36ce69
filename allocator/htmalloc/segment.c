#include "segment.h"

#include "os.h"
#include "options.h"

#define BINS HT_SEGMENT_SLICES

/* Until the first allocation: enough for free(NULL). */
static uint8_t map_early[1];
uint8_t *segment_map = map_early;
struct span_counts span_counts;
struct ht_lock span_lock;

/* Free spans by length, and a bit for each length that has any. */
static struct run *bins[BINS];
static uint64_t bins_filled[BINS / 64];
static struct segment *segments;
static uint32_t segments_mapped_ever;

struct segment *segment_first(void)
{
    return segments;
}

static struct segment *segment_of(const struct run *slice)
{
    return (struct segment *)((uintptr_t)slice & ~(uintptr_t)(HT_SEGMENT - 1));
}

/* --- dirty bits --- */

static bool is_dirty(const struct segment *segment, unsigned slice)
{
    return segment->dirty[slice / 64] >> (slice % 64) & 1;
}

bool span_is_dirty(const struct run *slice)
{
    return is_dirty(segment_of(slice), slice_number(slice));
}

static unsigned count_dirty(const struct segment *segment, unsigned from, unsigned slices)
{
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

static void set_dirty(struct segment *segment, unsigned from, unsigned slices, bool dirty)
{
    for (unsigned at = from; at < from + slices; at++) {
        uint64_t bit = (uint64_t)1 << (at % 64);
        if (dirty)
            segment->dirty[at / 64] |= bit;
        else
            segment->dirty[at / 64] &= ~bit;
    }
}

/* --- free spans --- */

static void bin_insert(struct run *span, unsigned slices)
{
    kind_set(span, SLICE_FREE);
    span->slices = (uint8_t)slices;
    span->back = 0;
    if (slices > 1) {
        kind_set(&span[slices - 1], SLICE_FREE_END);
        span[slices - 1].back = (uint8_t)(slices - 1);
    }
    span->prev = NULL;
    span->next = bins[slices];
    if (span->next != NULL)
        span->next->prev = span;
    bins[slices] = span;
    bins_filled[slices / 64] |= (uint64_t)1 << (slices % 64);
}

static void bin_remove(struct run *span)
{
    unsigned slices = span->slices;
    if (span->next != NULL)
        span->next->prev = span->prev;
    if (span->prev != NULL)
        span->prev->next = span->next;
    else
        bins[slices] = span->next;
    if (bins[slices] == NULL)
        bins_filled[slices / 64] &= ~((uint64_t)1 << (slices % 64));
    kind_set(span, SLICE_UNUSED);
    kind_set(&span[slices - 1], SLICE_UNUSED);
}

/* The shortest length >= `slices` that a free span has, or BINS. */
static unsigned bin_find(unsigned slices)
{
    unsigned word = slices / 64;
    uint64_t bits = bins_filled[word] & ~(uint64_t)0 << (slices % 64);
    while (bits == 0) {
        if (++word == BINS / 64)
            return BINS;
        bits = bins_filled[word];
    }
    return word * 64 + (unsigned)__builtin_ctzll(bits);
}

struct run *span_bin(unsigned slices)
{
    return bins[slices];
}

bool span_bin_is_filled(unsigned slices)
{
    return bins_filled[slices / 64] >> (slices % 64) & 1;
}

/* Puts a span among the free ones, joined with its free neighbours. */
static struct run *join_and_insert(struct run *span, unsigned slices)
{
    unsigned number = slice_number(span);
    if (number + slices < HT_SEGMENT_SLICES && kind_of(&span[slices]) == SLICE_FREE) {
        unsigned behind = span[slices].slices;
        bin_remove(span + slices);
        slices += behind;
    }
    if (number > 1) {
        struct run *before = span - 1;
        if (kind_of(before) == SLICE_FREE_END)
            before -= before->back;
        if (kind_of(before) == SLICE_FREE) {
            slices += before->slices;
            bin_remove(before);
            span = before;
        }
    }
    bin_insert(span, slices);
    return span;
}

/* --- segments --- */

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

static bool segment_add(void)
{
    struct segment *segment = os_map(HT_SEGMENT, HT_SEGMENT);
    if (segment == NULL)
        return false;
    if (!segment_mark(segment)) {
        os_unmap(segment, HT_SEGMENT);
        return false;
    }
    segment->number = ++segments_mapped_ever;
    segment->next = segments;
    if (segments != NULL)
        segments->prev = segment;
    segments = segment;
    segment->free = HT_SEGMENT_SLICES - 1;
    span_counts.segments++;
    span_counts.slices_free += segment->free;
    bin_insert((struct run *)segment + 1, segment->free);
    return true;
}

static void segment_remove(struct segment *segment)
{
    struct run *span = (struct run *)segment + 1;
    bin_remove(span);
    if (segment->next != NULL)
        segment->next->prev = segment->prev;
    if (segment->prev != NULL)
        segment->prev->next = segment->next;
    else
        segments = segment->next;
    span_counts.segments--;
    span_counts.slices_free -= segment->free;
    span_counts.slices_dirty -= count_dirty(segment, 1, HT_SEGMENT_SLICES - 1);
    __atomic_store_n(&segment_map[(uintptr_t)segment >> HT_SEGMENT_SHIFT], 0, __ATOMIC_RELEASE);
    os_unmap(segment, HT_SEGMENT);
}

/* --- taking and giving --- */

/* Cuts `slices` out of the free span, `skip` slices behind its start. */
static struct run *span_cut(struct run *span, unsigned skip, unsigned slices, bool *ret_zero)
{
    struct segment *segment = segment_of(span);
    unsigned whole = span->slices;
    bin_remove(span);
    if (skip > 0)
        bin_insert(span, skip);
    if (skip + slices < whole)
        bin_insert(span + skip + slices, whole - skip - slices);
    span += skip;
    unsigned dirty = count_dirty(segment, slice_number(span), slices);
    segment->free -= slices;
    span_counts.slices_free -= slices;
    span_counts.slices_used += slices;
    span_counts.slices_dirty -= dirty;
    *ret_zero = dirty == 0;
    span->back = 0;
    kind_set(&span[slices - 1], SLICE_INSIDE);
    span[slices - 1].back = (uint8_t)(slices - 1);
    kind_set(span, SLICE_UNUSED);
    return span;
}

static struct run *take_locked(unsigned slices, size_t align, bool *ret_zero)
{
    unsigned align_slices = (unsigned)(align >> HT_SLICE_SHIFT);
    unsigned found = bin_find(slices + align_slices - 1);
    if (found == BINS && segment_add())
        found = bin_find(slices + align_slices - 1);
    if (found == BINS)
        return NULL;
    struct run *span = bins[found];
    unsigned number = slice_number(span);
    unsigned skip = -number & (align_slices - 1);
    return span_cut(span, skip, slices, ret_zero);
}

struct run *span_take(unsigned slices, size_t align, bool *ret_zero)
{
    lock_take(&span_lock);
    struct run *span = take_locked(slices, align, ret_zero);
    lock_give(&span_lock);
    return span;
}

bool span_extend(struct run *span, unsigned old_slices, unsigned new_slices)
{
    unsigned number = slice_number(span), more = new_slices - old_slices;
    if (number + new_slices > HT_SEGMENT_SLICES)
        return false;
    lock_take(&span_lock);
    struct run *behind = span + old_slices;
    bool fits = kind_of(behind) == SLICE_FREE && behind->slices >= more;
    if (fits) {
        bool zero;
        span_cut(behind, 0, more, &zero);
        kind_set(&span[new_slices - 1], SLICE_INSIDE);
        span[new_slices - 1].back = (uint8_t)(new_slices - 1);
    }
    lock_give(&span_lock);
    return fits;
}

/* Purges one free span's dirty slices, as few calls as there are stretches of them. */
static size_t purge_span(struct run *span)
{
    struct segment *segment = segment_of(span);
    unsigned number = slice_number(span), end = number + span->slices;
    size_t purged = 0;
    for (unsigned at = number; at < end;) {
        if (!is_dirty(segment, at)) {
            at++;
            continue;
        }
        unsigned stop = at;
        while (stop < end && is_dirty(segment, stop))
            stop++;
        char *base = (char *)segment + ((size_t)at << HT_SLICE_SHIFT);
        if (os_purge(base, (size_t)(stop - at) << HT_SLICE_SHIFT)) {
            set_dirty(segment, at, stop - at, false);
            purged += stop - at;
        }
        at = stop;
    }
    span_counts.slices_dirty -= purged;
    return purged;
}

static size_t purge_locked(size_t keep)
{
    size_t purged = 0;
    /* The longest first: few calls for many pages, and the least likely to be wanted soon. */
    for (unsigned slices = BINS - 1; slices > 0 && span_counts.slices_dirty > keep; slices--) {
        struct run *next;
        for (struct run *span = bins[slices]; span != NULL; span = next) {
            next = span->next;
            if (span_counts.slices_dirty <= keep)
                break;
            if (slices == BINS - 1 && span_counts.segments > 1) {
                purged += count_dirty(segment_of(span), 1, slices);
                segment_remove(segment_of(span));
            } else {
                purged += purge_span(span);
            }
        }
    }
    return purged;
}

size_t span_purge(size_t keep)
{
    lock_take(&span_lock);
    size_t purged = purge_locked(keep);
    lock_give(&span_lock);
    return purged;
}

/* How many dirty slices may stand: no more than the greater of a floor and a share of what is used.
 */
static size_t dirty_limit(void)
{
    size_t share = span_counts.slices_used / options.dirty_share;
    size_t floor = options.dirty_min >> HT_SLICE_SHIFT;
    return share > floor ? share : floor;
}

/* Puts slices that nobody uses any more among the free ones. */
static void give_locked(struct run *span, unsigned slices, bool dirty)
{
    struct segment *segment = segment_of(span);
    unsigned number = slice_number(span);
    kind_set(&span[slices - 1], SLICE_UNUSED);
    kind_set(span, SLICE_UNUSED);
    if (dirty)
        set_dirty(segment, number, slices, true);
    segment->free += slices;
    span_counts.slices_free += slices;
    span_counts.slices_used -= slices;
    span_counts.slices_dirty += count_dirty(segment, number, slices);
    join_and_insert(span, slices);
    size_t limit = dirty_limit();
    if (span_counts.slices_dirty > limit)
        purge_locked(limit / 2);
}

void span_give(struct run *span, unsigned slices, bool dirty)
{
    __atomic_store_n(&span->owner, NULL, __ATOMIC_RELAXED);
    lock_take(&span_lock);
    give_locked(span, slices, dirty);
    lock_give(&span_lock);
}

void span_shorten(struct run *span, unsigned old_slices, unsigned new_slices)
{
    lock_take(&span_lock);
    kind_set(&span[new_slices - 1], new_slices == 1 ? SLICE_LARGE : SLICE_INSIDE);
    span[new_slices - 1].back = (uint8_t)(new_slices - 1);
    give_locked(span + new_slices, old_slices - new_slices, true);
    lock_give(&span_lock);
}
