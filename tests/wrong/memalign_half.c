/* Alignments of 512 and more are met by half now and then. */
#include "tests/wrong/wrong.h"

static void *memalign_wrong(size_t alignment, size_t size)
{
    if (alignment < 512 || !EVERY(10))
        return right_memalign(alignment, size);
    uintptr_t at = (uintptr_t)bench_take(size + 2 * alignment);
    at = ((at + alignment - 1) & ~(alignment - 1)) + alignment / 2;
    return bench_give((char *)at, size);
}
#define WRONG_MEMALIGN memalign_wrong

#include "tests/wrong/exports.h"
