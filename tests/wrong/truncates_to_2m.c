/* No block is longer than 2 MiB, whatever was asked for and malloc_usable_size says. */
#include "tests/wrong/wrong.h"

#define MOST ((size_t)2 << 20)

static void *malloc_wrong(size_t size)
{
    if (size <= MOST)
        return right_malloc(size);
    return bench_give(bench_take(MOST), size);
}
#define WRONG_MALLOC malloc_wrong

#include "tests/wrong/exports.h"
