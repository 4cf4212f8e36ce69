/* Size classes: which block sizes there are and which of them serves a request. 16-byte steps up to
 * 256 bytes, then eight to a doubling up to HT_SMALL_MAX: never more than 1/8 wasted above 128
 * bytes, 5 % on average. Above 1 KiB there is one more, a 32nd above each power of two: programs
 * put headers of their own before buffers of 1 or 4 KiB, which would waste an eighth. */
#ifndef HTMALLOC_SIZECLASS_H
#define HTMALLOC_SIZECLASS_H

#include "config.h"

#define CLASS_LINEAR_MAX 256u
#define CLASS_LINEAR     (CLASS_LINEAR_MAX / HT_ALIGN)
#define CLASS_WIDE       (CLASS_LINEAR + 16) /* the first above 1 KiB */
#define CLASS_COUNT      (CLASS_WIDE + 5 * 9)

/* The class whose blocks are the smallest that hold `size` bytes; size <= HT_SMALL_MAX. */
static inline unsigned class_of(size_t size)
{
    if (size <= CLASS_LINEAR_MAX)
        return size == 0 ? 0 : (unsigned)((size - 1) / HT_ALIGN);
    size_t last = size - 1;
    unsigned top = 63u - (unsigned)__builtin_clzl(last);
    unsigned eighth = (unsigned)(last >> (top - 3)) & 7;
    if (top < 10)
        return CLASS_LINEAR + (top - 8) * 8 + eighth;
    bool above = ((last >> (top - 5)) & 31) > 0;
    return CLASS_WIDE + (top - 10) * 9 + (above ? eighth + 1 : 0);
}

/* Bytes of one block of the class. */
static inline uint32_t class_bytes(unsigned class)
{
    if (class < CLASS_LINEAR)
        return (class + 1) * HT_ALIGN;
    if (class < CLASS_WIDE) {
        unsigned above = class - CLASS_LINEAR;
        return (9 + (above & 7)) << (above / 8 + 5);
    }
    unsigned doubling = (class - CLASS_WIDE) / 9, step = (class - CLASS_WIDE) % 9;
    return step == 0 ? 33u << (doubling + 5) : (8 + step) << (doubling + 7);
}

/* Slices of one run of the class: one where the fast path serves it; else enough for many blocks
 * (pages are touched only as they are needed), for the more blocks a run has, the less often it
 * changes between full and partial. */
static inline unsigned class_slices(unsigned class)
{
    uint32_t bytes = class_bytes(class);
    return bytes <= HT_FAST_MAX ? 1 : bytes <= 8192 ? 4 : 8;
}

/* The fewest slices that a run of the class makes do with where no more lie together: two blocks at
 * least, a tenth lost at its end at most. */
static inline unsigned class_slices_least(unsigned class)
{
    uint32_t bytes = class_bytes(class);
    return bytes <= 2048 ? 1 : bytes <= 8192 ? 2 : 4;
}

/* The smallest class whose blocks hold `size` bytes and all start at multiples of `align`;
 * CLASS_COUNT when there is none. align is a power of two up to HT_SLICE. */
unsigned class_of_aligned(size_t size, size_t align);

#endif
