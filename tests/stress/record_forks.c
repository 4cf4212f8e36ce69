/*
 * Forks of a threaded program: four threads allocate without end while the main thread forks
 * CHILDREN times. Child i allocates and frees 100 + i blocks of 1031 bytes and ends with status
 * i % 7. atfork handlers allocate, too. Prints "child PID blocks N" for each.
 *
 *     record_forks CHILDREN [raw]       raw: by the system call itself, past libc
 */
#include <pthread.h>
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

int main(int argc, char **argv)
{
    int children = argc > 1 ? atoi(argv[1]) : 10;
    int raw = argc > 2 && !strcmp(argv[2], "raw");
    pthread_t thread[4];
    pthread_atfork(at_fork, at_fork, at_fork);
    for (int i = 0; i < 4; i++)
        if (pthread_create(&thread[i], NULL, churn, NULL))
            return 2;
    /* After a raw fork the allocator's locks may be held for ever: no other thread then. */
    if (raw) {
        stop = 1;
        for (int i = 0; i < 4; i++)
            pthread_join(thread[i], NULL);
    }
    for (int i = 0; i < children; i++) {
        fflush(stdout);
        pid_t pid = raw ? (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0) : fork();
        if (pid < 0)
            return 2;
        if (pid == 0)
            be_child(i);
        int status;
        if (waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != i % 7)
            return 3;
        printf("child %d blocks %d\n", (int)pid, 100 + i);
    }
    stop = 1;
    for (int i = 0; !raw && i < 4; i++)
        pthread_join(thread[i], NULL);
    return 0;
}
