/* The hardened build's writing in blocks: what lies behind a program's bytes while a block is in
 * use (its seal), and in place of them while it is free (poison and link).
 *
 *     in use:  | what the program asked for, exactly | fill bytes | seal |
 *     free:    | poison: fill bytes, up to POISON_MAX . . .       | link |
 *
 * Seal and link are a block's last 8 bytes, in a code of the process and of the block's end. The
 * seal holds how many bytes lie behind the program's and the alignment asked for, twice; so one
 * compare says that this is a block, in use, with its seal whole. The link is the address of the
 * next free block; it lies in the same segment, so that a compare tells a link, too. Both have the
 * same highest byte, which is what lies just before the next block: freeing a block looks at it. */
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

/* A seal's value: the slack in the low bits, the alignment's logarithm above. */
#define SLACK_BITS 17
#define SLACK_MASK ((1u << SLACK_BITS) - 1)
#define SEAL_BITS  23
static_assert(SEAL_BITS - SLACK_BITS == 6, "logarithms of alignments");
static_assert(SEAL_LEAST == SEAL_BYTES + 8 + FILL_BYTES, "the fill lies in the block");

/* The highest byte: neither a letter nor 0. */
#define SEAL_TOP 0xe7u
/* In the code of seals alone, so that no link is one. */
#define SEAL_BIT ((uint64_t)1 << 55)

/* A secret of the process; its highest byte is SEAL_TOP. Its lowest digit is 5 so that the first
 * byte of a seal right behind the program's bytes (a slack of 8) is never 0: a string's end one
 * byte too far changes it for certain; of other single bytes one in 256 does not. */
extern uintptr_t hard_key HT_HIDDEN;

static inline uint64_t seal_code(const char *end)
{
    return hard_key ^ (uintptr_t)end;
}

/* The word that ends at `end`, out of its code. */
static inline uint64_t seal_load(const char *end)
{
    uint64_t word;
    memcpy(&word, end - SEAL_BYTES, sizeof word);
    return word ^ seal_code(end);
}

static inline void seal_store(char *end, uint64_t plain)
{
    uint64_t word = plain ^ seal_code(end);
    memcpy(end - SEAL_BYTES, &word, sizeof word);
}

static inline bool seal_holds(uint64_t plain)
{
    return (plain ^ SEAL_BIT) >> 32 == (uint32_t)plain;
}

/* The next free block, or 0; anything where the block is not free. */
static inline uintptr_t link_load(const char *end)
{
    return seal_load(end);
}

static inline void link_store(char *end, uintptr_t next)
{
    seal_store(end, next);
}

/* Whether it can be that `next` is the link of a free block. */
static inline bool link_leads(const void *block, uintptr_t next)
{
    uintptr_t strange = ~(uintptr_t)(HT_SEGMENT - HT_ALIGN);
    return next == 0 || ((next ^ (uintptr_t)block) & strange) == 0;
}

/* --- 16 bytes at once --- */

typedef uint64_t fill_words __attribute__((vector_size(16), aligned(1), may_alias));
#define FILL_WORD  (0x0101010101010101u * FILL)
#define FILL_WORDS ((fill_words){FILL_WORD, FILL_WORD})

static inline void fill_16(void *at)
{
    *(fill_words *)at = FILL_WORDS;
}

/* What is not 0 in all bytes where fill_16() has not written, or somebody since. */
static inline fill_words fill_wrong_16(const void *at)
{
    return *(const fill_words *)at ^ FILL_WORDS;
}

static inline bool fill_none_wrong(fill_words wrong)
{
#ifdef __SSE2__
    return _mm_movemask_epi8(_mm_cmpeq_epi8((__m128i)wrong, _mm_setzero_si128())) == 0xffff;
#else
    return (wrong[0] | wrong[1]) == 0;
#endif
}

/* A bit for each wrong byte, the first in the lowest bit. */
static inline uint32_t fill_wrong_bits(const void *at)
{
#ifdef __SSE2__
    __m128i same = _mm_cmpeq_epi8(_mm_loadu_si128(at), (__m128i)FILL_WORDS);
    return (uint32_t)_mm_movemask_epi8(same) ^ 0xffffu;
#else
    uint32_t wrong = 0;
    for (unsigned i = 0; i < 16; i++)
        wrong |= (uint32_t)(((const unsigned char *)at)[i] != FILL) << i;
    return wrong;
#endif
}

/* --- blocks in use --- */

static inline void seal_write(void *address, size_t size, size_t capacity, unsigned align_log2)
{
    uint32_t value = (uint32_t)(capacity - size) | align_log2 << SLACK_BITS;
    seal_store((char *)address + capacity, ((uint64_t)value << 32 | value) ^ SEAL_BIT);
}

/* Writes the fill of a block whose other bytes nobody needs. */
static inline void fill_write(char *end, uint32_t slack)
{
    uint32_t most = SEAL_BYTES + FILL_BYTES;
    fill_16(end - (slack > most ? slack : most));
}

/* Seals a block whose bytes nobody needs. */
static inline void *seal_fresh(void *address, size_t size, size_t capacity, unsigned align_log2)
{
    fill_write((char *)address + capacity, (uint32_t)(capacity - size));
    seal_write(address, size, capacity, align_log2);
    return address;
}

/* Seals a block and leaves its first `size` bytes as they are. */
static inline void *seal_used(void *address, size_t size, size_t capacity, unsigned align_log2)
{
    size_t fill = capacity - size - SEAL_BYTES;
    memset((char *)address + size, FILL, fill < FILL_BYTES ? fill : FILL_BYTES);
    seal_write(address, size, capacity, align_log2);
    return address;
}

/* A bit for each byte of the fill that is wrong. Of up to 16 bytes of fill, one load has all that
 * stand before the seal; of more, the first 16. */
static inline uint32_t fill_wrong(const char *end, uint32_t slack)
{
    const char *behind = end - slack, *last = end - SEAL_BYTES - FILL_BYTES;
    const char *from = behind < last ? behind : last;
    return fill_wrong_bits(from) >> ((unsigned)(behind - from) & 31);
}

/* --- free blocks --- */

/* Where the 16 byte pieces begin that a free block is poisoned by: see poison_write(). */
struct poison {
    uint8_t second, third, last;
};

static inline struct poison poison_plan(uint32_t bytes)
{
    uint32_t length = bytes - SEAL_BYTES < POISON_MAX ? bytes - SEAL_BYTES : POISON_MAX;
    uint8_t last = (uint8_t)(length - 16);
    return (struct poison){last < 16 ? last : 16, last < 32 ? last : 32, last};
}

/* Programs mix sizes, and a wrongly foretold branch costs more than all of this: so short blocks
 * are written and looked at in four pieces, which overlap, and longer ones in sixteen. */
#define POISON_SHORT 48u /* the last piece of a short one */
#define POISON_LONG  (POISON_MAX - 16)
static_assert(POISON_LONG <= UINT8_MAX, "offsets of pieces fit");
#define POISON_AT(at) ((at) < plan.last ? (at) : plan.last)

static inline void poison_write(void *block, struct poison plan)
{
    char *start = block;
    fill_16(start);
    fill_16(start + plan.second);
    fill_16(start + plan.third);
    fill_16(start + plan.last);
    if (plan.last > POISON_SHORT) {
#pragma GCC unroll 16
        for (uint32_t at = POISON_SHORT; at < POISON_LONG; at += 16)
            fill_16(start + POISON_AT(at));
    }
}

static inline bool poison_holds(const void *block, struct poison plan)
{
    const char *start = block;
    fill_words wrong = fill_wrong_16(start) | fill_wrong_16(start + plan.second) |
                       fill_wrong_16(start + plan.third) | fill_wrong_16(start + plan.last);
    if (plan.last > POISON_SHORT) {
#pragma GCC unroll 16
        for (uint32_t at = POISON_SHORT; at < POISON_LONG; at += 16)
            wrong |= fill_wrong_16(start + POISON_AT(at));
    }
    return fill_none_wrong(wrong);
}

#endif
