/* Crashes before main(). */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

__attribute__((constructor)) static void start(void)
{
    abort();
}

void *__libc_malloc(size_t size);
__attribute__((visibility("default"))) void *malloc(size_t size)
{
    return __libc_malloc(size);
}
