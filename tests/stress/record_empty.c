/*
 * Starts programs with an environment of its own making: none at all, and one with other things in
 * it; by execve() in a forked and in a vfork child, by posix_spawn() and as the last thing itself.
 * Each image, this program again, prints the environment that it finds (main()'s third argument,
 * `environ` and getenv() alike), makes 10 to 15 blocks of 1031 bytes and, where told, starts
 * another one through a shell.
 */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void ended(const char *what, pid_t pid)
{
    int status;
    waitpid(pid, &status, 0);
    printf("%s: %d\n", what, WIFEXITED(status) ? WEXITSTATUS(status) : 99);
    fflush(stdout);
}

static int be_child(int blocks, char *envp[])
{
    for (int i = 0; i < blocks; i++)
        free(malloc(1031));
    printf("%d:", blocks);
    for (char **entry = envp; *entry; entry++)
        printf(" %s", *entry);
    for (char **entry = environ; *entry; entry++)
        printf(" %s", *entry);
    printf(" %s %s\n", getenv("LD_PRELOAD") ? "preload" : "-",
           getenv("HEAPTAPE_SESSION") ? "!" : "-");
    fflush(stdout);
    return blocks;
}

int main(int argc, char *argv[], char *envp[])
{
    static char *const none[] = {NULL}, *some[] = {"HOME=/nowhere", "A=1", NULL};
    char command[4200];
    if (argc > 1) {
        int blocks = be_child(atoi(argv[1]), envp);
        if (blocks != 14)
            return blocks;
        snprintf(command, sizeof command, "exec '%s' 15", argv[0]);
        char *shell[] = {"sh", "-c", command, NULL};
        execve("/bin/sh", shell, environ);
        return 1;
    }
    pid_t pid = fork();
    if (pid == 0) {
        execve(argv[0], (char *[]){argv[0], "10", NULL}, none);
        _exit(1);
    }
    ended("fork", pid);
    pid = vfork();
    if (pid == 0) {
        execve(argv[0], (char *[]){argv[0], "11", NULL}, some);
        _exit(1);
    }
    ended("vfork", pid);
    if (posix_spawn(&pid, argv[0], NULL, NULL, (char *[]){argv[0], "12", NULL}, none))
        return 2;
    ended("posix_spawn", pid);
    if (posix_spawnp(&pid, argv[0], NULL, NULL, (char *[]){argv[0], "14", NULL}, some))
        return 2;
    ended("posix_spawnp and a shell", pid);
    clearenv();
    execl(argv[0], argv[0], "13", NULL);
    return 3;
}
