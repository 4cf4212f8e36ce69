/*
 * Blocks that no recorded call gave: from glibc by its internal names, which go past every preload.
 * Ten are freed, three moved by realloc, one is asked for its size; and ten that malloc() gave are
 * freed past us, so that their addresses come again. The C library finds nothing wrong in that.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *__libc_malloc(size_t);
void __libc_free(void *);

int main(void)
{
    void *block[10];
    for (int i = 0; i < 10; i++)
        free(__libc_malloc(1031));
    for (int i = 0; i < 3; i++) {
        char *foreign = __libc_malloc(1047);
        memset(foreign, i + 1, 1047);
        foreign = realloc(foreign, 100000);
        printf("moved %d\n", foreign[1046]);
        free(foreign);
    }
    void *sized = __libc_malloc(1063);
    printf("usable %d\n", malloc_usable_size(sized) >= 1063);
    for (int i = 0; i < 10; i++)
        block[i] = malloc(1079);
    for (int i = 0; i < 10; i++)
        __libc_free(block[i]);
    for (int i = 0; i < 10; i++)
        block[i] = malloc(1079); /* the same addresses, most likely */
    for (int i = 0; i < 10; i++)
        free(block[i]);
    return 0;
}
