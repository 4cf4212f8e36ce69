#include "analysis/classes.h"

#include <stdbool.h>

#define SIZE_MOST (UINT64_C(1) << 56) /* larger ones are as they are: no allocator has them */
#define KIB       UINT64_C(1024)
#define MIB       (KIB * KIB)

static uint64_t round_up(uint64_t size, uint64_t step)
{
    return (size + step - 1) / step * step;
}

static unsigned log2_below(uint64_t size)
{
    return 63u - (unsigned)__builtin_clzll(size);
}

/* The end of the step that holds the size, where each doubling has 2^steps_log2 steps. */
static uint64_t step_up(uint64_t size, unsigned steps_log2)
{
    return round_up(size, UINT64_C(1) << (log2_below(size - 1) - steps_log2));
}

/* 8, then every 16 to 128, then four a doubling: jemalloc, and mimalloc's small ones. */
static uint64_t four_a_doubling(uint64_t size)
{
    if (size <= 8)
        return 8;
    return size <= 128 ? round_up(size, 16) : step_up(size, 2);
}

/* ---- the allocators ----------------------------------------------------------------------------
 */

/* A chunk has a header of 8 bytes, 16 where it is a mapping of its own; those begin at 128 KiB
 * until one is freed, and then later. */
static uint64_t usable_libc(uint64_t size)
{
    uint64_t chunk = round_up(size + 8, 16);
    if (size > SIZE_MOST)
        return size;
    if (chunk >= 128 * KIB)
        return round_up(chunk + 8, 4096) - 16;
    return (chunk < 32 ? 32 : chunk) - 8;
}

/* Eight a doubling from 256 bytes on; from 1 KiB to 16 KiB one more, for a power of two with a
 * header. Above 32 KiB whole pages. */
static uint64_t usable_htmalloc(uint64_t size)
{
    if (size > SIZE_MOST)
        return size;
    if (size <= 256)
        return size == 0 ? 16 : round_up(size, 16);
    if (size > 32 * KIB)
        return round_up(size, 4096);
    uint64_t power = UINT64_C(1) << log2_below(size);
    if (power >= KIB && power <= 16 * KIB && size > power && size <= power + power / 32)
        return power + power / 32;
    return step_up(size, 3);
}

static uint64_t usable_jemalloc(uint64_t size)
{
    return size > SIZE_MOST ? size : four_a_doubling(size);
}

/* Above 128 KiB what a run of slices holds: rounded by size, then to 64 KiB or 512 KiB. */
static uint64_t usable_mimalloc(uint64_t size)
{
    if (size > SIZE_MOST)
        return size;
    if (size <= 128 * KIB)
        return four_a_doubling(size);
    uint64_t step = size < 512 * KIB  ? 4 * KIB
                    : size < 2 * MIB  ? 64 * KIB
                    : size < 8 * MIB  ? 256 * KIB
                    : size < 32 * MIB ? MIB
                                      : 4 * MIB;
    uint64_t good = round_up(size, step);
    return round_up(good, good <= 512 * KIB ? 64 * KIB : 512 * KIB);
}

/* ---- tcmalloc: SizeMap::Init() of gperftools' common.cc
 * ------------------------------------------
 */

#define TC_PAGE    (8 * KIB)
#define TC_MOST    (256 * KIB)
#define TC_CLASSES 128

struct tc_class {
    uint64_t size, span;
};

static uint64_t tc_alignment(uint64_t size)
{
    if (size < 16)
        return 8;
    if (size < 128)
        return 16;
    uint64_t alignment = (UINT64_C(1) << log2_below(size)) / 8;
    return alignment < TC_PAGE ? alignment : TC_PAGE;
}

/* The span that blocks of a size are cut from: at most an eighth is left over, and a transfer
 * between caches is worth it. */
static uint64_t tc_span(uint64_t size)
{
    uint64_t move = 64 * KIB / size, span = 0;
    move = move < 2 ? 2 : move > 32 ? 32 : move;
    do {
        span += TC_PAGE;
        while (span % size > span / 8)
            span += TC_PAGE;
    } while (span / size < move / 4);
    return span;
}

/* Sizes of one span that hold as many blocks of it are one class. */
static unsigned tc_make(struct tc_class *classes)
{
    unsigned count = 0;
    for (uint64_t size = 8; size <= TC_MOST && count < TC_CLASSES; size += tc_alignment(size)) {
        uint64_t span = tc_span(size);
        struct tc_class *last = count ? &classes[count - 1] : NULL;
        if (last && last->span == span && span / size == span / last->size)
            last->size = size;
        else
            classes[count++] = (struct tc_class){size, span};
    }
    return count;
}

static uint64_t usable_tcmalloc(uint64_t size)
{
    static struct tc_class classes[TC_CLASSES];
    static unsigned count;
    unsigned at = 0;
    if (size > SIZE_MOST)
        return size;
    if (size > TC_MOST)
        return round_up(size, TC_PAGE);
    if (!count)
        count = tc_make(classes);
    while (at + 1 < count && classes[at].size < size)
        at++;
    return classes[at].size;
}

/* Above 8128 bytes it says what was asked for, whatever it rounds up. */
static uint64_t usable_tbbmalloc(uint64_t size)
{
    static const uint64_t fitting[] = {1792, 2688, 4032, 5376, 8128};
    if (size <= 1024)
        return four_a_doubling(size);
    for (unsigned i = 0; i < sizeof fitting / sizeof *fitting; i++)
        if (size <= fitting[i])
            return fitting[i];
    return size;
}

const struct class_rule class_rules[CLASS_RULES] = {
    {"libc", "glibc 2.36", 8, usable_libc},
    {"htmalloc", "0.1.0", 0, usable_htmalloc},
    {"jemalloc", "5.3.0", 0, usable_jemalloc},
    {"mimalloc", "2.0.9", 0, usable_mimalloc},
    {"tcmalloc", "gperftools 2.10", 0, usable_tcmalloc},
    {"tbbmalloc", "2.8", 0, usable_tbbmalloc},
};
