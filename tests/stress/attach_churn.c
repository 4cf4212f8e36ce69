/*
 * Threads that never stop allocating: first blocks of sizes that are not counted, until a line
 * comes on standard input; then each makes exactly CALLS blocks of 1031 + a multiple of 16 below
 * 1024, of which every other is freed by the next thread. Prints how many, and ends with 5.
 *
 *     attach_churn THREADS CALLS
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS_MAX = 64, LIVE = 256 };

static unsigned threads;
static uint64_t calls;
static _Atomic unsigned phase, ready;
static _Atomic(char *) mailbox[THREADS_MAX][LIVE];
static _Atomic uint64_t spoilt;

static void fill(char *block, size_t bytes)
{
    memset(block, (int)(bytes & 0x7f), bytes);
}

static void check_and_free(char *block)
{
    if (block && block[0] != block[1000])
        spoilt++;
    free(block);
}

static void churn_until_told(unsigned me)
{
    char *live[LIVE] = {NULL};
    for (uint64_t i = me; !phase; i++) {
        size_t bytes = 5000 + i % 100;
        char **slot = &live[i * 7 % LIVE];
        check_and_free(*slot);
        *slot = malloc(bytes);
        fill(*slot, bytes);
    }
    for (unsigned i = 0; i < LIVE; i++)
        check_and_free(live[i]);
}

static void *work(void *argument)
{
    unsigned me = (unsigned)(uintptr_t)argument;
    churn_until_told(me);
    ready++;
    while (phase < 2)
        ;
    for (uint64_t i = 0; i < calls; i++) {
        size_t bytes = 1031 + i % 64 * 16;
        char *block = malloc(bytes);
        fill(block, bytes);
        unsigned whose = i % 2 ? me : (me + 1) % threads;
        check_and_free(atomic_exchange(&mailbox[whose][i % LIVE], block));
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t handle[THREADS_MAX];
    if (argc < 3)
        return 2;
    threads = (unsigned)atoi(argv[1]);
    calls = strtoull(argv[2], NULL, 10);
    for (unsigned i = 0; i < threads; i++)
        if (pthread_create(&handle[i], NULL, work, (void *)(uintptr_t)i))
            return 2;
    puts("up");
    fflush(stdout);
    getchar();
    phase = 1;
    while (ready < threads)
        ;
    phase = 2;
    for (unsigned i = 0; i < threads; i++)
        pthread_join(handle[i], NULL);
    for (unsigned i = 0; i < threads; i++)
        for (unsigned j = 0; j < LIVE; j++)
            check_and_free(mailbox[i][j]);
    printf("blocks %llu spoilt %llu\n", (unsigned long long)(threads * calls),
           (unsigned long long)spoilt);
    return 5;
}
