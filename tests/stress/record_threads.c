/*
 * Thousands of short threads on small stacks, half of them detached, each with a destructor of
 * thread-specific data that allocates and frees; every one leaves a block behind.
 *
 *     record_threads THREADS
 *
 * Per thread: 11 allocations and 10 frees of 1031 bytes.
 */
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static pthread_key_t key;
static _Atomic int detached_left;

static void last_words(void *value)
{
    free(malloc(1031));
    free(value);
    atomic_fetch_sub(&detached_left, 1);
}

static void *live(void *argument)
{
    for (int i = 0; i < 8; i++)
        free(malloc(1031));
    if (!malloc(1031)) /* stays */
        abort();
    pthread_setspecific(key, malloc(1031));
    return argument;
}

int main(int argc, char **argv)
{
    int threads = argc > 1 ? atoi(argv[1]) : 100;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, PTHREAD_STACK_MIN);
    pthread_key_create(&key, last_words);
    for (int i = 0; i < threads; i++) {
        pthread_t thread;
        atomic_fetch_add(&detached_left, 1);
        if (pthread_create(&thread, &attributes, live, NULL))
            return 2;
        if (i % 2)
            pthread_detach(thread);
        else
            pthread_join(thread, NULL);
    }
    while (atomic_load(&detached_left))
        usleep(1000);
    usleep(20000); /* a detached thread's last frees in libc */
    printf("threads %d\n", threads);
    return 0;
}
