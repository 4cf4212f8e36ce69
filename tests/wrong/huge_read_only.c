/* The last page of a block of 128 KiB and more cannot be written. */
#include "tests/wrong/wrong.h"

static void *malloc_wrong(size_t size)
{
    if (size < 131072 || !EVERY(3))
        return right_malloc(size);
    size_t bytes = (size + 8191) & ~(size_t)4095;
    char *at = bench_take(bytes);
    at = (char *)(((uintptr_t)at + 4095) & ~(uintptr_t)4095);
    mprotect(at + ((size - 1) & ~(size_t)4095), 4096, PROT_READ);
    atomic_fetch_add(&bench_used, 4096); /* nobody else on that page */
    return bench_give(at, size);
}
#define WRONG_MALLOC malloc_wrong

#include "tests/wrong/exports.h"
