/* free() leaves an error behind: no violation, but worth a note. */
#include "tests/wrong/wrong.h"

static void free_wrong(void *block)
{
    right_free(block);
    errno = EINVAL;
}
#define WRONG_FREE free_wrong

#include "tests/wrong/exports.h"
