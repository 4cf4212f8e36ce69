/*
 * A plain program for allocators that are tried behind the recorder: a few of each call in one
 * thread and then in another. Prints a checksum of what its blocks held.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *calls(void *argument)
{
    uint64_t *sum = argument;
    char *block[32];
    for (unsigned i = 0; i < 32; i++) {
        void *aligned = NULL;
        block[i] = i % 4 == 0                                ? malloc(1031 + i)
                   : i % 4 == 1                              ? calloc(11, 101 + i)
                   : i % 4 == 2                              ? aligned_alloc(64, 1024)
                   : posix_memalign(&aligned, 128, 1031 + i) ? NULL
                                                             : aligned;
        memset(block[i], (int)i, 1000);
    }
    for (unsigned i = 0; i < 32; i++) {
        block[i] = realloc(block[i], 2000 + i);
        for (unsigned j = 0; j < 1000; j++)
            *sum += (uint64_t)block[i][j] * j;
    }
    for (unsigned i = 0; i < 32; i++)
        free(block[i]);
    free(NULL);
    return NULL;
}

int main(void)
{
    uint64_t sum = 0;
    pthread_t thread;
    calls(&sum);
    if (pthread_create(&thread, NULL, calls, &sum))
        return 2;
    pthread_join(thread, NULL);
    printf("sum %llu\n", (unsigned long long)sum);
    return 0;
}
