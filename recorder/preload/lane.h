/*
 * A thread's lane: how an event becomes a record. Every hook is
 *
 *     lane = lane_enter();            NULL: pass the call on, record nothing
 *     lane = lane_record(lane, ...);  before the real call (frees) or after it (allocations)
 *     lane_leave(lane);
 *
 * The hot path takes no lock, allocates nothing, makes no system call.
 *
 * Signals. A handler may interrupt a hook anywhere and allocate. It finds THREAD_INSIDE and gets
 * another lane for itself (kept by the thread for the next time), so the interrupted hook goes on
 * with its own lane as if nothing had been; and if it never goes on (longjmp, exit), the thread
 * simply stays on the other lane. Every change of lane begins with a stamp, which orders the two
 * lanes. The allocator calling itself through the public names (calloc by malloc) finds
 * THREAD_INSIDE as well, and is told from a handler by where it was called from.
 */
#ifndef HEAPTAPE_RECORDER_LANE_H
#define HEAPTAPE_RECORDER_LANE_H

#include "recorder/preload/order.h"

/* The rarely taken ways; see lane.c. */
struct ring_lane *lane_enter_slow(const void *caller);
struct ring_lane *lane_record_unready(struct ring_lane *lane);
bool lane_look_up(struct ring_lane *lane);
void lane_leave_slow(struct ring_lane *lane);

static inline __attribute__((always_inline)) struct ring_lane *lane_enter(void)
{
    if (unlikely(self.state != THREAD_READY))
        return lane_enter_slow(__builtin_return_address(0));
    self.state = THREAD_INSIDE;
    signal_fence();
    return self.lane;
}

static inline __attribute__((always_inline)) void lane_put(struct ring_lane *lane, uint64_t at,
                                                           uint64_t head, uint64_t value)
{
    struct raw_record *slot = &lane->records[at & (RING_RECORDS - 1)];
    slot->head = head;
    slot->value = value;
}

/*
 * Publishes one record, with a stamp before it where the address's region is not this lane's.
 * Returns the lane to go on with: NULL once recording has stopped; another one in a forked child.
 */
static inline __attribute__((always_inline)) struct ring_lane *
lane_record(struct ring_lane *lane, unsigned kind, const void *pointer, uint64_t value,
            unsigned align_log2)
{
    uint64_t address = (uint64_t)(uintptr_t)pointer;
    if (unlikely(!wiped.recording)) {
        lane = lane_record_unready(lane);
        if (!lane)
            return NULL;
    }
    uint64_t head = atomic_load_explicit(&lane->head, memory_order_relaxed);
    if (unlikely(head >= atomic_load_explicit(&lane->limit, memory_order_relaxed))) {
        if (!lane_look_up(lane))
            return NULL;
        head = atomic_load_explicit(&lane->head, memory_order_relaxed);
    }
    if (wiped.many && address) {
        _Atomic uint16_t *region = order_region(address);
        if (atomic_load_explicit(region, memory_order_relaxed) != lane->owner)
            lane_put(lane, head++, raw_head(RAW_STAMP, 0, 0),
                     order_take(region, (uint16_t)lane->owner));
    }
    lane_put(lane, head++, raw_head(kind, address, align_log2), value);
    atomic_store_explicit(&lane->head, head, memory_order_release);
    return lane;
}

static inline __attribute__((always_inline)) void lane_leave(struct ring_lane *lane)
{
    signal_fence();
    self.state = THREAD_READY;
    signal_fence();
    if (unlikely(self.lane != lane))
        lane_leave_slow(lane);
}

#endif
