/* A realloc that moves a block takes its content from 8 bytes too far, every tenth time. */
#include "tests/wrong/wrong.h"

static void *realloc_wrong(void *block, size_t size)
{
    size_t old = right_usable(block);
    if (size <= old || old < 32 || !EVERY(10))
        return right_realloc(block, size);
    void *moved = right_malloc(size);
    if (!moved)
        return NULL;
    memcpy(moved, (char *)block + 8, old - 8);
    right_free(block);
    return moved;
}
#define WRONG_REALLOC realloc_wrong

#include "tests/wrong/exports.h"
