/* Every 500th block is the one that was given last. */
#include "tests/wrong/wrong.h"

static void *malloc_wrong(size_t size)
{
    static char *last;
    static size_t last_size;
    void *block = NULL;
    wrong_lock();
    if (last && bench_block(last)->live && size <= last_size) {
        block = bench_give(last, last_size);
        last = NULL;
    } else if (size >= 32 && EVERY(500)) {
        last = block = bench_give(bench_take(size), size);
        last_size = size;
    }
    wrong_unlock();
    return block ? block : right_malloc(size);
}
#define WRONG_MALLOC malloc_wrong

#include "tests/wrong/exports.h"
