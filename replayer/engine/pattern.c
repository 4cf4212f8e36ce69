#include "replayer/engine/pattern.h"

#include <stdbool.h>
#include <string.h>

/* Eight words at a time, as the compiler can best do it; memory may be unaligned. */
typedef uint64_t wide __attribute__((vector_size(64)));
typedef uint64_t loose_wide __attribute__((vector_size(64), aligned(1), may_alias));
typedef uint64_t loose_word __attribute__((aligned(1), may_alias));

static inline wide wide_of(uint64_t key, uint64_t offset)
{
    const uint64_t s = PATTERN_STEP, first = pattern_word(key, offset);
    return first + (wide){0, s, 2 * s, 3 * s, 4 * s, 5 * s, 6 * s, 7 * s};
}

static inline bool wide_any(wide bits)
{
    return (bits[0] | bits[1]) | (bits[2] | bits[3]) | (bits[4] | bits[5]) | (bits[6] | bits[7]);
}

/* One stretch: block[from .. to - 1], `from` a multiple of 8. */
static void fill(char *block, uint64_t from, uint64_t to, uint64_t key)
{
    uint64_t at = from;
    if (to - from >= 64) {
        wide value = wide_of(key, at);
        for (; at + 64 <= to; at += 64) {
            *(loose_wide *)(block + at) = value;
            value += 8 * PATTERN_STEP;
        }
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
    if (to - from >= 64) {
        wide value = wide_of(key, at);
        for (; at + 64 <= to; at += 64) {
            if (wide_any(*(const loose_wide *)(block + at) ^ value))
                return first_wrong(block, at, to, key);
            value += 8 * PATTERN_STEP;
        }
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
    while (end - at >= 64 && !wide_any(*(const loose_wide *)at))
        at += 64;
    for (; at < end; at++)
        if (*at)
            return (uint64_t)(at - (const char *)block);
    return PATTERN_OK;
}
