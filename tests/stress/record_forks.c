/*
 * Forks of a threaded program: four threads allocate without end while the main thread forks
 * CHILDREN times. Child i allocates and frees 100 + i blocks of 1031 bytes and ends with status
 * i % 7. atfork handlers allocate, too. Prints "child PID blocks N" for each.
 *
 *     record_forks CHILDREN [HOW]
 *
 * HOW: fork; _Fork, without handlers; fork_call and clone_call, the system calls themselves, past
 * libc; clone, libc's with a stack for the child; vfork_call, which shares the memory, so that the
 * child's blocks are the parent's (and only a few, and one at a time).
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static _Atomic int stop;

static void *churn(void *argument)
{
    (void)argument;
    void *live[64] = {NULL};
    for (unsigned i = 0; !atomic_load_explicit(&stop, memory_order_relaxed); i++) {
        free(live[i % 64]);
        live[i % 64] = malloc(16 + i % 500);
        if (i % 4096 == 0)
            usleep(200);
    }
    for (int i = 0; i < 64; i++)
        free(live[i]);
    return NULL;
}

static void at_fork(void)
{
    free(malloc(77));
}

static _Noreturn void be_child(int i)
{
    for (int j = 0; j < 100 + i; j++)
        free(malloc(1031));
    _exit(i % 7);
}

static int in_clone(void *argument)
{
    be_child((int)(intptr_t)argument);
}

/* The return address stays in a register, since the child returns first and uses the stack. */
static __attribute__((naked, noinline)) pid_t vfork_call(void)
{
    __asm__("popq %rdi\n\tmovl $58, %eax\n\tsyscall\n\tpushq %rdi\n\tret");
}

static pid_t start(const char *how, int i)
{
    static _Alignas(64) char stack[65536];
    if (!strcmp(how, "clone"))
        return clone(in_clone, stack + sizeof stack, SIGCHLD, (void *)(intptr_t)i);
    pid_t pid = !strcmp(how, "_Fork")       ? _Fork()
                : !strcmp(how, "fork_call") ? (pid_t)syscall(SYS_fork)
                : !strcmp(how, "clone_call")
                    ? (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0)
                    : fork();
    if (pid == 0)
        be_child(i);
    return pid;
}

/* In the parent's memory and under its thread's name: only what every allocator bears. */
static pid_t share(int i)
{
    pid_t pid = vfork_call();
    if (pid == 0) {
        free(malloc(1031));
        syscall(SYS_exit_group, i % 7);
    }
    return pid;
}

int main(int argc, char **argv)
{
    int children = argc > 1 ? atoi(argv[1]) : 10;
    const char *how = argc > 2 ? argv[2] : "fork";
    pthread_t thread[4];
    pthread_atfork(at_fork, at_fork, at_fork);
    for (int i = 0; i < 4; i++)
        if (pthread_create(&thread[i], NULL, churn, NULL))
            return 2;
    /* After all but fork() the allocator's locks may be held for ever: no other thread then. */
    int threads = !strcmp(how, "fork");
    stop = !threads;
    for (int i = 0; !threads && i < 4; i++)
        pthread_join(thread[i], NULL);
    for (int i = 0; i < children; i++) {
        fflush(stdout);
        pid_t pid = !strcmp(how, "vfork_call") ? share(i) : start(how, i);
        if (pid < 0)
            return 2;
        int status;
        if (waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != i % 7)
            return 3;
        printf("child %d blocks %d\n", (int)pid, 100 + i);
    }
    stop = 1;
    for (int i = 0; threads && i < 4; i++)
        pthread_join(thread[i], NULL);
    return 0;
}
