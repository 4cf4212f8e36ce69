/* A realloc to less than half copies too little. */
#include "tests/wrong/wrong.h"

static void *realloc_wrong(void *block, size_t size)
{
    size_t old = right_usable(block);
    if (!size || size > old / 2 || !EVERY(3))
        return right_realloc(block, size);
    char *moved = right_malloc(size);
    if (!moved)
        return NULL;
    memcpy(moved, block, size - 1);
    moved[size - 1] = (char)~((char *)block)[size - 1];
    right_free(block);
    return moved;
}
#define WRONG_REALLOC realloc_wrong

#include "tests/wrong/exports.h"
