#include "traces/planes.h"

#include <string.h>

bool plane_decode(ZSTD_DCtx *zstd, uint32_t word, struct bytes *data, uint8_t *out, uint32_t count)
{
    uint32_t bytes = word & FORMAT_PLANE_BYTES;
    const unsigned char *stored = bytes_take(data, bytes);
    if (!stored)
        return false;
    switch (word & FORMAT_PLANE_HOW) {
    case FORMAT_PLANE_RAW:
        if (bytes == count)
            memcpy(out, stored, count);
        return bytes == count;
    case FORMAT_PLANE_CONSTANT:
        if (bytes == 1)
            memset(out, stored[0], count);
        return bytes == 1;
    case FORMAT_PLANE_ZSTD:
        return ZSTD_decompressDCtx(zstd, out, count, stored, bytes) == count;
    default:
        return false;
    }
}

/* Each loop adds one plane to all values: the compiler makes vectors of them. */
void join_planes_32(uint32_t *out, uint8_t (*planes)[FORMAT_BLOCK_EVENTS_MAX], unsigned width,
                    uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        out[i] = planes[0][i];
    for (unsigned plane = 1; plane < width; plane++) {
        for (uint32_t i = 0; i < count; i++)
            out[i] |= (uint32_t)planes[plane][i] << (8 * plane);
    }
}

void join_planes_64(uint64_t *out, uint8_t (*planes)[FORMAT_BLOCK_EVENTS_MAX], unsigned width,
                    uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        out[i] = planes[0][i];
    for (unsigned plane = 1; plane < width; plane++) {
        for (uint32_t i = 0; i < count; i++)
            out[i] |= (uint64_t)planes[plane][i] << (8 * plane);
    }
}

void undo_delta_32(uint32_t *values, uint32_t count)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < count; i++)
        values[i] = sum += values[i] >> 1 ^ (0 - (values[i] & 1));
}

void undo_delta_64(uint64_t *values, uint32_t count)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count; i++)
        values[i] = sum += values[i] >> 1 ^ (0 - (values[i] & 1));
}
