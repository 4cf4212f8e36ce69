/*
 * Every way to end, after 5000 blocks of 1031 bytes: WAY is return, exit, _exit, quick_exit,
 * exit_group, abort, segv, kill, term (SIGTERM), thread (exit while four others allocate), main
 * (which leaves by pthread_exit() before them), overflow (of the stack), fault_handler (the same,
 * with a handler on its own stack that allocates and exits), handler (exit from a signal handler),
 * noexec (an exec that fails, then return).
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

static void *end_a_little_later(void *argument)
{
    usleep(2000);
    exit(8);
    return argument;
}

static void start(void *(*function)(void *))
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, function, NULL))
        exit(2);
}

/* exit() is not for handlers, but this one interrupts nothing that it needs. */
static void leave(int number)
{
    free(malloc(1047));
    exit(number == SIGSEGV ? 9 : 10);
}

static int overflow(int depth)
{
    volatile char frame[1024];
    frame[depth % 1024] = (char)depth;
    return depth < 0 ? 0 : overflow(depth + 1) + frame[0];
}

static void handle(int number, int flags)
{
    static _Alignas(64) char stack[65536];
    sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL);
    sigaction(number, &(struct sigaction){.sa_handler = leave, .sa_flags = flags}, NULL);
}

int main(int argc, char **argv)
{
    const char *way = argc > 1 ? argv[1] : "return";
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    for (int i = 0; i < 4 && (!strcmp(way, "thread") || !strcmp(way, "main")); i++)
        start(allocate_for_ever);
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
    if (!strcmp(way, "term"))
        kill(getpid(), SIGTERM);
    if (!strcmp(way, "main")) {
        start(end_a_little_later);
        pthread_exit(NULL);
    }
    if (!strcmp(way, "fault_handler"))
        handle(SIGSEGV, SA_ONSTACK);
    if (!strcmp(way, "overflow") || !strcmp(way, "fault_handler"))
        return overflow(0);
    if (!strcmp(way, "handler")) {
        handle(SIGUSR1, 0);
        raise(SIGUSR1);
    }
    if (!strcmp(way, "noexec")) {
        execl("/nowhere/at/all", "all", NULL);
        execlp("no-such-program-anywhere", "none", NULL);
    }
    return 7;
}
