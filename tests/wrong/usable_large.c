/* malloc_usable_size says 64 bytes more for blocks that lie side by side. */
#include "tests/wrong/wrong.h"

static void *malloc_wrong(size_t size)
{
    static char *room;
    static size_t left;
    if (size < 48 || size > 64 || !EVERY(20))
        return right_malloc(size);
    wrong_lock();
    if (!left) {
        left = 64;
        room = bench_take(left * 64);
    }
    void *block = bench_give(room + --left * 64, size);
    wrong_unlock();
    return block;
}
#define WRONG_MALLOC malloc_wrong

static size_t usable_wrong(void *block)
{
    return on_bench(block) ? 128 : right_usable(block);
}
#define WRONG_USABLE usable_wrong

#include "tests/wrong/exports.h"
