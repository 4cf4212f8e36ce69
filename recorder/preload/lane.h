/*
 * A thread's lane: how an event becomes a record. Most are recorded by lane_record_fast(), which
 * does it all or nothing. Where it does nothing, and around calls that must be watched while they
 * run (the general_ ones of interpose.c), it is
 *
 *     lane = lane_enter();            NULL: pass the call on, record nothing
 *     lane = lane_record(lane, ...);  before the real call (frees) or after it (allocations)
 *     lane_leave(lane);
 *
 * The hot path takes no lock, allocates nothing, makes no system call.
 *
 * Signals. While a lane is written `self.ready` is NULL. A handler that interrupts this and
 * allocates gets another lane for itself (kept by the thread for the next time), so the interrupted
 * hook goes on with its own lane as if nothing had been; and if it never goes on (longjmp, exit),
 * the thread simply stays on the other lane. Every change of lane begins with a stamp, which orders
 * the two lanes. An allocator that calls itself through the public names (calloc by malloc) finds
 * THREAD_INSIDE as well, and is told from a handler by where it was called from.
 */
#ifndef HEAPTAPE_RECORDER_LANE_H
#define HEAPTAPE_RECORDER_LANE_H

#include "recorder/preload/order.h"
#include "recorder/preload/sites.h"

/* The rarely taken ways; see lane.c. */
struct ring_lane *lane_enter_slow(const void *caller);
struct ring_lane *lane_record_unready(struct ring_lane *lane);
bool lane_look_up(struct ring_lane *lane);
void lane_leave_slow(struct ring_lane *lane);

/* `caller`: where the call came from. */
static inline __attribute__((always_inline)) struct ring_lane *lane_enter_from(const void *caller)
{
    struct ring_lane *lane = self.ready;
    if (unlikely(!lane))
        return lane_enter_slow(caller);
    self.ready = NULL;
    signal_fence();
    return lane;
}

static inline __attribute__((always_inline)) struct ring_lane *lane_enter(void)
{
    return lane_enter_from(__builtin_return_address(0));
}

static inline __attribute__((always_inline)) void lane_leave(struct ring_lane *lane)
{
    signal_fence();
    self.ready = lane;
    signal_fence();
    if (unlikely(self.lane != lane)) /* a handler was here; it may have been just before this */
        lane_leave_slow(lane);
}

static inline __attribute__((always_inline)) void lane_put(struct ring_lane *lane, uint64_t at,
                                                           uint64_t word)
{
    lane->words[at & (RING_WORDS - 1)] = word;
}

/* Returns how many words it took. A stamp too large for one would need years of uptime. */
static inline __attribute__((always_inline)) unsigned lane_put_stamp(struct ring_lane *lane,
                                                                     uint64_t at, uint64_t stamp)
{
    if (likely(stamp <= RAW_WORD_VALUE_MASK)) {
        lane_put(lane, at, raw_word_tagged(RAW_STAMP, stamp));
        return 1;
    }
    lane_put(lane, at, raw_word_long(RAW_STAMP, 0, 0));
    lane_put(lane, at + 1, stamp);
    return 2;
}

static inline __attribute__((always_inline)) unsigned
lane_put_call(struct ring_lane *lane, uint64_t at, unsigned kind, uint64_t address, uint64_t value,
              unsigned align_log2)
{
    if (kind != RAW_ALIGNED && likely(raw_word_is_short(address, value))) {
        lane_put(lane, at, raw_word_short(kind, address, value));
        return 1;
    }
    lane_put(lane, at, raw_word_long(kind, address, align_log2));
    lane_put(lane, at + 1, value);
    return 2;
}

static inline bool lane_has_site(unsigned kind)
{
    return kind <= RAW_ALIGNED || kind == RAW_REALLOC_END;
}

/*
 * Publishes one record, with a stamp before it where the address's region is not this lane's.
 * Returns the lane to go on with: NULL once recording has stopped; another one in a forked child.
 * `caller`: where the hook was called from.
 */
static inline __attribute__((always_inline)) struct ring_lane *
lane_record_from(struct ring_lane *lane, unsigned kind, const void *pointer, uint64_t value,
                 unsigned align_log2, const void *caller)
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
    if (lane_has_site(kind) && unlikely(wiped.sites) && address) {
        uint32_t site = sites_here(caller);
        if (site != lane->site)
            lane_put(lane, head++, raw_word_tagged(RAW_SITE, lane->site = site));
    }
    if (wiped.many && address) {
        _Atomic uint16_t *region = order_region(address);
        if (atomic_load_explicit(region, memory_order_relaxed) != lane->owner)
            head += lane_put_stamp(lane, head, order_take(region, (uint16_t)lane->owner));
    }
    head += lane_put_call(lane, head, kind, address, value, align_log2);
    atomic_store_explicit(&lane->head, head, memory_order_release);
    return lane;
}

static inline __attribute__((always_inline)) struct ring_lane *
lane_record(struct ring_lane *lane, unsigned kind, const void *pointer, uint64_t value,
            unsigned align_log2)
{
    return lane_record_from(lane, kind, pointer, value, align_log2, __builtin_return_address(0));
}

/* A mark of the user's, with a stamp of its own. Returns as lane_record(). */
struct ring_lane *lane_mark(struct ring_lane *lane, const char *text, size_t bytes);

/* Does this mode have a fast path? */
static inline bool lane_mode_is_fast(uint32_t mode)
{
    return mode - MODE_ONE <= MODE_MANY - MODE_ONE;
}

/*
 * Records a call that nothing has to be done for beyond writing its word. False: nothing was done,
 * take the other way. The mode is read behind the lane's latest stamp, see FORMAT.md ("While there
 * was one thread").
 */
static inline __attribute__((always_inline)) bool
lane_record_fast(unsigned kind, const void *pointer, uint64_t value)
{
    uint64_t address = (uint64_t)(uintptr_t)pointer;
    uint32_t mode = atomic_load_explicit(&wiped.mode, memory_order_relaxed);
    struct ring_lane *lane = self.ready;
    if (unlikely(!lane || !raw_word_is_short(address, value)))
        return false;
    self.ready = NULL;
    signal_fence();
    uint64_t head = atomic_load_explicit(&lane->head, memory_order_relaxed);
    bool done = head < atomic_load_explicit(&lane->limit, memory_order_relaxed);
    if (mode != MODE_ONE) {
        _Atomic uint16_t *region = order_region(address);
        done &= mode == MODE_MANY;
        if (done && address && atomic_load_explicit(region, memory_order_relaxed) != lane->owner)
            head += lane_put_stamp(lane, head, order_take(region, (uint16_t)lane->owner));
    }
    if (likely(done)) {
        lane_put(lane, head, raw_word_short(kind, address, value));
        atomic_store_explicit(&lane->head, head + 1, memory_order_release);
    }
    lane_leave(lane);
    return done;
}

#endif
