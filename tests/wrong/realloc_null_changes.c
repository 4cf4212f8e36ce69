/* A realloc that fails has cleared the block's first word already. */
#include "tests/wrong/wrong.h"

static void *realloc_wrong(void *block, size_t size)
{
    void *moved = right_realloc(block, size);
    if (!moved && size && right_usable(block) >= 8)
        memset(block, 0, 8);
    return moved;
}
#define WRONG_REALLOC realloc_wrong

#include "tests/wrong/exports.h"
