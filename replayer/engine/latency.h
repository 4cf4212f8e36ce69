/*
 * Latency mode: every call is timed by itself, in a run of its own, so that throughput pays nothing
 * for it. What is timed is the call alone; the block is touched afterwards, so the page faults of
 * first use are not in it (those of the allocator's own headers are).
 *
 * The clock. The time-stamp counter, fenced on both sides (lfence), so that the call is neither
 * begun before the first reading nor unfinished at the second; where the counter is not constant,
 * or the machine is another, clock_gettime(). Two readings cost some 23 ns here, which is measured
 * with nothing between them and taken out. What is left on the null allocator, some nanoseconds,
 * is the call itself. The counter moves on in steps of 10 ns on some virtual machines: a single
 * call is then no better known than that, but the mean and, by interpolation, percentiles are.
 *
 * While a window runs, a value is a store of 4 bytes to the operation's place in one array, so
 * that histograms do not push the allocator's data out of the caches. They are filled between the
 * windows.
 *
 * A preempted call counts with the time it was away: a scheduler's doing, not the allocator's. It
 * shows in the tail; `preemptions` says how many there were at most, and the null allocator's run
 * what the tail of this machine is without any allocator.
 */
#ifndef HEAPTAPE_REPLAYER_LATENCY_H
#define HEAPTAPE_REPLAYER_LATENCY_H

#include "replayer/engine/latency_result.h"
#include "replayer/engine/window.h"

/* `latency`: where the figures go; `operations`: how many are expected, 0 = not known. */
void latency_open(struct engine_latency *latency, uint64_t operations);
/* Before a window runs: room for its values. */
void latency_resume(const struct window *window);
/* After it: its values into the histograms. `calls_before`: of the windows before it. */
void latency_pause(const struct window *window, uint64_t calls_before);
/* After the last one. */
void latency_close(void);

/* ---- for the loop ---- */

/* By operation: see latency_pack(). */
extern uint32_t *latency_values;
extern _Bool latency_has_tsc;

/* In 4 bytes: values of 2^31 ticks and more lose their last 16 bits. */
static inline uint32_t latency_pack(uint64_t ticks)
{
    if (__builtin_expect(ticks < UINT32_C(1) << 31, 1))
        return (uint32_t)ticks;
    ticks >>= 16;
    return ticks >> 31 ? UINT32_MAX : (uint32_t)ticks | UINT32_C(1) << 31;
}
static inline uint64_t latency_unpack(uint32_t value)
{
    return value >> 31 ? (uint64_t)(value & INT32_MAX) << 16 : value;
}

#endif
