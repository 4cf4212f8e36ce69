/* The last byte of a block is the first of the next one: a size rounded the wrong way. */
#include "tests/wrong/wrong.h"

/* A multiple of 16 and one more is taken for the multiple. */
static void *malloc_wrong(size_t size)
{
    static char *next; /* behind the block that was cut short */
    void *block = NULL;
    wrong_lock();
    if (next && size && size <= 4096) {
        block = bench_give(next, size);
        next = NULL;
    } else if (size > 16 && size % 16 == 1 && size <= 4096 && EVERY(5)) {
        char *at = bench_take(size - 1 + 4096);
        block = bench_give(at, size);
        next = at + size - 1;
    }
    wrong_unlock();
    return block ? block : right_malloc(size);
}
#define WRONG_MALLOC malloc_wrong

#include "tests/wrong/exports.h"
