/*
 * The content that verify mode gives to blocks. The 8 bytes at offset 8 i of a block with the key k
 * are k + i * PATTERN_STEP (little-endian), so contents that were swapped, shifted, cut or taken
 * from an earlier owner of the memory differ in nearly every word.
 *
 * Whole blocks are filled and checked up to PATTERN_WHOLE bytes. Of larger ones only a page in
 * every PATTERN_STRIDE bytes and the last page are, since writing all of them would make memory
 * resident that the recorded program may never have touched.
 *
 * None of these calls anything; blocks need not be aligned. All may fault (guard.h).
 */
#ifndef HEAPTAPE_REPLAYER_PATTERN_H
#define HEAPTAPE_REPLAYER_PATTERN_H

#include <stddef.h>
#include <stdint.h>

#define PATTERN_STEP   UINT64_C(0x9e3779b97f4a7c15)
#define PATTERN_WHOLE  ((uint64_t)1 << 30)
#define PATTERN_STRIDE ((uint64_t)1 << 20)
#define PATTERN_PAGE   ((uint64_t)4096)
#define PATTERN_OK     UINT64_MAX

static inline uint64_t pattern_key(uint64_t identity)
{
    uint64_t key = (identity + 1) * PATTERN_STEP;
    key = (key ^ key >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    key = (key ^ key >> 27) * UINT64_C(0x94d049bb133111eb);
    return key ^ key >> 31;
}

static inline uint64_t pattern_word(uint64_t key, uint64_t offset)
{
    return key + offset / 8 * PATTERN_STEP;
}

/* Writes block[from .. bytes - 1] of a block of `bytes`; of the last word before `from`, too. */
void pattern_fill(void *block, uint64_t from, uint64_t bytes, uint64_t key);
/*
 * Compares block[0 .. limit - 1] of a block that was filled to `filled` bytes. Returns the offset
 * of the first byte that is not as it was written, or PATTERN_OK.
 */
uint64_t pattern_check(const void *block, uint64_t limit, uint64_t filled, uint64_t key);
/* The offset of the first byte of block[0 .. bytes - 1] that is not zero, or PATTERN_OK. */
uint64_t pattern_check_zero(const void *block, uint64_t bytes);

#endif
