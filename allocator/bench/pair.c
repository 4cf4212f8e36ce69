/* malloc and free of one size in a loop: `pair SIZE COUNT`. Run under callgrind with two counts,
 * the difference gives the instructions of one pair, call and loop included. */
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    if (argc != 3) {
        fputs("usage: pair SIZE COUNT\n", stderr);
        return 2;
    }
    size_t size = strtoul(argv[1], NULL, 0), count = strtoul(argv[2], NULL, 0);
    for (size_t i = 0; i < count; i++) {
        void *block = malloc(size);
        __asm__ volatile("" : : "r"(block) : "memory");
        free(block);
    }
    return 0;
}
