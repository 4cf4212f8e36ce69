/*
 * Every way to end, after 5000 blocks of 1031 bytes: WAY is return, exit, _exit, quick_exit,
 * exit_group, abort, segv, kill, thread (exit while another thread allocates).
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static void *allocate_for_ever(void *argument)
{
    for (;;)
        free(malloc(500));
    return argument;
}

int main(int argc, char **argv)
{
    const char *way = argc > 1 ? argv[1] : "return";
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    if (!strcmp(way, "thread")) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, allocate_for_ever, NULL))
            return 2;
    }
    for (int i = 0; i < 5000; i++)
        if (!malloc(1031))
            return 2;
    if (!strcmp(way, "exit") || !strcmp(way, "thread"))
        exit(3);
    if (!strcmp(way, "_exit"))
        _exit(4);
    if (!strcmp(way, "quick_exit"))
        quick_exit(5);
    if (!strcmp(way, "exit_group"))
        syscall(SYS_exit_group, 6);
    if (!strcmp(way, "abort"))
        abort();
    if (!strcmp(way, "segv"))
        *(volatile int *)8 = 1;
    if (!strcmp(way, "kill"))
        kill(getpid(), SIGKILL);
    return 7;
}
