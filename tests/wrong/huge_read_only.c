/* The last page of a block of 128 KiB and more cannot be written. */
#include "tests/wrong/wrong.h"

static void *malloc_wrong(size_t size)
{
    if (size < 131072 || size > BENCH_BYTES / 16 || !EVERY(3))
        return right_malloc(size);
    /* Pages of its own. */
    char *at = (char *)(((uintptr_t)bench_take(size + 3 * 4096) + 4095) & ~(uintptr_t)4095);
    mprotect(at + ((size - 1) & ~(size_t)4095), 4096, PROT_READ);
    return bench_give(at, size);
}
#define WRONG_MALLOC malloc_wrong

#include "tests/wrong/exports.h"
