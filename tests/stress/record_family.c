/*
 * Every entry point once, with sizes and alignments that a test looks for; the failing ones, the
 * largest sizes, foreign pointers. Only what the calls return is printed, never an address.
 */
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void free_sized(void *block, size_t size) __attribute__((weak));
void free_aligned_sized(void *block, size_t alignment, size_t size) __attribute__((weak));

static volatile size_t huge = SIZE_MAX / 2, over_4g = (size_t)5 << 30;

int main(void)
{
    void *block = NULL, *other;
    free(malloc(100001));
    free(calloc(3, 100003));
    block = realloc(NULL, 100005);
    block = realloc(block, 100007);
    block = reallocarray(block, 7, 20001);
    other = reallocarray(block, huge, 16); /* overflows: block stays */
    printf("reallocarray overflow %d errno %d\n", other == NULL, errno == ENOMEM);
    other = realloc(block, huge);
    printf("realloc huge %d errno %d\n", other == NULL, errno == ENOMEM);
    other = realloc(block, 0);
    printf("realloc 0 %d\n", other == NULL);
    printf("posix_memalign %d\n", posix_memalign(&block, 256, 100009));
    printf("aligned %d usable %d\n", (uintptr_t)block % 256 == 0,
           malloc_usable_size(block) >= 100009);
    free(block);
    printf("posix_memalign bad %d\n", posix_memalign(&block, 24, 100011) == EINVAL);
    free(aligned_alloc(4096, 8192 * 13));
    free(memalign(64, 100013));
    free(valloc(100015));
    free(pvalloc(100017));
    printf("malloc huge %d errno %d\n", malloc(huge) == NULL, errno == ENOMEM);
    printf("calloc overflow %d errno %d\n", calloc(huge, 16) == NULL, errno == ENOMEM);
    block = malloc(over_4g);
    printf("over 4 GiB %d\n", block != NULL);
    block = realloc(block, over_4g + (1 << 20)); /* mapped pages move by name, nothing is touched */
    printf("realloc over 4 GiB %d\n", block != NULL);
    free(block);
    free(calloc(over_4g / 16 + 1, 16));
    free(aligned_alloc(65536, over_4g));
    block = malloc(100023);
    memset(block, 7, 100023);
    other = malloc(100023); /* so that the next has to move */
    block = realloc(block, 300023);
    printf("moved %d\n", ((char *)block)[100022]);
    free(other);
    free(block);
    printf("usable of NULL %d\n", (int)malloc_usable_size(NULL));
    errno = 12345;
    free(malloc(100019));
    printf("free keeps errno %d\n", errno == 12345);
    free(NULL);
    if (free_sized)
        free_sized(malloc(100021), 100021);
    if (free_aligned_sized)
        free_aligned_sized(aligned_alloc(128, 128 * 801), 128, 128 * 801);
    return 0;
}
