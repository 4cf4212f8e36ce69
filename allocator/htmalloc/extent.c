#include "extent.h"

#include "footprint.h"
#include "os.h"

#define EXTENTS_MAX 128

/* Smaller ends stay with the block. */
#define PIECE_MIN (16 * HT_PAGE)

/* Clean address space beyond this is unmapped. */
#define CLEAN_MAX ((size_t)64 << 20)

struct extent_counts extent_counts;

static struct extent extents[EXTENTS_MAX]; /* in no order */
static unsigned count;

static void count_bytes(ptrdiff_t bytes, ptrdiff_t dirty)
{
    extent_counts.bytes += (size_t)bytes;
    extent_counts.dirty += (size_t)dirty;
    if (extent_counts.dirty < extent_counts.dirty_least)
        extent_counts.dirty_least = extent_counts.dirty;
    footprint_add(&footprint.spare, dirty >> HT_PAGE_SHIFT);
}

static struct extent take_out(struct extent *one)
{
    struct extent taken = *one;
    *one = extents[--count];
    count_bytes(-(ptrdiff_t)taken.bytes, -(ptrdiff_t)taken.dirty);
    return taken;
}

static void unmap(struct extent *one)
{
    struct extent gone = take_out(one);
    os_unmap(gone.base, gone.bytes);
}

static struct extent *smallest(void)
{
    struct extent *least = &extents[0];
    for (unsigned i = 1; i < count; i++) {
        if (extents[i].bytes < least->bytes)
            least = &extents[i];
    }
    return least;
}

void extent_add(struct extent given)
{
    for (unsigned i = 0; i < count;) {
        struct extent *one = &extents[i];
        bool before = one->base + one->bytes == given.base;
        bool behind = given.base + given.bytes == one->base;
        if (!before && !behind) {
            i++;
            continue;
        }
        struct extent joined = take_out(one);
        given.base = before ? joined.base : given.base;
        given.bytes += joined.bytes;
        given.dirty += joined.dirty;
        given.zero &= joined.zero;
        i = 0;
    }
    if (count == EXTENTS_MAX)
        unmap(smallest());
    extents[count++] = given;
    count_bytes((ptrdiff_t)given.bytes, (ptrdiff_t)given.dirty);
}

/* Cuts `bytes` out, `skip` bytes behind the start. */
static struct extent cut(struct extent *one, size_t skip, size_t bytes)
{
    struct extent whole = take_out(one);
    if (whole.bytes - skip - bytes < PIECE_MIN)
        bytes = whole.bytes - skip;
    size_t rest = whole.bytes - skip - bytes;
    size_t first = whole.dirty < skip ? whole.dirty : skip, dirty = whole.dirty - first;
    size_t second = dirty < bytes ? dirty : bytes;
    struct extent taken = {whole.base + skip, bytes, second, whole.zero};
    if (skip > 0)
        extent_add((struct extent){whole.base, skip, first, whole.zero});
    if (rest > 0)
        extent_add((struct extent){taken.base + bytes, rest, dirty - second, whole.zero});
    return taken;
}

static size_t skip_to_align(const struct extent *one, size_t align)
{
    return -(uintptr_t)one->base & (align - 1);
}

struct extent extent_take(size_t bytes, size_t align)
{
    struct extent *fit = NULL;
    for (unsigned i = 0; i < count; i++) {
        struct extent *one = &extents[i];
        size_t skip = skip_to_align(one, align);
        if (one->bytes < skip || one->bytes - skip < bytes)
            continue;
        /* A dirty one before a clean one, then the shorter. */
        if (fit == NULL || (one->dirty > 0) > (fit->dirty > 0) ||
            ((one->dirty > 0) == (fit->dirty > 0) && one->bytes < fit->bytes))
            fit = one;
    }
    if (fit == NULL)
        return (struct extent){0};
    return cut(fit, skip_to_align(fit, align), bytes);
}

struct extent extent_take_at(char *base, size_t bytes)
{
    for (unsigned i = 0; i < count; i++) {
        if (extents[i].base == base && extents[i].bytes >= bytes)
            return cut(&extents[i], 0, bytes);
    }
    return (struct extent){0};
}

static struct extent *dirtiest(void)
{
    struct extent *most = NULL;
    for (unsigned i = 0; i < count; i++) {
        if (extents[i].dirty > 0 && (most == NULL || extents[i].dirty > most->dirty))
            most = &extents[i];
    }
    return most;
}

struct extent extent_take_dirtiest(void)
{
    struct extent *most = dirtiest();
    return most == NULL ? (struct extent){0} : take_out(most);
}

size_t extent_purge(size_t keep)
{
    size_t before = extent_counts.dirty;
    while (extent_counts.dirty > keep) {
        struct extent *most = dirtiest();
        if (extent_counts.bytes - extent_counts.dirty > CLEAN_MAX ||
            !os_purge(most->base, most->bytes)) {
            unmap(most);
            continue;
        }
        count_bytes(0, -(ptrdiff_t)most->dirty);
        most->dirty = 0;
        most->zero = true;
    }
    return before - extent_counts.dirty;
}

size_t extent_clear(void)
{
    size_t before = extent_counts.dirty;
    while (count > 0)
        unmap(&extents[0]);
    return before;
}
