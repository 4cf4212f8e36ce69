/*
 * Signals that interrupt system calls: a timer without SA_RESTART every 300 us, whose handler
 * allocates (over record_bump.c), while the program sleeps and reads and while it allocates so much
 * that its ring runs full. Waits must end with EINTR as without us, and no call of the allocator
 * may change errno. Prints what went wrong: nothing.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t handled;

static void on_alarm(int number)
{
    (void)number;
    int saved = errno;
    free(malloc(1047));
    errno = saved;
    handled++;
}

static int wrong(const char *what)
{
    printf("wrong: %s: %s\n", what, strerror(errno));
    return 1;
}

int main(void)
{
    int ends[2], bad = 0;
    char byte;
    if (pipe(ends))
        return 2;
    struct sigaction action = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval timer = {{0, 300}, {0, 300}};
    setitimer(ITIMER_REAL, &timer, NULL);
    for (int i = 0; i < 300 && !bad; i++) {
        struct timespec pause = {5, 0};
        if (nanosleep(&pause, NULL) == 0 || errno != EINTR)
            bad = wrong("nanosleep");
        if (read(ends[0], &byte, 1) >= 0 || errno != EINTR)
            bad = wrong("read");
        errno = 12345;
        for (int j = 0; j < 1000; j++)
            free(realloc(malloc(1031), 1063));
        if (errno != 12345)
            bad = wrong("errno after allocator calls");
    }
    timer = (struct itimerval){{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &timer, NULL);
    printf("%s\n", bad ? "bad" : handled > 600 ? "ok" : "too few signals");
    return bad;
}
