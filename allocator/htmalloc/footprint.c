#include "footprint.h"

#include "huge.h"
#include "options.h"
#include "os.h"
#include "segment.h"
#include "span.h"

struct footprint footprint;

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
    size_t share = load(&footprint.used) / options.dirty_share;
    size_t floor = options.dirty_min >> HT_PAGE_SHIFT;
    return share > floor ? share : floor;
}

size_t footprint_excess(size_t fresh)
{
    size_t spare = load(&footprint.spare), all = load(&footprint.used) + spare + fresh;
    if (all <= load(&footprint.high))
        return 0;
    size_t keep = footprint_keep();
    if (spare > keep)
        return spare - keep / 2; /* more than is needed, so that it is not needed at once again */
    __atomic_store_n(&footprint.high, all, __ATOMIC_RELAXED);
    return 0;
}

bool footprint_grows(size_t fresh)
{
    size_t spare = load(&footprint.spare);
    return spare < fresh && load(&footprint.used) + spare + fresh > load(&footprint.high);
}

bool footprint_is_excessive(void)
{
    size_t spare = load(&footprint.spare), used = load(&footprint.used);
    size_t most = options.dirty_max >> HT_PAGE_SHIFT;
    return spare > most && spare > used;
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
    span_decay();
    huge_decay();
}
