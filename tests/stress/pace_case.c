/*
 * A program with pauses, for --pace: it fills MIB of blocks and gives all of them back; then, TIMES
 * times, it pauses for PAUSE_MS and works a little with small blocks.
 *
 *     pace_case MIB PAUSE_MS TIMES [threads]
 *
 * "threads": two threads do so, the second one half a pause after the first, so that one pauses
 * while the other one works.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BLOCK = 4000, SMALL = 1000, SMALL_LIVE = 500 };

static size_t blocks;
static long pause_ms;
static int times;

static void sleep_ms(long ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&time, &time))
        ;
}

static void fill_and_free(void)
{
    char **block = calloc(blocks, sizeof *block);
    for (size_t i = 0; i < blocks; i++)
        if ((block[i] = malloc(BLOCK)))
            memset(block[i], 1, BLOCK);
    for (size_t i = 0; i < blocks; i++)
        free(block[i]);
    free(block);
}

static void work_a_little(void)
{
    static _Thread_local char *block[SMALL_LIVE];
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < SMALL_LIVE; i++)
            block[i] = malloc(SMALL);
        for (int i = 0; i < SMALL_LIVE; i++)
            free(block[i]);
    }
}

static void *run(void *before_ms)
{
    sleep_ms(*(long *)before_ms);
    fill_and_free();
    for (int i = 0; i < times; i++) {
        sleep_ms(pause_ms);
        work_a_little();
    }
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    blocks = (size_t)atol(argv[1]) * 1048576 / BLOCK;
    pause_ms = atol(argv[2]);
    times = atoi(argv[3]);
    long none = 0, half = pause_ms / 2;
    if (argc == 4)
        return run(&none) != NULL;
    pthread_t thread[2];
    pthread_create(&thread[0], NULL, run, &none);
    pthread_create(&thread[1], NULL, run, &half);
    pthread_join(thread[0], NULL);
    pthread_join(thread[1], NULL);
    return 0;
}
