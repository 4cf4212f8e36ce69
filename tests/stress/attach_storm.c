/*
 * For about SECONDS everything that can stand in an attacher's way at once, each in a thread: a
 * library loaded and unloaded, threads begun and ended, children forked, the list of objects walked
 * with allocations in the middle, the allocator kept busy, signals. Prints "stormed", ends with 4.
 *
 *     attach_storm SECONDS PLUGIN
 */
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static _Atomic int over;
static const char *plugin;

static void *load(void *unused)
{
    while (!over) {
        void (*work)(void);
        void *handle = dlopen(plugin, RTLD_LAZY);
        if (!handle)
            exit(3);
        *(void **)&work = dlsym(handle, "plugin_work");
        work();
        dlclose(handle);
    }
    return unused;
}

static void *allocate_a_little(void *unused)
{
    for (int i = 0; i < 50; i++)
        free(malloc(200));
    return unused;
}

static void *begin_threads(void *unused)
{
    while (!over) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, allocate_a_little, NULL) == 0)
            pthread_join(thread, NULL);
    }
    return unused;
}

static void *fork_children(void *unused)
{
    while (!over) {
        pid_t child = fork();
        if (child == 0) {
            free(malloc(300));
            _exit(0);
        }
        int status = 1;
        while (waitpid(child, &status, 0) < 0)
            ;
        if (status)
            exit(3);
        usleep(1000);
    }
    return unused;
}

static int allocate_inside(struct dl_phdr_info *info, size_t bytes, void *context)
{
    (void)info;
    (void)context;
    free(malloc(bytes + 1));
    return 0;
}

static void *walk(void *unused)
{
    while (!over)
        dl_iterate_phdr(allocate_inside, NULL);
    return unused;
}

static void *churn(void *unused)
{
    while (!over) {
        char *block = malloc(2000);
        memset(block, 1, 2000);
        block = realloc(block, 300000);
        free(block);
    }
    return unused;
}

static void on_alarm(int number)
{
    (void)number;
}

int main(int argc, char **argv)
{
    void *(*const works[])(void *) = {load, begin_threads, fork_children, walk, churn, churn};
    enum { WORKS = sizeof works / sizeof works[0] };
    pthread_t thread[WORKS];
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    struct itimerval often = {{0, 2000}, {0, 2000}};
    if (argc < 3)
        return 2;
    plugin = argv[2];
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    puts("up");
    fflush(stdout);
    for (int i = 0; i < WORKS; i++)
        if (pthread_create(&thread[i], NULL, works[i], NULL))
            return 2;
    struct timespec left = {0, (long)(atof(argv[1]) * 1e9) % 1000000000};
    left.tv_sec = (time_t)atof(argv[1]);
    while (nanosleep(&left, &left))
        ;
    over = 1;
    for (int i = 0; i < WORKS; i++)
        pthread_join(thread[i], NULL);
    puts("stormed");
    return 4;
}
