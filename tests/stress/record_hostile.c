/*
 * What programs do to their surroundings, one thing or, without an argument, all of them, and then
 * go on allocating, with new threads and a forked child:
 *
 *   close    closes every descriptor        chdir    changes to a folder that it then removes
 *   dup      dups one over all others       chroot   changes its root to an empty folder
 *   umask    lets nobody read its files     setuid   becomes nobody
 *   files    RLIMIT_NOFILE 3                size     RLIMIT_FSIZE 0
 *   space    RLIMIT_AS: 24 MiB more         stack    RLIMIT_STACK 64 KiB
 *
 * chroot and setuid need root and are left out otherwise. 2000 blocks of 1031 bytes in the process,
 * 500 in the child. Prints "child PID".
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int out, null;

static void allocate(int blocks)
{
    for (int i = 0; i < blocks; i++)
        free(malloc(1031));
}

static void *in_thread(void *argument)
{
    allocate(500);
    return argument;
}

static void close_all(void)
{
    for (int fd = 0; fd < 1024; fd++)
        if (fd != out && fd != null)
            close(fd);
}

static void dup_all(void)
{
    for (int fd = 0; fd < 1024; fd++)
        if (fd != out && fd != null)
            dup2(null, fd);
}

static void change_folder(void)
{
    char folder[] = "/tmp/record_hostile_XXXXXX";
    if (!mkdtemp(folder) || chdir(folder) || rmdir(folder))
        exit(2);
}

static void change_root(void)
{
    char folder[] = "/tmp/record_hostile_XXXXXX";
    if (geteuid() == 0 && (!mkdtemp(folder) || chdir(folder) || rmdir(folder) || chroot(".")))
        exit(2);
}

static void drop_privileges(void)
{
    if (geteuid() == 0 && (setgid(65534) || setuid(65534)))
        exit(2);
}

static void forbid_reading(void)
{
    umask(0777);
}

static void limit(int which, rlim_t most)
{
    struct rlimit limits;
    getrlimit((__rlimit_resource_t)which, &limits);
    limits.rlim_cur = most;
    if (setrlimit((__rlimit_resource_t)which, &limits))
        exit(2);
}

static void limit_files(void)
{
    limit(RLIMIT_NOFILE, 3);
}

static void limit_size(void)
{
    limit(RLIMIT_FSIZE, 0);
}

static void limit_stack(void)
{
    limit(RLIMIT_STACK, 65536);
}

/* What it has, and little more: room for two threads' stacks and arenas, not for 64 rings twice. */
static void limit_space(void)
{
    unsigned long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    if (!statm || fscanf(statm, "%lu", &pages) != 1)
        exit(2);
    fclose(statm);
    limit(RLIMIT_AS, pages * 4096 + (24 << 20));
}

static const struct {
    const char *name;
    void (*function)(void);
} things[] = {{"space", limit_space},      {"chdir", change_folder},  {"chroot", change_root},
              {"setuid", drop_privileges}, {"umask", forbid_reading}, {"dup", dup_all},
              {"close", close_all},        {"files", limit_files},    {"size", limit_size},
              {"stack", limit_stack}};

int main(int argc, char **argv)
{
    out = fcntl(1, F_DUPFD, 3);
    null = open("/dev/null", O_RDWR);
    allocate(500);
    for (size_t i = 0; i < sizeof things / sizeof *things; i++)
        if (argc < 2 || !strcmp(argv[1], things[i].name))
            things[i].function();
    allocate(500);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 65536);
    for (int i = 0; i < 2; i++) {
        pthread_t thread;
        if (pthread_create(&thread, &attributes, in_thread, NULL))
            return 3;
        pthread_join(thread, NULL);
    }
    pid_t pid = fork();
    if (pid == 0) {
        allocate(500);
        _exit(9);
    }
    int status;
    if (waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != 9)
        return 4;
    dprintf(out, "child %d\n", (int)pid);
    return 0;
}
