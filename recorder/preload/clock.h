/* The time-stamp counter: about 25 ns a reading in a virtual machine, so read seldom. */
#ifndef HEAPTAPE_RECORDER_CLOCK_H
#define HEAPTAPE_RECORDER_CLOCK_H

#include <stdint.h>

/* Nothing that stands before it in the program happens after it, and the other way round. */
static inline uint64_t clock_stamp(void)
{
    uint32_t low, high;
    __asm__ volatile("lfence\n\trdtsc\n\tlfence" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

#endif
