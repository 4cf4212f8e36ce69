/* A list of free blocks that all threads share has no lock. */
#include "tests/wrong/wrong.h"

#define BYTES 64

struct link {
    struct link *next;
};
static struct link *volatile list;

static void *malloc_wrong(size_t size)
{
    if (size <= 16 || size > BYTES)
        return right_malloc(size);
    struct link *block = list;
    if (!block)
        return bench_give(bench_take(BYTES), BYTES);
    if (EVERY(8))
        sched_yield(); /* so that one core is enough to show it */
    list = block->next;
    return block;
}
#define WRONG_MALLOC malloc_wrong

static void free_wrong(void *block)
{
    if (!on_bench(block)) {
        right_free(block);
        return;
    }
    struct link *link = block;
    link->next = list;
    list = link;
}
#define WRONG_FREE free_wrong

#include "tests/wrong/exports.h"
