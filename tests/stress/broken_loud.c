/* Prints a megabyte before it says what is wrong and dies. */
#include "tests/stress/broken.h"

static void *broken_malloc(size_t size)
{
    static const char noise[] = "broken_loud: a check that means nothing\n",
                      last[] = "broken_loud: the real reason\n";
    for (unsigned i = 0; i < 100000; i++)
        if (write(STDERR_FILENO, noise, sizeof noise - 1) < 0)
            break;
    if (write(STDERR_FILENO, last, sizeof last - 1) < 0 || size)
        abort();
    abort();
}
