/*
 * A small family: the program forks A and B; A forks C and becomes itself again by exec; B starts D
 * (fork and exec). Each image makes a number of blocks of its own, of 1031 bytes, by which a test
 * knows it: program 20, A 21, A after exec 31, B 22, C 23, D 24, the program after exec 30.
 * Statuses are 0.
 */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static char *self;

static void allocate(int blocks)
{
    for (int i = 0; i < blocks; i++)
        free(malloc(1031));
}

static void become(const char *blocks)
{
    execl(self, self, blocks, NULL);
    _exit(1);
}

static void await(pid_t pid)
{
    int status;
    if (waitpid(pid, &status, 0) != pid || status)
        _exit(2);
}

int main(int argc, char **argv)
{
    self = argv[0];
    if (argc > 1) {
        allocate(atoi(argv[1]));
        return 0;
    }
    allocate(20);
    pid_t a = fork();
    if (a == 0) {
        allocate(21);
        pid_t c = fork();
        if (c == 0) {
            allocate(23);
            _exit(0);
        }
        await(c);
        become("31");
    }
    await(a);
    pid_t b = fork();
    if (b == 0) {
        allocate(22);
        pid_t d = fork();
        if (d == 0)
            become("24");
        await(d);
        _exit(0);
    }
    await(b);
    become("30");
}
