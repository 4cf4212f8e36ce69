/* A free list's link is written into a block 100 calls after it was given. */
#include "tests/wrong/wrong.h"

static void *malloc_wrong(size_t size)
{
    static char *victim;
    static unsigned age;
    void *block = NULL;
    wrong_lock();
    if (victim && ++age == 100) {
        if (bench_block(victim)->live)
            *(char **)(void *)victim = victim;
        victim = NULL;
    }
    if (!victim && size >= 32 && size <= 64 && EVERY(50)) {
        victim = block = bench_give(bench_take(size), size);
        age = 0;
    }
    wrong_unlock();
    return block ? block : right_malloc(size);
}
#define WRONG_MALLOC malloc_wrong

#include "tests/wrong/exports.h"
