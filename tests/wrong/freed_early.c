/* Every 1000th block is freed 20 calls later, while its owner still has it. */
#include "tests/wrong/wrong.h"

static void *early[4];
static unsigned age, place;

static void *malloc_wrong(size_t size)
{
    wrong_lock();
    if (early[place] && ++age == 20) {
        right_free(early[place]); /* stays in the list: its owner will free it, too */
        place = (place + 1) % 4;
        early[place] = NULL;
        age = 0;
    }
    void *block = right_malloc(size);
    if (block && size >= 32 && size < 1000 && !early[place] && EVERY(1000))
        early[place] = block;
    wrong_unlock();
    return block;
}
#define WRONG_MALLOC malloc_wrong

static void free_wrong(void *block)
{
    bool twice = false;
    wrong_lock();
    for (unsigned i = 0; i < 4; i++) {
        if (early[i] != block)
            continue;
        twice = i != place;
        early[i] = NULL;
        age = 0;
    }
    wrong_unlock();
    if (!twice)
        right_free(block);
}
#define WRONG_FREE free_wrong

#include "tests/wrong/exports.h"
