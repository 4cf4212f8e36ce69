/*
 * Touching new memory (enum engine_touch). `from` is where the new part begins: 0 for a new block,
 * the old size for a realloc.
 */
#ifndef HEAPTAPE_REPLAYER_TOUCH_H
#define HEAPTAPE_REPLAYER_TOUCH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "replayer/engine/engine.h"

#define TOUCH_PAGE_BYTES ((size_t)4096)
#define TOUCH_VALUE      0x5a

/* One byte of every page of block[from .. size - 1], the first and the last byte among them. */
static inline void touch_pages(char *block, size_t from, size_t size)
{
    volatile char *at = block + from, *end = block + size;
    if (at >= end)
        return;
    *at = TOUCH_VALUE;
    end[-1] = TOUCH_VALUE;
    if (ENGINE_LIKELY(size - from <= TOUCH_PAGE_BYTES))
        return;
    uintptr_t next = ((uintptr_t)at + TOUCH_PAGE_BYTES) & ~(TOUCH_PAGE_BYTES - 1);
    for (; next < (uintptr_t)end; next += TOUCH_PAGE_BYTES)
        *(volatile char *)next = TOUCH_VALUE;
}

/* `block` is not NULL. With a constant `touch` only the branch taken is left. */
static inline void touch_block(enum engine_touch touch, char *block, size_t from, size_t size)
{
    switch (touch) {
    case ENGINE_TOUCH_NONE:
        break;
    case ENGINE_TOUCH_FIRST:
        if (size > 0)
            *(volatile char *)block = TOUCH_VALUE;
        break;
    case ENGINE_TOUCH_PAGE:
        touch_pages(block, from, size);
        break;
    case ENGINE_TOUCH_FULL:
        if (size > from)
            memset(block + from, TOUCH_VALUE, size - from);
        break;
    }
}

#endif
