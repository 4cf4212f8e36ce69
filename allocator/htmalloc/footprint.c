#include "footprint.h"

#include "huge.h"
#include "options.h"
#include "os.h"
#include "segment.h"
#include "span.h"

struct footprint footprint;

#define STRETCH_MAX 2u

static size_t load(const size_t *count)
{
    return __atomic_load_n(count, __ATOMIC_RELAXED);
}

void footprint_add(size_t *count, ptrdiff_t pages)
{
    if (__libc_single_threaded)
        *count += (size_t)pages;
    else
        __atomic_add_fetch(count, (size_t)pages, __ATOMIC_RELAXED);
}

size_t footprint_keep(void)
{
    uint32_t stretch = __atomic_load_n(&footprint.stretch, __ATOMIC_RELAXED);
    size_t used = load(&footprint.used), share = (used / options.dirty_share) << stretch;
    size_t floor = (options.dirty_min >> HT_PAGE_SHIFT) << stretch;
    return share < floor ? floor : share > used ? used : share;
}

/* `pages` are about to be given back. If that is about what has been taken afresh since the last
 * time while the use has not grown, the limits are too tight. */
static void learn(size_t pages)
{
    static size_t last_pages, last_used;
    size_t used = load(&footprint.used), fresh = load(&footprint.fresh);
    uint32_t stretch = __atomic_load_n(&footprint.stretch, __ATOMIC_RELAXED);
    size_t before = __atomic_exchange_n(&last_pages, pages, __ATOMIC_RELAXED);
    size_t used_before = __atomic_exchange_n(&last_used, used, __ATOMIC_RELAXED);
    if (stretch < STRETCH_MAX && fresh >= before / 2 && used <= used_before + used_before / 8)
        __atomic_store_n(&footprint.stretch, stretch + 1, __ATOMIC_RELAXED);
    __atomic_store_n(&footprint.fresh, 0, __ATOMIC_RELAXED);
}

size_t footprint_excess(size_t fresh)
{
    if (fresh == 0)
        return 0;
    size_t spare = load(&footprint.spare), all = load(&footprint.used) + spare;
    size_t high = load(&footprint.high), keep = footprint_keep();
    footprint_add(&footprint.fresh, (ptrdiff_t)fresh);
    if (all > high)
        high = all; /* runs have been carved meanwhile */
    if (all + fresh > high) {
        if (spare > keep) {
            size_t excess = spare - keep / 2; /* more than is needed: it would be needed soon */
            learn(excess);
            return excess;
        }
        high = all + fresh;
    }
    __atomic_store_n(&footprint.high, high, __ATOMIC_RELAXED);
    return 0;
}

bool footprint_grows(size_t fresh)
{
    size_t spare = load(&footprint.spare);
    return spare < fresh && load(&footprint.used) + spare + fresh > load(&footprint.high);
}

size_t footprint_surplus(void)
{
    size_t spare = load(&footprint.spare), used = load(&footprint.used);
    size_t most = (options.dirty_max >> HT_PAGE_SHIFT)
                  << __atomic_load_n(&footprint.stretch, __ATOMIC_RELAXED);
    if (spare <= most || spare <= used)
        return 0;
    learn(spare / 2);
    return spare / 2;
}

/* At the end of a window in which nothing was taken afresh that had to be paid for. */
static void relax(void)
{
    static uint32_t stretch_before; /* the end of two windows may meet in two threads */
    uint32_t stretch = __atomic_load_n(&footprint.stretch, __ATOMIC_RELAXED);
    uint32_t before = __atomic_exchange_n(&stretch_before, stretch, __ATOMIC_RELAXED);
    if (stretch > 0 && stretch == before && load(&footprint.fresh) == 0)
        __atomic_store_n(&footprint.stretch, stretch - 1, __ATOMIC_RELAXED);
}

void footprint_tick(void)
{
    static uint64_t window_start;
    uint64_t now = os_now_ms(), start = __atomic_load_n(&window_start, __ATOMIC_RELAXED);
    if (now - start < WINDOW_MS)
        return;
    if (!__atomic_compare_exchange_n(&window_start, &start, now, false, __ATOMIC_RELAXED,
                                     __ATOMIC_RELAXED))
        return;
    __atomic_add_fetch(&footprint.window, 1, __ATOMIC_RELAXED);
    relax();
    span_decay();
    huge_decay();
}
