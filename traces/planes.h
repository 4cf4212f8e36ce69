/*
 * From stored bytes to the values of a column (FORMAT.md, "Payload"): planes, one for each byte of
 * a value, are unpacked and joined. No heap call.
 */
#ifndef HEAPTAPE_TRACES_PLANES_H
#define HEAPTAPE_TRACES_PLANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zstd.h>
#include "traces/format.h"

/* Bytes of a payload still to be read. */
struct bytes {
    const unsigned char *at;
    size_t left;
};

/* NULL: there are not so many. */
static inline const unsigned char *bytes_take(struct bytes *bytes, size_t count)
{
    if (count > bytes->left)
        return NULL;
    const unsigned char *at = bytes->at;
    bytes->at += count;
    bytes->left -= count;
    return at;
}

/* One plane of `count` bytes, stored as its plane word says. False: it is not what it should be. */
bool plane_decode(ZSTD_DCtx *zstd, uint32_t word, struct bytes *data, uint8_t *out, uint32_t count);
/* `width` planes, at least 1, to values. */
void join_planes_32(uint32_t *out, uint8_t (*planes)[FORMAT_BLOCK_EVENTS_MAX], unsigned width,
                    uint32_t count);
void join_planes_64(uint64_t *out, uint8_t (*planes)[FORMAT_BLOCK_EVENTS_MAX], unsigned width,
                    uint32_t count);
/* FORMAT_DELTA. */
void undo_delta_32(uint32_t *values, uint32_t count);
void undo_delta_64(uint64_t *values, uint32_t count);

#endif
