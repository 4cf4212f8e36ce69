/* The clock of latency mode (latency.h). `has_tsc` is a constant where these are used. */
#ifndef HEAPTAPE_REPLAYER_LATENCY_CLOCK_H
#define HEAPTAPE_REPLAYER_LATENCY_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include "replayer/engine/engine.h"

/* Everything before it is done, nothing after it has begun. */
static inline __attribute__((always_inline)) uint64_t latency_now(bool has_tsc)
{
#if defined(__x86_64__)
    if (has_tsc) {
        uint32_t low, high;
        __asm__ volatile("lfence\n\trdtsc\n\tlfence" : "=a"(low), "=d"(high) : : "memory");
        return (uint64_t)high << 32 | low;
    }
#else
    (void)has_tsc;
#endif
    return engine_now_ns();
}

#endif
