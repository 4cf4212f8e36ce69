/* malloc and free of one size in a loop: `pair SIZE COUNT`. Run under callgrind with two counts,
 * the difference gives the instructions of one pair, call and loop included: 6 of the loop and two
 * calls without a detour through the PLT (-fno-plt), as in the measurement that found 135 for
 * glibc. */
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    if (argc != 3) {
        fputs("usage: pair SIZE COUNT\n", stderr);
        return 2;
    }
    size_t size = strtoul(argv[1], NULL, 0), count = strtoul(argv[2], NULL, 0);
    for (; count > 0; count--) {
        void *block = malloc(size);
        __asm__ volatile("" : : "r"(block) : "memory");
        free(block);
    }
    return 0;
}
