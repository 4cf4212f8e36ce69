#include "traces/crc32c.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#define POLYNOMIAL UINT32_C(0x82f63b78) /* reversed */

/* One table, made on first use. Racing makers write the same values. */
static uint32_t table[256];
static atomic_bool table_made;

static void make_table(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ POLYNOMIAL : crc >> 1;
        __atomic_store_n(&table[i], crc, __ATOMIC_RELAXED);
    }
    atomic_store(&table_made, true);
}

static uint32_t portable_more(uint32_t before, const void *data, size_t bytes)
{
    if (!atomic_load(&table_made))
        make_table();
    const unsigned char *at = data;
    uint32_t crc = ~before;
    while (bytes--)
        crc = crc >> 8 ^ __atomic_load_n(&table[(crc ^ *at++) & 255], __ATOMIC_RELAXED);
    return ~crc;
}

uint32_t crc32c_portable(const void *data, size_t bytes)
{
    return portable_more(0, data, bytes);
}

#if defined(__x86_64__)

/*
 * The instruction has a latency of three cycles: three streams side by side keep it busy. Their
 * sums are joined by advancing the first two over the zeros that stand for what follows them, which
 * is a linear map of 32 bits, tabled for the one stride used.
 */
enum { STRIDE = 1024 };
static uint32_t advance[4][256];
static atomic_bool advance_made;

__attribute__((target("sse4.2"))) static uint32_t over_zeros(uint32_t crc)
{
    uint64_t wide = crc;
    for (int i = 0; i < STRIDE / 8; i++)
        wide = __builtin_ia32_crc32di(wide, 0);
    return (uint32_t)wide;
}

static void make_advance(void)
{
    for (uint32_t byte = 0; byte < 4; byte++) {
        for (uint32_t i = 0; i < 256; i++)
            __atomic_store_n(&advance[byte][i], over_zeros(i << (8 * byte)), __ATOMIC_RELAXED);
    }
    atomic_store(&advance_made, true);
}

static uint32_t advanced(uint32_t crc)
{
    return advance[0][crc & 255] ^ advance[1][crc >> 8 & 255] ^ advance[2][crc >> 16 & 255] ^
           advance[3][crc >> 24];
}

static uint64_t word_at(const unsigned char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

__attribute__((target("sse4.2"))) static uint32_t
hardware_more(uint32_t before, const unsigned char *at, size_t bytes)
{
    uint64_t crc = ~before;
    if (bytes >= 3 * STRIDE && !atomic_load(&advance_made))
        make_advance();
    for (; bytes >= 3 * STRIDE; bytes -= 3 * STRIDE, at += 3 * STRIDE) {
        uint64_t second = 0, third = 0;
        for (int i = 0; i < STRIDE; i += 8) {
            crc = __builtin_ia32_crc32di(crc, word_at(at + i));
            second = __builtin_ia32_crc32di(second, word_at(at + STRIDE + i));
            third = __builtin_ia32_crc32di(third, word_at(at + 2 * STRIDE + i));
        }
        crc = advanced(advanced((uint32_t)crc) ^ (uint32_t)second) ^ (uint32_t)third;
    }
    for (; bytes >= 8; bytes -= 8, at += 8)
        crc = __builtin_ia32_crc32di(crc, word_at(at));
    while (bytes--)
        crc = __builtin_ia32_crc32qi((uint32_t)crc, *at++);
    return ~(uint32_t)crc;
}

uint32_t crc32c_more(uint32_t before, const void *data, size_t bytes)
{
    if (__builtin_cpu_supports("sse4.2"))
        return hardware_more(before, data, bytes);
    return portable_more(before, data, bytes);
}

#else

uint32_t crc32c_more(uint32_t before, const void *data, size_t bytes)
{
    return portable_more(before, data, bytes);
}

#endif

uint32_t crc32c(const void *data, size_t bytes)
{
    return crc32c_more(0, data, bytes);
}
