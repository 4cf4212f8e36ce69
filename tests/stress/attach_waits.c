/*
 * Waits in one system call until the test wakes it by a line on standard input (or, where that
 * cannot be, by SIGUSR1), then makes 100 blocks of 1031 bytes. What the call gave is printed: being
 * attached to must not be seen in it.
 *
 *     attach_waits read|poll|select|epoll|nanosleep|futex|sigsuspend|sigtimedwait|msgrcv|wait
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int woken;

static void on_signal(int number)
{
    (void)number;
    woken++;
}

static long wait_read(void)
{
    char byte;
    return read(0, &byte, 1);
}

static long wait_poll(void)
{
    struct pollfd input = {0, POLLIN, 0};
    return poll(&input, 1, -1);
}

static long wait_select(void)
{
    fd_set set;
    FD_ZERO(&set);
    FD_SET(0, &set);
    return select(1, &set, NULL, NULL, NULL);
}

static long wait_epoll(void)
{
    int set = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};
    epoll_ctl(set, EPOLL_CTL_ADD, 0, &event);
    return epoll_wait(set, &event, 1, -1);
}

static long wait_nanosleep(void)
{
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    int result = nanosleep(&(struct timespec){2, 0}, NULL);
    clock_gettime(CLOCK_MONOTONIC, &end);
    double slept =
        (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
    return result ? -1 : slept > 1.99 && slept < 3;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int told;

static void *tell(void *unused)
{
    char byte;
    if (read(0, &byte, 1) < 0)
        exit(2);
    pthread_mutex_lock(&mutex);
    told = 1;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&mutex);
    return unused;
}

static long wait_futex(void)
{
    pthread_t teller;
    pthread_create(&teller, NULL, tell, NULL);
    pthread_mutex_lock(&mutex);
    while (!told)
        pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
    return pthread_join(teller, NULL) == 0;
}

static long wait_sigsuspend(void)
{
    sigset_t none;
    sigemptyset(&none);
    long result = sigsuspend(&none);
    return result == -1 && errno == EINTR ? woken : -1;
}

static long wait_sigtimedwait(void)
{
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, SIGUSR1);
    return sigtimedwait(&one, NULL, &(struct timespec){60, 0}) == SIGUSR1 ? 1 : -1;
}

static long wait_msgrcv(void)
{
    struct {
        long type;
        char text[8];
    } message;
    int queue = msgget(IPC_PRIVATE, 0600);
    if (fork() == 0) {
        wait_read();
        message.type = 1;
        _exit(msgsnd(queue, &message, sizeof message.text, 0) != 0);
    }
    long result = msgrcv(queue, &message, sizeof message.text, 0, 0);
    msgctl(queue, IPC_RMID, NULL);
    return result == sizeof message.text ? 1 : -1;
}

static long wait_wait(void)
{
    if (fork() == 0) {
        wait_read();
        _exit(0);
    }
    return wait(NULL) > 0 ? 1 : -1;
}

static const struct {
    const char *name;
    long (*wait)(void);
} kinds[] = {
    {"read", wait_read},
    {"poll", wait_poll},
    {"select", wait_select},
    {"epoll", wait_epoll},
    {"nanosleep", wait_nanosleep},
    {"futex", wait_futex},
    {"sigsuspend", wait_sigsuspend},
    {"sigtimedwait", wait_sigtimedwait},
    {"msgrcv", wait_msgrcv},
    {"wait", wait_wait},
};

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t usr1;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    sigprocmask(SIG_BLOCK, &usr1, NULL);
    sigaction(SIGUSR1, &action, NULL);
    puts("up");
    fflush(stdout);
    for (size_t i = 0; argc > 1 && i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].name, argv[1]) != 0)
            continue;
        errno = 0;
        long result = kinds[i].wait();
        void *block[100];
        for (int n = 0; n < 100; n++)
            block[n] = malloc(1031);
        for (int n = 0; n < 100; n++)
            free(block[n]);
        printf("result %ld errno %d\n", result, result < 0 ? errno : 0);
        return 6;
    }
    return 2;
}
