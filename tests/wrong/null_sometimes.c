/* Every 2000th malloc gives NULL for no reason. */
#include "tests/wrong/wrong.h"

static void *malloc_wrong(size_t size)
{
    if (!EVERY(2000))
        return right_malloc(size);
    errno = ENOMEM;
    return NULL;
}
#define WRONG_MALLOC malloc_wrong

#include "tests/wrong/exports.h"
