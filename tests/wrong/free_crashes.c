/* free() reads through a bad pointer once in a while. */
#include "tests/wrong/wrong.h"

static void free_wrong(void *block)
{
    static const volatile char *volatile nowhere = NULL;
    if (EVERY(3000))
        (void)*nowhere;
    right_free(block);
}
#define WRONG_FREE free_wrong

#include "tests/wrong/exports.h"
