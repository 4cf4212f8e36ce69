#include "replayer/engine/warm.h"

#include <sys/mman.h>
#include "replayer/engine/proc.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif

#define RANGES_MAX 4096
#define WRITE_BYTES_MAX                                                                            \
    ((uint64_t)1 << 20) /* tables that one mode alone uses lie in larger ones                      \
                         */
#define STACK_BYTES_DEEP ((size_t)64 << 10)

static struct proc_range ranges[RANGES_MAX];

static __attribute__((noinline)) void touch_stack(void)
{
    volatile char room[STACK_BYTES_DEEP];
    for (size_t at = 0; at < sizeof(room); at += 1024)
        room[at] = 0;
}

void warm_up(void)
{
    size_t count = proc_ranges(ranges, RANGES_MAX);
    touch_stack();
    for (size_t i = 0; i < count; i++) {
        const struct proc_range *range = &ranges[i];
        if (!range->foreign || range->kind == PROC_SPECIAL || !range->readable || range->shared)
            continue;
        uint64_t bytes = range->end - range->start;
        if (range->writable && bytes > WRITE_BYTES_MAX)
            continue;
        /* Best effort: see the header. */
        (void)madvise((void *)(uintptr_t)range->start, bytes,
                      range->writable ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
    }
}
