/*
 * Ways to start a program: vfork and exec, posix_spawn, system, popen, fork and exec, an exec of
 * itself at the end. The vfork child allocates before it execs (which is not allowed, and done):
 * those blocks, of 1047 bytes, must not be on the parent's tape.
 */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int ended(pid_t pid)
{
    int status;
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

int main(int argc, char **argv)
{
    char *child[] = {argv[0], "child", NULL};
    if (argc > 1) {
        for (int i = 0; i < 50; i++)
            free(malloc(1063));
        return !strcmp(argv[1], "child") ? 21 : 22;
    }
    for (int i = 0; i < 10; i++)
        free(malloc(1031));
    pid_t pid = vfork();
    if (pid == 0) {
        for (int i = 0; i < 5; i++)
            free(malloc(1047));
        execv(argv[0], child);
        _exit(1);
    }
    printf("vfork %d\n", ended(pid));
    pid = vfork();
    if (pid == 0)
        _exit(5);
    printf("vfork without exec %d\n", ended(pid));
    if (posix_spawn(&pid, argv[0], NULL, NULL, child, environ))
        return 2;
    printf("posix_spawn %d\n", ended(pid));
    char command[4200];
    snprintf(command, sizeof command, "'%s' child", argv[0]);
    printf("system %d\n", WEXITSTATUS(system(command)));
    FILE *pipe = popen(command, "r");
    printf("popen %d\n", pipe ? WEXITSTATUS(pclose(pipe)) : 99);
    pid = fork();
    if (pid == 0) {
        execv(argv[0], child);
        _exit(1);
    }
    printf("fork %d\n", ended(pid));
    for (int i = 0; i < 10; i++)
        free(malloc(1031));
    fflush(stdout);
    execv(argv[0], (char *[]){argv[0], "itself", NULL});
    return 3;
}
