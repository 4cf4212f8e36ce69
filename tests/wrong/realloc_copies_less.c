/* A realloc that moves a block copies half of it, every tenth time. */
#include "tests/wrong/wrong.h"

static void *realloc_wrong(void *block, size_t size)
{
    size_t old = right_usable(block);
    if (size <= old || !EVERY(10))
        return right_realloc(block, size);
    void *moved = right_malloc(size);
    if (!moved)
        return NULL;
    size_t half = old / 2; /* usable may be more than was asked for: half of it surely is not */
    memcpy(moved, block, half);
    memset((char *)moved + half, 0, size - half);
    right_free(block);
    return moved;
}
#define WRONG_REALLOC realloc_wrong

#include "tests/wrong/exports.h"
