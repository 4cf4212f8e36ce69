/*
 * The 16-byte record that the preload stores in its ring and that a raw tape carries: what
 * happened, with the addresses of the recorded process. The preload includes this header, so it
 * uses nothing but stdint.
 *
 * A lane's records stand in the order in which its thread did the calls. RAW_STAMP carries a
 * time-stamp counter value for the record that follows it. Not every record has one: see "Order" in
 * FORMAT.md.
 *   - free and realloc-begin records are published before the real call,
 *   - allocation and realloc-end records after it has returned.
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
    RAW_MARK = 9,        /* value = mark number (a later version's user marks) */
    RAW_KIND_LIMIT = 10
};

struct raw_record {
    uint64_t head;  /* bits 0..47 address, 48..52 kind, 53..58 align_log2, 59..63 zero */
    uint64_t value; /* size in bytes, or the stamp */
};
_Static_assert(sizeof(struct raw_record) == 16, "the ring and the raw tape count on 16 bytes");

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

#endif
