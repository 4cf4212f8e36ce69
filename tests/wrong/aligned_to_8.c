/* Every 300th block is aligned to 8 bytes and no more. */
#include "tests/wrong/wrong.h"

static void *malloc_wrong(size_t size)
{
    if (size < 16 || !EVERY(300))
        return right_malloc(size);
    return bench_give(bench_take(size + 8) + 8, size);
}
#define WRONG_MALLOC malloc_wrong

#include "tests/wrong/exports.h"
