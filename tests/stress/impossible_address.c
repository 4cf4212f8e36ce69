/* impossible_address free|realloc|malloc_usable_size ADDRESS: hands the allocator an address that
 * it cannot have given. Says "returned" when that did not end the program. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *volatile result;

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    result = malloc(10);
    void *address = (void *)strtoull(argv[2], NULL, 0);
    if (strcmp(argv[1], "free") == 0)
        free(address);
    else if (strcmp(argv[1], "realloc") == 0)
        result = realloc(address, 100);
    else
        result = (void *)malloc_usable_size(address);
    puts("returned");
    return 0;
}
