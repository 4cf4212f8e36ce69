/* The smallest program that allocates: two blocks and a line of output. */
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    char **copy = malloc((size_t)(argc + 1) * sizeof *copy);
    for (int i = 0; i <= argc; i++)
        copy[i] = argv[i];
    printf("%s\n", copy[0]);
    free(copy);
    return 0;
}
