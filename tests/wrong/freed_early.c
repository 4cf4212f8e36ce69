/* Every 1000th block is freed 20 calls later, while its owner still has it. */
#include "tests/wrong/wrong.h"

#define MOST 64

static void *freed[MOST]; /* early, and not yet by its owner */

static void *malloc_wrong(size_t size)
{
    static void *soon;
    static unsigned age, place;
    wrong_lock();
    if (soon && ++age == 20 && !freed[place]) {
        right_free(soon);
        freed[place] = soon;
        place = (place + 1) % MOST;
        soon = NULL;
    }
    void *block = right_malloc(size);
    if (block && size >= 32 && size < 1000 && !soon && EVERY(1000)) {
        soon = block;
        age = 0;
    }
    wrong_unlock();
    return block;
}
#define WRONG_MALLOC malloc_wrong

/* Whether the block was freed early; then that is forgotten. */
static bool was_freed(const void *block)
{
    bool found = false;
    wrong_lock();
    for (unsigned i = 0; i < MOST && !found; i++) {
        found = freed[i] == block;
        if (found)
            freed[i] = NULL;
    }
    wrong_unlock();
    return found;
}

static void free_wrong(void *block)
{
    if (!was_freed(block))
        right_free(block);
}
#define WRONG_FREE free_wrong

#include "tests/wrong/exports.h"
