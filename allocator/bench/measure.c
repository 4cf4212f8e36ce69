/*
 * Runs a program and says what it took: `measure OUT ALLOCATOR PROGRAM ARGS...` writes one line to
 * the file OUT: exit status, user and system microseconds, peak resident KiB, minor faults.
 * ALLOCATOR is a library to preload, or "-". Linked statically, since the peak that the kernel
 * reports begins with what the process held before exec: a Python parent would hide every small
 * program.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    if (argc < 4) {
        fputs("usage: measure OUT ALLOCATOR PROGRAM ARGS...\n", stderr);
        return 2;
    }
    pid_t child = fork();
    if (child == 0) {
        if (strcmp(argv[2], "-") != 0)
            setenv("LD_PRELOAD", argv[2], 1);
        execvp(argv[3], argv + 3);
        perror(argv[3]);
        _exit(127);
    }
    int status;
    struct rusage usage;
    if (child < 0 || wait4(child, &status, 0, &usage) != child) {
        perror("measure");
        return 4;
    }
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
