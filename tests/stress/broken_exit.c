/* Ends the program with a status, as a failing internal check may. */
#include "tests/stress/broken.h"

static void *broken_malloc(size_t size)
{
    static const char words[] = "broken_exit: giving up\n";
    if (write(STDERR_FILENO, words, sizeof words - 1) < 0 || size)
        _exit(42);
    _exit(42);
}
