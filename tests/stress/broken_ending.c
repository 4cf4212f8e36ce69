/* Serves every call and dies when the program ends. */
#include "tests/stress/broken.h"

static void *broken_malloc(size_t size)
{
    return __libc_malloc(size);
}

__attribute__((destructor)) static void ending(void)
{
    static const char words[] = "broken_ending: blocks are left\n";
    if (broken_calls >= BROKEN_AT && write(STDERR_FILENO, words, sizeof words - 1) > 0)
        abort();
}
