/* malloc_usable_size says 16 bytes less for one size class. */
#include "tests/wrong/wrong.h"

static size_t usable_wrong(void *block)
{
    size_t usable = right_usable(block);
    return usable >= 600 && usable < 640 ? usable - 16 : usable;
}
#define WRONG_USABLE usable_wrong

#include "tests/wrong/exports.h"
