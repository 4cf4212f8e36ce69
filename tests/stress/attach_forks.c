/*
 * After a line on standard input: children that allocate (fork, vfork, one that becomes another
 * program), a signal handler that allocates all the while. Prints "handled 1" and the children's
 * statuses.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t handled;

static void on_alarm(int number)
{
    (void)number;
    free(malloc(1063));
    handled++;
}

static void work(size_t bytes)
{
    for (int i = 0; i < 1000; i++)
        free(malloc(bytes));
}

int main(void)
{
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    struct itimerval often = {{0, 700}, {0, 700}};
    int status[3] = {0, 0, 0};
    puts("up");
    fflush(stdout);
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    getchar();
    work(1031);
    for (int i = 0; i < 3; i++) {
        pid_t child = i == 1 ? vfork() : fork();
        if (child == 0) {
            if (i == 1)
                _exit(8);
            setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, NULL);
            work(1047);
            if (i == 2)
                execl("/bin/sh", "sh", "-c", "exit 9", (char *)NULL);
            _exit(3);
        }
        while (waitpid(child, &status[i], 0) < 0)
            ;
    }
    work(1031);
    while (handled <= 10)
        pause();
    printf("handled %d statuses %d %d %d\n", handled > 10, WEXITSTATUS(status[0]),
           WEXITSTATUS(status[1]), WEXITSTATUS(status[2]));
    return 0;
}
