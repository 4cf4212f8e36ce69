/* A block freed by another thread than its owner's takes a bit of its neighbour along. */
#include "tests/wrong/wrong.h"

static void *malloc_wrong(size_t size)
{
    static __thread char *room;
    static __thread size_t left;
    if (size < 17 || size > 64)
        return right_malloc(size);
    if (!left) {
        left = 256;
        room = bench_take(left * 64);
    }
    return bench_give(room + --left * 64, size);
}
#define WRONG_MALLOC malloc_wrong

static void free_wrong(void *block)
{
    char *neighbour = (char *)block + 64;
    if (on_bench(block) && bench_block(block)->owner != gettid() && on_bench(neighbour) &&
        bench_block(neighbour)->live && EVERY(20))
        *neighbour = (char)(*neighbour ^ 1);
    right_free(block);
}
#define WRONG_FREE free_wrong

#include "tests/wrong/exports.h"
