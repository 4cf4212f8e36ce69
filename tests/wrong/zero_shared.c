/* All blocks of no size have one address. */
#include "tests/wrong/wrong.h"

static void *malloc_wrong(size_t size)
{
    static char *nothing;
    if (size)
        return right_malloc(size);
    wrong_lock();
    if (!nothing)
        nothing = bench_take(16);
    wrong_unlock();
    return bench_give(nothing, 0);
}
#define WRONG_MALLOC malloc_wrong

#include "tests/wrong/exports.h"
