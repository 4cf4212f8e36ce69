#include "replayer/engine/pattern.h"

#include <stdbool.h>
#include <string.h>

/* Two words at a time, which every x86-64 has; memory may be unaligned. */
typedef uint64_t pair __attribute__((vector_size(16)));
typedef uint64_t loose_pair __attribute__((vector_size(16), aligned(1), may_alias));
typedef uint64_t loose_word __attribute__((aligned(1), may_alias));

#define WIDE 64 /* bytes: four pairs, so that none waits for the one before */

/* The pattern's next four pairs. */
struct wide {
    pair p[4];
};

static inline void wide_begin(struct wide *wide, uint64_t key, uint64_t offset)
{
    for (uint64_t i = 0; i < 4; i++)
        wide->p[i] =
            (pair){pattern_word(key, offset + 16 * i), pattern_word(key, offset + 16 * i + 8)};
}

static inline void wide_next(struct wide *wide)
{
    for (int i = 0; i < 4; i++)
        wide->p[i] += 8 * PATTERN_STEP;
}

static inline void wide_store(const struct wide *wide, char *to)
{
    for (int i = 0; i < 4; i++)
        ((loose_pair *)to)[i] = wide->p[i];
}

static inline bool wide_differs(const struct wide *wide, const char *from)
{
    const loose_pair *at = (const loose_pair *)from;
    pair bits = ((at[0] ^ wide->p[0]) | (at[1] ^ wide->p[1])) |
                ((at[2] ^ wide->p[2]) | (at[3] ^ wide->p[3]));
    return bits[0] | bits[1];
}

/* One stretch: block[from .. to - 1], `from` a multiple of 8. */
static void fill(char *block, uint64_t from, uint64_t to, uint64_t key)
{
    uint64_t at = from;
    if (to - from >= WIDE) {
        struct wide wide;
        wide_begin(&wide, key, at);
        for (; at + WIDE <= to; at += WIDE, wide_next(&wide))
            wide_store(&wide, block + at);
    }
    for (; at + 8 <= to; at += 8)
        *(loose_word *)(block + at) = pattern_word(key, at);
    if (at < to) {
        uint64_t value = pattern_word(key, at);
        memcpy(block + at, &value, to - at);
    }
}

/* The first wrong byte, where it is known that there is one soon. */
static uint64_t first_wrong(const char *block, uint64_t at, uint64_t to, uint64_t key)
{
    for (; at < to; at++)
        if ((unsigned char)block[at] != (unsigned char)(pattern_word(key, at) >> at % 8 * 8))
            return at;
    return PATTERN_OK;
}

static uint64_t check(const char *block, uint64_t from, uint64_t to, uint64_t key)
{
    uint64_t at = from;
    if (to - from >= WIDE) {
        struct wide wide;
        wide_begin(&wide, key, at);
        for (; at + WIDE <= to; at += WIDE, wide_next(&wide))
            if (wide_differs(&wide, block + at))
                return first_wrong(block, at, to, key);
    }
    for (; at + 8 <= to; at += 8)
        if (*(const loose_word *)(block + at) != pattern_word(key, at))
            return first_wrong(block, at, to, key);
    return first_wrong(block, at, to, key);
}

static inline uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t last_page(uint64_t bytes)
{
    return (bytes - PATTERN_PAGE) & ~(uint64_t)7;
}

void pattern_fill(void *block, uint64_t from, uint64_t bytes, uint64_t key)
{
    if (bytes <= PATTERN_WHOLE) {
        if (from < bytes)
            fill(block, from & ~(uint64_t)7, bytes, key);
        return;
    }
    for (uint64_t at = from & ~(PATTERN_STRIDE - 1); at < bytes; at += PATTERN_STRIDE)
        fill(block, at, least(at + PATTERN_PAGE, bytes), key);
    fill(block, last_page(bytes), bytes, key);
}

uint64_t pattern_check(const void *block, uint64_t limit, uint64_t filled, uint64_t key)
{
    if (filled <= PATTERN_WHOLE)
        return check(block, 0, least(limit, filled), key);
    for (uint64_t at = 0; at < limit; at += PATTERN_STRIDE) {
        uint64_t wrong = check(block, at, least(at + PATTERN_PAGE, limit), key);
        if (wrong != PATTERN_OK)
            return wrong;
    }
    return limit > last_page(filled) ? check(block, last_page(filled), least(limit, filled), key)
                                     : PATTERN_OK;
}

uint64_t pattern_check_zero(const void *block, uint64_t bytes)
{
    const char *at = block, *end = at + bytes;
    const struct wide zero = {0};
    while (end - at >= WIDE && !wide_differs(&zero, at))
        at += WIDE;
    for (; at < end; at++)
        if (*at)
            return (uint64_t)(at - (const char *)block);
    return PATTERN_OK;
}
