/*
 * Less address space (RLIMIT_AS) than the recorder needs: the program takes all but a little, then
 * starts 80 threads at once, more than one chunk has lanes. Each makes 100 blocks of 1031 bytes.
 * What cannot be recorded must be said; the program must not notice.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { THREADS = 80 };

static pthread_barrier_t barrier;

static void *live(void *argument)
{
    free(malloc(1031));
    pthread_barrier_wait(&barrier); /* all of them have been seen */
    for (int i = 1; i < 100; i++)
        free(malloc(1031));
    pthread_barrier_wait(&barrier);
    return argument;
}

int main(void)
{
    unsigned long pages = 0;
    pthread_t thread[THREADS];
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 32768);
    pthread_barrier_init(&barrier, NULL, THREADS);
    setenv("GLIBC_TUNABLES", "", 1);
    free(malloc(1031)); /* recording has begun */
    FILE *statm = fopen("/proc/self/statm", "r");
    if (!statm || fscanf(statm, "%lu", &pages) != 1)
        return 2;
    fclose(statm);
    struct rlimit space = {pages * 4096 + (5 << 20), RLIM_INFINITY};
    if (setrlimit(RLIMIT_AS, &space))
        return 2;
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&thread[i], &attributes, live, NULL))
            return 3;
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    puts("done");
    return 0;
}
