/*
 * A preload over libc that is slow in a known way, for latency mode: every 50th malloc takes 20 us,
 * every 500th 200 us, every 20th free 5 us. By the whole process, so that the tape's own calls
 * have these shares but for a few.
 */
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT void *malloc(size_t size);
EXPORT void free(void *block);
void *__libc_malloc(size_t size);
void __libc_free(void *block);

static _Atomic unsigned long mallocs, frees;

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void take(uint64_t ns)
{
    uint64_t end = now_ns() + ns;
    while (now_ns() < end)
        continue;
}

EXPORT void *malloc(size_t size)
{
    unsigned long count = ++mallocs;
    if (count % 500 == 0)
        take(200000);
    else if (count % 50 == 0)
        take(20000);
    return __libc_malloc(size);
}

EXPORT void free(void *block)
{
    if (block && ++frees % 20 == 0)
        take(5000);
    __libc_free(block);
}
