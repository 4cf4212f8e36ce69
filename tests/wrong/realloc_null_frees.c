/* A realloc that fails frees the block that it was given. */
#include "tests/wrong/wrong.h"

static void *realloc_wrong(void *block, size_t size)
{
    void *moved = right_realloc(block, size);
    if (!moved && size)
        right_free(block);
    return moved;
}
#define WRONG_REALLOC realloc_wrong

#include "tests/wrong/exports.h"
