/*
 * Call sites that are known beforehand: sites_case outer -> middle -> one of three leaves, with
 * sizes that tell which. Built twice, with frame pointers and without; argument: what to do.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __clang__
#define APART __attribute__((noinline))
#else
#define APART __attribute__((noinline, noclone, noipa))
#endif

static void *volatile kept[4096];
static unsigned kept_count;

static APART void leaf_malloc(void)
{
    kept[kept_count++ % 4096] = malloc(1031);
    __asm__ volatile("" ::: "memory");
}

static APART void leaf_calloc(void)
{
    kept[kept_count++ % 4096] = calloc(1, 1047);
    __asm__ volatile("" ::: "memory");
}

static APART void leaf_realloc(void)
{
    kept[kept_count++ % 4096] = realloc(NULL, 1063);
    __asm__ volatile("" ::: "memory");
}

/* Its frame is found by what lies behind a frame pointer, since it aligns its stack. */
static APART void middle(int which)
{
    _Alignas(64) volatile char aligned[64];
    aligned[0] = (char)which;
    if (which == 0)
        leaf_malloc();
    else if (which == 1)
        leaf_calloc();
    else
        leaf_realloc();
    kept[1] = (void *)(size_t)aligned[0];
}

static APART void outer(int which, unsigned depth)
{
    volatile char space[200];
    space[0] = (char)depth;
    if (depth)
        outer(which, depth - 1);
    else
        middle(which);
    kept[0] = (void *)(size_t)space[0];
}

static void *run_thread(void *unused)
{
    (void)unused;
    for (int i = 0; i < 100; i++)
        outer(i % 3, 2);
    return NULL;
}

static void handler(int number)
{
    (void)number;
    outer(0, 0);
}

/* A stack of our own making: nobody knows how far it can be read. */
static void on_other_stack(void)
{
    static char memory[65536];
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
    stack_t other = {.ss_sp = memory, .ss_size = sizeof memory};
    sigaltstack(&other, NULL);
    sigaction(SIGUSR1, &action, NULL);
    for (int i = 0; i < 10; i++)
        raise(SIGUSR1);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "plain";
    if (!strcmp(what, "thread")) {
        pthread_t thread[4];
        for (int i = 0; i < 4; i++)
            pthread_create(&thread[i], NULL, run_thread, NULL);
        for (int i = 0; i < 4; i++)
            pthread_join(thread[i], NULL);
    } else if (!strcmp(what, "fork")) {
        outer(0, 0);
        pid_t child = fork();
        for (int i = 0; i < 50; i++)
            outer(child ? 0 : 1, 1);
        if (child == 0)
            _exit(0);
        waitpid(child, NULL, 0);
    } else if (!strcmp(what, "otherstack")) {
        on_other_stack();
    } else {
        for (int i = 0; i < 300; i++)
            outer(i % 3, 2);
    }
    return 0;
}
