/*
 * Everything that runs around main() allocates: constructors with and without a priority, handlers
 * of atexit() (which register another one), on_exit(), destructors, while four threads allocate and
 * the program leaves. 64 blocks of 1031 bytes are made by those and main(), certainly; no thread's
 * call is lost before exit.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static _Atomic unsigned long by_threads;

static void allocate(int blocks)
{
    for (int i = 0; i < blocks; i++)
        free(malloc(1031));
}

__attribute__((constructor(101))) static void first(void)
{
    allocate(8);
}

__attribute__((constructor)) static void second(void)
{
    allocate(8);
}

__attribute__((destructor)) static void late(void)
{
    allocate(8);
}

__attribute__((destructor(101))) static void last(void)
{
    allocate(8);
}

static void at_exit_again(void)
{
    allocate(8);
}

static void at_exit(void)
{
    allocate(8);
    atexit(at_exit_again);
}

static void on_exit_too(int status, void *argument)
{
    (void)argument;
    allocate(status);
}

static void *allocate_for_ever(void *argument)
{
    for (;;) {
        free(malloc(1047));
        atomic_fetch_add(&by_threads, 1);
    }
    return argument;
}

int main(void)
{
    pthread_t thread;
    for (int i = 0; i < 4; i++)
        if (pthread_create(&thread, NULL, allocate_for_ever, NULL))
            return 2;
    atexit(at_exit);
    on_exit(on_exit_too, NULL);
    allocate(8);
    while (atomic_load(&by_threads) < 1000)
        usleep(100);
    return 8;
}
