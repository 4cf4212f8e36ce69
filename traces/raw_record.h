/*
 * What the preload stores in its ring and a raw tape carries: what happened, with the addresses of
 * the recorded process. The preload includes this header, so it uses nothing but stdint.
 *
 * A lane's records stand in the order in which its thread did the calls. RAW_STAMP carries a
 * time-stamp counter value for the record that follows it. Not every record has one: see "Order" in
 * FORMAT.md.
 *   - free and realloc-begin records are published before the real call,
 *   - allocation and realloc-end records after it has returned.
 *
 * struct raw_record is the form to work with. In the ring and in the file a record is one word of 8
 * bytes where it fits, which is nearly always, else several:
 *
 *     short   bits 0-43 address / 8, 44-59 size, 60-63 kind (RAW_MALLOC .. RAW_USABLE_SIZE)
 *     stamp   bits 0-59 the stamp, 60-63 RAW_STAMP
 *     site    bits 0-31 the call site, 60-63 RAW_SITE
 *     mark    bits 0-15 bytes of text, 60-63 RAW_MARK; then the text, filled up with NUL
 *     long    bits 0-47 address, 48-52 kind, 53-58 align_log2, 60-63 RAW_LONG; then the value
 */
#ifndef HEAPTAPE_TRACES_RAW_RECORD_H
#define HEAPTAPE_TRACES_RAW_RECORD_H

#include <stdint.h>

enum raw_kind {
    RAW_NONE = 0,          /* never valid: an unwritten slot */
    RAW_MALLOC = 1,        /* address (0 = failed), size */
    RAW_CALLOC = 2,        /* address, size = product (UINT64_MAX where it overflows) */
    RAW_ALIGNED = 3,       /* address, size, align_log2 */
    RAW_FREE = 4,          /* address (0 = free(NULL)) */
    RAW_REALLOC_BEGIN = 5, /* old address (0 = realloc(NULL, n)), size asked for */
    RAW_REALLOC_END =
        6, /* new address (0 = failed or freed), size; closes the lane's latest open begin */
    RAW_USABLE_SIZE = 7, /* address */
    RAW_STAMP = 8,       /* value = TSC; belongs to the next record of the lane */
    RAW_MARK = 9,        /* value = which text, see raw_words.h */
    RAW_SITE = 10,       /* value = call site of the lane's allocations from here on, 0 = unknown */
    RAW_KIND_LIMIT = 11,
    RAW_LONG = 15 /* not a kind: the record takes two words */
};

struct raw_record {
    uint64_t head;  /* bits 0..47 address, 48..52 kind, 53..58 align_log2, 59..63 zero */
    uint64_t value; /* size in bytes, or the stamp */
};
_Static_assert(sizeof(struct raw_record) == 16, "old raw tapes count on 16 bytes");

#define RAW_ADDRESS_BITS 48
#define RAW_ADDRESS_MASK ((UINT64_C(1) << RAW_ADDRESS_BITS) - 1)

static inline uint64_t raw_head(unsigned kind, uint64_t address, unsigned align_log2)
{
    return (address & RAW_ADDRESS_MASK) | (uint64_t)kind << 48 | (uint64_t)align_log2 << 53;
}
static inline unsigned raw_head_kind(uint64_t head)
{
    return (unsigned)(head >> 48) & 31;
}
static inline unsigned raw_head_align_log2(uint64_t head)
{
    return (unsigned)(head >> 53) & 63;
}
static inline uint64_t raw_head_address(uint64_t head)
{
    return head & RAW_ADDRESS_MASK;
}

/* ---- words -------------------------------------------------------------------------------------
 */

#define RAW_WORD_TAG_SHIFT  60
#define RAW_WORD_SIZE_SHIFT 44
#define RAW_WORD_VALUE_MASK ((UINT64_C(1) << RAW_WORD_TAG_SHIFT) - 1)
/* Of user space, in steps of 8: every allocator's blocks. */
#define RAW_WORD_ADDRESS_MASK ((UINT64_C(1) << 47) - 8)
#define RAW_WORD_SIZE_MAX     UINT64_C(0xffff)
/* Text of a mark, in bytes and words; the longest record has one word more. */
#define RAW_MARK_BYTES 120
#define RAW_MARK_WORDS (RAW_MARK_BYTES / 8)
_Static_assert(RAW_MARK_BYTES % 8 == 0, "whole words");

static inline unsigned raw_word_tag(uint64_t word)
{
    return (unsigned)(word >> RAW_WORD_TAG_SHIFT);
}
static inline uint64_t raw_word_tagged(unsigned tag, uint64_t value)
{
    return (uint64_t)tag << RAW_WORD_TAG_SHIFT | value;
}
/* Does a call fit in one word? */
static inline int raw_word_is_short(uint64_t address, uint64_t size)
{
    return !((address & ~RAW_WORD_ADDRESS_MASK) | (size & ~RAW_WORD_SIZE_MAX));
}
static inline uint64_t raw_word_short(unsigned kind, uint64_t address, uint64_t size)
{
    return raw_word_tagged(kind, size << RAW_WORD_SIZE_SHIFT | address >> 3);
}
/* The first of two words; the value is the second. */
static inline uint64_t raw_word_long(unsigned kind, uint64_t address, unsigned align_log2)
{
    return raw_word_tagged(RAW_LONG, raw_head(kind, address, align_log2));
}

#endif
