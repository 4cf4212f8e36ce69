/*
 * What programs do to their surroundings: closes every descriptor, dups over the low ones, changes
 * directory and root (where it may), drops privileges, sets limits; then goes on allocating, with
 * new threads and a forked child. 2000 blocks of 1031 bytes in the process, 500 in the child.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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

int main(void)
{
    int out = dup(1);
    allocate(500);
    for (int fd = 0; fd < 1024; fd++)
        if (fd != out)
            close(fd);
    int null = open("/dev/null", O_RDWR);
    for (int fd = 1; fd < 64; fd++)
        if (fd != out)
            dup2(null, fd);
    umask(0777);
    struct rlimit files = {8, 8}, size = {0, 0}, stack = {65536, RLIM_INFINITY};
    setrlimit(RLIMIT_FSIZE, &size);
    setrlimit(RLIMIT_NOFILE, &files);
    setrlimit(RLIMIT_STACK, &stack);
    if (geteuid() == 0 && (chroot("/var/empty") == 0 || chroot("/tmp") == 0) && chdir("/") == 0 &&
        (setgid(65534) || setuid(65534)))
        return 2;
    allocate(500);
    for (int i = 0; i < 2; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, in_thread, NULL))
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
