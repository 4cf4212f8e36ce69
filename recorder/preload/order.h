/*
 * Which records need a stamp: ARCHITECTURE.md, "Order without a clock on every event".
 */
#ifndef HEAPTAPE_RECORDER_ORDER_H
#define HEAPTAPE_RECORDER_ORDER_H

#include <stdbool.h>
#include "recorder/preload/clock.h"
#include "recorder/preload/state.h"

/*
 * The region of an address. Neighbours lie side by side, so that one thread's part of the heap has
 * cache lines of the table for itself; areas of 4 MiB are spread by a hash, because the arenas of
 * several threads lie alike.
 */
static inline _Atomic uint16_t *order_region(uint64_t address)
{
    uint64_t area = (address >> ORDER_AREA_SHIFT) * UINT64_C(0x9e3779b9);
    return &wiped.owner[((address >> ORDER_SHIFT) + area) & ((1 << ORDER_BITS) - 1)];
}

/*
 * The region becomes ours, and the stamp is taken between the exchange and a second look: if
 * another lane came meanwhile, nobody owns it, so that the other's next touch is stamped too.
 */
static inline uint64_t order_take(_Atomic uint16_t *region, uint16_t owner)
{
    atomic_exchange_explicit(region, owner, memory_order_seq_cst);
    uint64_t stamp = clock_stamp();
    if (atomic_load_explicit(region, memory_order_relaxed) != owner)
        atomic_store_explicit(region, 0, memory_order_relaxed);
    return stamp;
}

#endif
