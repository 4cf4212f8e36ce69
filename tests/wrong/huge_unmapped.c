/* A page in the middle of a block of 128 KiB and more is not mapped. */
#include "tests/wrong/wrong.h"

static void *malloc_wrong(size_t size)
{
    if (size < 131072 || !EVERY(3))
        return right_malloc(size);
    char *at = bench_take(size + 4096);
    at = (char *)(((uintptr_t)at + 4095) & ~(uintptr_t)4095);
    munmap(at + 65536, 4096);
    return bench_give(at, size);
}
#define WRONG_MALLOC malloc_wrong

#include "tests/wrong/exports.h"
