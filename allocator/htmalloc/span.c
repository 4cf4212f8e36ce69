#include "span.h"

#include "footprint.h"
#include "os.h"
#include "segment.h"

#define BINS        HT_SEGMENT_SLICES
#define SLICE_PAGES (HT_SLICE / HT_PAGE)

struct span_counts span_counts;
struct ht_lock span_lock;

/* Free spans by length, and a bit for each length that has any; those with dirty slices apart from
 * those that are clean throughout. */
struct bins {
    struct run *spans[BINS];
    uint64_t filled[BINS / 64];
};
static struct bins clean_bins, dirty_bins;

/* Dirty slices that are more than a small heap keeps. */
#define MUCH_IDLE 8u

/* The fewest dirty slices that there have been in this window. */
static size_t dirty_least;

static void count_dirty_slices(ptrdiff_t slices)
{
    span_counts.slices_dirty += (size_t)slices;
    if (span_counts.slices_dirty < dirty_least)
        dirty_least = span_counts.slices_dirty;
    footprint_add(&footprint.spare, slices * (ptrdiff_t)SLICE_PAGES);
}

/* --- free spans --- */

static struct bins *bins_of(const struct run *span)
{
    return span->state != 0 ? &dirty_bins : &clean_bins;
}

static void bin_insert(struct run *span, unsigned slices)
{
    kind_set(span, SLICE_FREE);
    span->slices = (uint8_t)slices;
    span->back = 0;
    if (slices > 1) {
        kind_set(&span[slices - 1], SLICE_FREE_END);
        span[slices - 1].back = (uint8_t)(slices - 1);
    }
    span->state = segment_count_dirty(segment_of(span), slice_number(span), slices) > 0;
    struct bins *bins = bins_of(span);
    span->prev = NULL;
    span->next = bins->spans[slices];
    if (span->next != NULL)
        span->next->prev = span;
    bins->spans[slices] = span;
    bins->filled[slices / 64] |= (uint64_t)1 << (slices % 64);
}

static void bin_remove(struct run *span)
{
    unsigned slices = span->slices;
    struct bins *bins = bins_of(span);
    if (span->next != NULL)
        span->next->prev = span->prev;
    if (span->prev != NULL)
        span->prev->next = span->next;
    else
        bins->spans[slices] = span->next;
    if (bins->spans[slices] == NULL)
        bins->filled[slices / 64] &= ~((uint64_t)1 << (slices % 64));
    kind_set(span, SLICE_UNUSED);
    kind_set(&span[slices - 1], SLICE_UNUSED);
}

/* The shortest free span of at least `slices`, or NULL. */
static struct run *bin_find(const struct bins *bins, unsigned slices)
{
    unsigned word = slices / 64;
    uint64_t bits = bins->filled[word] & ~(uint64_t)0 << (slices % 64);
    while (bits == 0) {
        if (++word == BINS / 64)
            return NULL;
        bits = bins->filled[word];
    }
    return bins->spans[word * 64 + (unsigned)__builtin_ctzll(bits)];
}

struct run *span_bin(unsigned slices, bool dirty)
{
    return (dirty ? &dirty_bins : &clean_bins)->spans[slices];
}

bool span_bin_is_filled(unsigned slices, bool dirty)
{
    const struct bins *bins = dirty ? &dirty_bins : &clean_bins;
    return bins->filled[slices / 64] >> (slices % 64) & 1;
}

/* Puts a span among the free ones, joined with its free neighbours. */
static void join_and_insert(struct run *span, unsigned slices)
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
}

/* --- segments --- */

static bool add_segment(void)
{
    struct segment *segment = segment_add();
    if (segment == NULL)
        return false;
    span_counts.segments++;
    span_counts.slices_free += segment->free;
    bin_insert((struct run *)segment + 1, segment->free);
    return true;
}

/* Unmaps a segment that is one free span. */
static void drop_segment(struct segment *segment)
{
    bin_remove((struct run *)segment + 1);
    span_counts.segments--;
    span_counts.slices_free -= segment->free;
    count_dirty_slices(-(ptrdiff_t)segment_count_dirty(segment, 1, HT_SEGMENT_SLICES - 1));
    segment_remove(segment);
}

/* --- giving pages back --- */

/* Purges one free span's dirty slices, as few calls as there are stretches of them. */
static void purge_span(struct run *span)
{
    struct segment *segment = segment_of(span);
    unsigned number = slice_number(span), end = number + span->slices;
    size_t purged = 0;
    for (unsigned at = number; at < end;) {
        if (!segment_is_dirty(segment, at)) {
            at++;
            continue;
        }
        unsigned stop = at;
        while (stop < end && segment_is_dirty(segment, stop))
            stop++;
        char *base = (char *)segment + ((size_t)at << HT_SLICE_SHIFT);
        if (os_purge(base, (size_t)(stop - at) << HT_SLICE_SHIFT)) {
            segment_set_dirty(segment, at, stop - at, false);
            purged += stop - at;
        }
        at = stop;
    }
    count_dirty_slices(-(ptrdiff_t)purged);
}

/* Unmaps or purges the span, whatever it is. Returns the dirty slices that it had. */
static size_t purge_or_drop(struct run *span)
{
    unsigned slices = span->slices;
    size_t dirty = span_counts.slices_dirty;
    if (slices == BINS - 1 && span_counts.segments > 1) {
        drop_segment(segment_of(span));
    } else {
        bin_remove(span);
        purge_span(span);
        bin_insert(span, slices);
    }
    return dirty - span_counts.slices_dirty;
}

static size_t purge_locked(size_t keep)
{
    size_t purged = 0;
    /* The longest first: few calls for many pages, and the least likely to be wanted soon. */
    for (unsigned slices = BINS - 1; slices > 0 && span_counts.slices_dirty > keep; slices--) {
        struct run *next;
        for (struct run *span = dirty_bins.spans[slices]; span != NULL; span = next) {
            next = span->next;
            if (span_counts.slices_dirty <= keep)
                break;
            purged += purge_or_drop(span);
        }
    }
    return purged;
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
    unsigned dirty = segment_count_dirty(segment, slice_number(span), slices);
    segment->free -= slices;
    span_counts.slices_free -= slices;
    span_counts.slices_used += slices;
    count_dirty_slices(-(ptrdiff_t)dirty);
    footprint_add(&footprint.used, (ptrdiff_t)slices * (ptrdiff_t)SLICE_PAGES);
    *ret_zero = dirty == 0;
    span->back = 0;
    span->slices = (uint8_t)slices; /* statistics walk along spans as soon as the lock is free */
    kind_set(&span[slices - 1], SLICE_INSIDE);
    span[slices - 1].back = (uint8_t)(slices - 1);
    /* As soon as the lock is free a fork() may copy it: it must be something until its taker says
     * what it is. */
    span->large_bytes = (size_t)slices << HT_SLICE_SHIFT;
    kind_set(span, SLICE_LARGE);
    return span;
}

/* How far into the free span to cut: at its start or its end, as alignment allows, whichever has
 * more dirty slices in it. */
static unsigned choose_skip(const struct run *span, unsigned slices, size_t align)
{
    unsigned mask = (unsigned)(align >> HT_SLICE_SHIFT) - 1, number = slice_number(span);
    unsigned first = -number & mask, last = ((number + span->slices - slices) & ~mask) - number;
    if (first == last || span->state == 0)
        return first;
    const struct segment *segment = segment_of(span);
    unsigned at_first = segment_count_dirty(segment, number + first, slices);
    if (at_first == slices)
        return first;
    return segment_count_dirty(segment, number + last, slices) > at_first ? last : first;
}

static struct run *take_locked(unsigned slices, size_t align, bool *ret_zero)
{
    unsigned wanted = slices + (unsigned)(align >> HT_SLICE_SHIFT) - 1;
    struct run *span = bin_find(&dirty_bins, wanted);
    if (span == NULL)
        span = bin_find(&clean_bins, wanted);
    if (span == NULL && add_segment())
        span = bin_find(&clean_bins, wanted);
    if (span == NULL)
        return NULL;
    unsigned skip = choose_skip(span, slices, align);
    unsigned dirty = segment_count_dirty(segment_of(span), slice_number(span) + skip, slices);
    /* The pages that this touches anew are paid for with others, when there are enough. */
    size_t excess = footprint_excess((slices - dirty) * SLICE_PAGES) / SLICE_PAGES;
    span = span_cut(span, skip, slices, ret_zero);
    if (excess > 0)
        purge_locked(excess < span_counts.slices_dirty ? span_counts.slices_dirty - excess : 0);
    return span;
}

struct run *span_take(unsigned slices, size_t align, bool *ret_zero)
{
    lock_take(&span_lock);
    struct run *span = take_locked(slices, align, ret_zero);
    lock_give(&span_lock);
    return span;
}

/* The longest dirty span shorter than `slices`, 0 when there is none of `least` or more. */
static unsigned longest_dirty(unsigned slices, unsigned least)
{
    while (--slices >= least) {
        if (dirty_bins.spans[slices] != NULL)
            return slices;
    }
    return 0;
}

struct run *span_take_resident(unsigned slices, unsigned least, unsigned *ret_slices)
{
    bool zero;
    lock_take(&span_lock);
    /* Short runs cost a small heap a few per cent, so that only much lying idle is worth one. */
    bool idle = span_counts.slices_dirty > MUCH_IDLE;
    if (slices > least && idle && bin_find(&dirty_bins, slices) == NULL) {
        unsigned shorter = longest_dirty(slices, least);
        if (shorter > 0)
            slices = shorter;
    }
    struct run *span = take_locked(slices, HT_SLICE, &zero);
    lock_give(&span_lock);
    *ret_slices = slices;
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
        kind_set(behind, SLICE_UNUSED);
        kind_set(&span[new_slices - 1], SLICE_INSIDE);
        span[new_slices - 1].back = (uint8_t)(new_slices - 1);
        span->slices = (uint8_t)new_slices;
    }
    lock_give(&span_lock);
    return fits;
}

size_t span_purge(size_t keep)
{
    lock_take(&span_lock);
    size_t purged = purge_locked(keep);
    lock_give(&span_lock);
    return purged;
}

/* Puts slices that nobody uses any more among the free ones. */
static void give_locked(struct run *span, unsigned slices, uint32_t touched)
{
    struct segment *segment = segment_of(span);
    unsigned number = slice_number(span);
    kind_set(&span[slices - 1], SLICE_UNUSED);
    kind_set(span, SLICE_UNUSED);
    if (touched == SPAN_TOUCHED) {
        segment_set_dirty(segment, number, slices, true);
    } else {
        for (unsigned i = 0; i < slices && i < 32; i++) {
            if (touched >> i & 1)
                segment_set_dirty(segment, number + i, 1, true);
        }
    }
    segment->free += slices;
    span_counts.slices_free += slices;
    span_counts.slices_used -= slices;
    count_dirty_slices((ptrdiff_t)segment_count_dirty(segment, number, slices));
    footprint_add(&footprint.used, -(ptrdiff_t)slices * (ptrdiff_t)SLICE_PAGES);
    join_and_insert(span, slices);
    size_t surplus = footprint_surplus() / SLICE_PAGES;
    if (surplus > 0)
        purge_locked(surplus < span_counts.slices_dirty ? span_counts.slices_dirty - surplus : 0);
}

void span_give(struct run *span, unsigned slices, uint32_t touched)
{
    __atomic_store_n(&span->owner, NULL, __ATOMIC_RELAXED);
    lock_take(&span_lock);
    give_locked(span, slices, touched);
    lock_give(&span_lock);
}

void span_shorten(struct run *span, unsigned old_slices, unsigned new_slices)
{
    lock_take(&span_lock);
    kind_set(&span[new_slices - 1], new_slices == 1 ? SLICE_LARGE : SLICE_INSIDE);
    span[new_slices - 1].back = (uint8_t)(new_slices - 1);
    span->slices = (uint8_t)new_slices;
    give_locked(span + new_slices, old_slices - new_slices, SPAN_TOUCHED);
    lock_give(&span_lock);
}

void span_purge_some(size_t pages)
{
    size_t slices = (pages + SLICE_PAGES - 1) / SLICE_PAGES;
    lock_take(&span_lock);
    purge_locked(slices < span_counts.slices_dirty ? span_counts.slices_dirty - slices : 0);
    lock_give(&span_lock);
}

void span_decay(void)
{
    lock_take(&span_lock);
    /* What nobody needed for a while need not stand by as much as what may be needed at once. */
    size_t keep = footprint_keep() / SLICE_PAGES / 4, dirty = span_counts.slices_dirty;
    if (dirty - dirty_least > keep)
        keep = dirty - dirty_least;
    if (dirty > keep)
        purge_locked(keep);
    dirty_least = span_counts.slices_dirty;
    lock_give(&span_lock);
}
