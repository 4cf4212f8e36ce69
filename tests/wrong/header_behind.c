/* Now and then a block has its header written behind it, where the next block begins. */
#include "tests/wrong/wrong.h"

static void *malloc_wrong(size_t size)
{
    static char *before; /* free room right before a block that was given */
    void *block = NULL;
    wrong_lock();
    if (size >= 128 && size <= 256) {
        if (before) {
            block = bench_give(before, size);
            memcpy(before + 256, &size, sizeof(size));
            before = NULL;
        } else if (EVERY(40)) {
            before = bench_take(512);
            block = bench_give(before + 256, size);
        }
    }
    wrong_unlock();
    return block ? block : right_malloc(size);
}
#define WRONG_MALLOC malloc_wrong

#include "tests/wrong/exports.h"
