/* The hardened build's writing in blocks: what lies behind a program's bytes while a block is in
 * use (its seal), and in place of them while it is free (poison).
 *
 *     in use:  | what the program asked for, exactly | fill bytes | seal word |
 *     free:    | link | poison: fill bytes, up to POISON_MAX . . . | seal word |
 *
 * The seal word lies in a block's last 8 bytes and holds how many bytes lie behind the program's
 * and the alignment asked for, twice, in a code of the process and of the block's end; so one
 * compare says that this is a block, in use, with its seal whole. To free it flips one bit. Its
 * highest byte is the same for all, and what lies just before the next block: freeing a block looks
 * at it. */
#ifndef HTMALLOC_SEAL_H
#define HTMALLOC_SEAL_H

#include "config.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* The least that a block is longer than the program's bytes; no block is shorter than SEAL_LEAST.
 */
#define SEAL_BYTES 8u
#define SEAL_LEAST 32u
/* Bytes behind the program's that are looked at, besides the seal word. */
#define FILL_BYTES 16u
#define FILL       0xdbu
/* How much of a free block is poisoned. */
#define POISON_MAX 256u

/* A seal's value: the slack in the low bits, the alignment's logarithm above, 0 for a block that
 * has never been handed out. */
#define SLACK_BITS 17
#define SLACK_MASK ((1u << SLACK_BITS) - 1)
#define SEAL_BITS  23
#define SEAL_FREED ((uint64_t)1 << (32 + SEAL_BITS))
#define SEAL_TOP   0xe7u /* the highest byte: neither a letter nor 0 */
static_assert(SEAL_BITS - SLACK_BITS == 6, "logarithms of alignments");
static_assert(SEAL_LEAST >= SEAL_BYTES + FILL_BYTES + 8, "the fill must not reach the link");

/* A secret of the process; its highest byte is SEAL_TOP. */
extern uintptr_t hard_key HT_HIDDEN;

static inline uint64_t seal_load(const char *end)
{
    uint64_t word;
    memcpy(&word, end - 8, sizeof word);
    return word ^ hard_key ^ (uintptr_t)end;
}

static inline void seal_store(char *end, uint64_t plain)
{
    uint64_t word = plain ^ hard_key ^ (uintptr_t)end;
    memcpy(end - 8, &word, sizeof word);
}

static inline uint64_t seal_plain(uint32_t value)
{
    return (uint64_t)value << 32 | value;
}

static inline bool seal_in_use(uint64_t plain)
{
    return plain >> 32 == (uint32_t)plain;
}

static inline bool seal_free(uint64_t plain)
{
    return seal_in_use(plain ^ SEAL_FREED) && (uint32_t)plain >> SEAL_BITS == 0;
}

/* --- 16 bytes at once --- */

typedef uint64_t fill_words __attribute__((vector_size(16), aligned(1), may_alias));
#define FILL_WORD  (0x0101010101010101u * FILL)
#define FILL_WORDS ((fill_words){FILL_WORD, FILL_WORD})

static inline void fill_16(void *at)
{
    *(fill_words *)at = FILL_WORDS;
}

/* All zeros where fill_16() has written and nobody since. */
static inline fill_words fill_wrong_16(const void *at)
{
    return *(const fill_words *)at ^ FILL_WORDS;
}

/* A bit for each wrong byte, the first in the lowest bit. */
static inline uint32_t fill_wrong_bits(const void *at)
{
#ifdef __SSE2__
    __m128i same = _mm_cmpeq_epi8((__m128i)fill_wrong_16(at), _mm_setzero_si128());
    return (uint32_t)_mm_movemask_epi8(same) ^ 0xffffu;
#else
    uint32_t wrong = 0;
    for (unsigned i = 0; i < 16; i++)
        wrong |= (uint32_t)(((const unsigned char *)at)[i] != FILL) << i;
    return wrong;
#endif
}

/* --- blocks in use --- */

/* Where the 16 bytes begin that hold the fill, or its first 16: before it where it is shorter. */
static inline const char *fill_window(const char *behind, const char *end)
{
    const char *last = end - SEAL_BYTES - FILL_BYTES;
    return behind < last ? behind : last;
}

/* Seals a block whose bytes nobody needs any more. */
static inline void *seal_fresh(void *address, size_t size, size_t capacity, unsigned align_log2)
{
    char *end = (char *)address + capacity;
    fill_16((char *)address + (fill_window((char *)address + size, end) - (char *)address));
    seal_store(end, seal_plain((uint32_t)(capacity - size) | align_log2 << SLACK_BITS));
    return address;
}

/* Seals a block and leaves its first `size` bytes as they are. */
static inline void *seal_used(void *address, size_t size, size_t capacity, unsigned align_log2)
{
    size_t fill = capacity - size - SEAL_BYTES;
    memset((char *)address + size, FILL, fill < FILL_BYTES ? fill : FILL_BYTES);
    seal_store((char *)address + capacity,
               seal_plain((uint32_t)(capacity - size) | align_log2 << SLACK_BITS));
    return address;
}

/* A bit for each byte of the fill that is wrong, the first behind the program's in the lowest. */
static inline uint32_t fill_wrong(const char *end, uint32_t slack)
{
    const char *behind = end - slack, *from = fill_window(behind, end);
    return fill_wrong_bits(from) >> ((unsigned)(behind - from) & 31);
}

/* --- free blocks --- */

static inline size_t poison_length(uint32_t bytes)
{
    uint32_t length = bytes - 8 - SEAL_BYTES;
    return length < POISON_MAX ? length : POISON_MAX;
}

/* In pieces of 16 bytes that overlap, as few branches as can be: a length is a multiple of 16. */
static inline void poison_write(void *block, uint32_t bytes)
{
    size_t length = poison_length(bytes);
    char *at = (char *)block + 8, *last = at + length - 16;
    fill_16(at);
    fill_16(last);
    if (length <= 32)
        return;
    fill_16(at + 16);
    fill_16(last - 16);
    for (at += 32, last -= 16; at < last; at += 16)
        fill_16(at);
}

static inline bool poison_holds(const void *block, uint32_t bytes)
{
    size_t length = poison_length(bytes);
    const char *at = (const char *)block + 8, *last = at + length - 16;
    fill_words wrong = fill_wrong_16(at) | fill_wrong_16(last);
    if (length > 32) {
        wrong |= fill_wrong_16(at + 16) | fill_wrong_16(last - 16);
        for (at += 32, last -= 16; at < last; at += 16)
            wrong |= fill_wrong_16(at);
    }
    return (wrong[0] | wrong[1]) == 0;
}

#endif
