/*
 * Runs a program and says what it took: `measure OUT LIBRARY CLIENT PROGRAM ARGS...` writes one
 * line to the file OUT: wait status, user and system microseconds, peak resident KiB, minor faults.
 * Times and faults are those of the program, its threads and the children that it waited for; the
 * peak is that of the largest single process among them, not of their sum.
 *
 * LIBRARY is preloaded into the program, "-" is none. CLIENT is a shell command that works the
 * program as a server, "-" is none; it has no preload and its cost is not counted. When it has
 * ended the program gets SIGTERM, which is then not a failure, and a client that fails is one.
 *
 * Linked statically, since the peak that the kernel reports begins with what the process held
 * before exec: a Python parent would hide every small program. Whoever times out kills this
 * process, and the program goes with it.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t start(const char *library, char **argv)
{
    pid_t child = fork();
    if (child != 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (strcmp(library, "-") != 0)
        setenv("LD_PRELOAD", library, 1);
    execvp(argv[0], argv);
    perror(argv[0]);
    _exit(127);
}

/* The wait status of the client, when it has ended; the server is told to end then. */
static int work(const char *client, pid_t server)
{
    char *argv[] = {"/bin/sh", "-c", (char *)client, NULL};
    int status = 0;
    pid_t pid = start("-", argv);
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        status = -1;
    kill(server, SIGTERM);
    return status;
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fputs("usage: measure OUT LIBRARY CLIENT PROGRAM ARGS...\n", stderr);
        return 2;
    }
    int status, client_status = 0;
    bool served = strcmp(argv[3], "-") != 0;
    struct rusage usage;
    pid_t child = start(argv[2], argv + 4);
    if (child > 0 && served)
        client_status = work(argv[3], child);
    if (child < 0 || wait4(child, &status, 0, &usage) != child) {
        perror("measure");
        return 4;
    }
    if (served && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM)
        status = 0;
    if (status == 0)
        status = client_status;
    FILE *out = fopen(argv[1], "w");
    if (out == NULL) {
        perror(argv[1]);
        return 4;
    }
    fprintf(out, "%d %ld %ld %ld %ld\n", status,
            (long)usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec,
            (long)usage.ru_stime.tv_sec * 1000000 + usage.ru_stime.tv_usec, usage.ru_maxrss,
            usage.ru_minflt);
    return fclose(out) == 0 ? 0 : 4;
}
