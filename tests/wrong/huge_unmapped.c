/* A page in the middle of a block of 128 KiB and more is not mapped. */
#include "tests/wrong/wrong.h"

static void *malloc_wrong(size_t size)
{
    if (size < 131072 || size > BENCH_BYTES / 16 || !EVERY(3))
        return right_malloc(size);
    char *at = (char *)(((uintptr_t)bench_take(size + 2 * 4096) + 4095) & ~(uintptr_t)4095);
    munmap(at + 65536, 4096);
    return bench_give(at, size);
}
#define WRONG_MALLOC malloc_wrong

#include "tests/wrong/exports.h"
