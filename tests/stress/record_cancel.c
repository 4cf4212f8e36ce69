/*
 * Threads that are cancelled while they allocate, THREADS times in all (over record_bump.c, whose
 * calls may be left anywhere).
 *
 *   deferred       a thread that is cancelled already goes on allocating: no call of the allocator
 *                  is a cancellation point. It ends where it asks to, at pthread_testcancel().
 *   asynchronous   threads that may end at any instruction, inside of a call too. Their cleanup
 *                  handlers and key destructors allocate.
 *
 * Prints the blocks of 1031 bytes that were made for certain and those that were asked for, and of
 * 1047 bytes, made by cleanup handlers.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { AFTERWARDS = 500 };

static _Atomic unsigned long made, asked, cleaned;
static _Atomic int running;
static pthread_key_t key;

static void clean(void *unused)
{
    (void)unused;
    free(malloc(1047));
    atomic_fetch_add(&cleaned, 1);
}

static void *deferred(void *argument)
{
    pthread_cleanup_push(clean, NULL);
    pthread_setspecific(key, argument);
    pthread_cancel(pthread_self());
    for (int i = 0; i < AFTERWARDS; i++) {
        atomic_fetch_add(&asked, 1);
        free(realloc(malloc(1031), 1063));
        atomic_fetch_add(&made, 1);
    }
    pthread_testcancel();
    abort();
    pthread_cleanup_pop(0);
    return argument;
}

static void *asynchronous(void *argument)
{
    pthread_cleanup_push(clean, NULL);
    pthread_setspecific(key, argument);
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    atomic_fetch_add(&running, 1);
    for (;;) {
        atomic_fetch_add(&asked, 1);
        void *block = malloc(1031);
        atomic_fetch_add(&made, 1);
        free(block);
    }
    pthread_cleanup_pop(0);
    return argument;
}

int main(int argc, char **argv)
{
    int threads = argc > 1 ? atoi(argv[1]) : 100;
    int at_once = argc > 2 && !strcmp(argv[2], "asynchronous");
    pthread_key_create(&key, clean);
    for (int i = 0; i < threads; i++) {
        pthread_t thread;
        void *result;
        if (pthread_create(&thread, NULL, at_once ? asynchronous : deferred, &running))
            return 2;
        if (at_once) {
            while (!atomic_load(&running))
                usleep(10);
            usleep((useconds_t)(i * 37 % 100));
            pthread_cancel(thread);
        }
        pthread_join(thread, &result);
        atomic_store(&running, 0);
        if (result != PTHREAD_CANCELED)
            return 3;
    }
    printf("made %lu asked %lu cleaned %lu\n", made, asked, cleaned);
    return 0;
}
