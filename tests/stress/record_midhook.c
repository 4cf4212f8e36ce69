/*
 * A handler that allocates when, and only when, it interrupted the recorder's own code, which is
 * seen from where the program stood. There glibc's malloc may be called, so this is the test of the
 * fast path, which only runs over that one. A timer every 40 us; the main program allocates blocks
 * of 1031 bytes, the handler three of 1047 bytes a time.
 *
 *     record_midhook [HOW]
 *
 * HOW: stay (default); jump: every third time the handler leaves by siglongjmp(); fork: each of the
 * first 20 times it forks, the child makes ten blocks of 1063 bytes, returns into the hook that was
 * interrupted, makes ten of 1079 more and ends. Prints how many.
 */
#include <link.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

enum { BLOCKS = 300000, HITS_MIN = 300, FORKS = 20 };

static uintptr_t begin, end; /* the recorder's code; empty without it */
static volatile uint64_t made, asked, hits, by_handler, forks;
static volatile sig_atomic_t is_child;
static const char *how = "stay";
static sigjmp_buf back;

static int find_recorder(struct dl_phdr_info *info, size_t bytes, void *unused)
{
    (void)bytes;
    (void)unused;
    for (int i = 0; strstr(info->dlpi_name, "libheaptape-record") && i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X))
            continue;
        begin = info->dlpi_addr + segment->p_vaddr;
        end = begin + segment->p_memsz;
    }
    return 0;
}

static void allocate(int blocks, size_t size)
{
    for (int i = 0; i < blocks; i++)
        free(malloc(size));
}

static void fork_here(void)
{
    forks++;
    if (fork() == 0) {
        is_child = 1;
        allocate(10, 1063);
    }
}

static void on_alarm(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)info;
    uintptr_t at = (uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    if (at - begin >= end - begin || is_child)
        return;
    hits++;
    allocate(3, 1047);
    by_handler += 3;
    if (!strcmp(how, "fork") && forks < FORKS)
        fork_here();
    if (!strcmp(how, "jump") && hits % 3 == 0)
        siglongjmp(back, 1);
}

static void end_child(void)
{
    allocate(10, 1079);
    _exit(5);
}

int main(int argc, char **argv)
{
    how = argc > 1 ? argv[1] : how;
    dl_iterate_phdr(find_recorder, NULL);
    struct sigaction action = {.sa_sigaction = on_alarm, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval timer = {{0, 40}, {0, 40}}, none = {{0, 0}, {0, 0}};
    sigsetjmp(back, 1);
    setitimer(ITIMER_REAL, &timer, NULL);
    while (made < BLOCKS || (begin && hits < HITS_MIN)) {
        asked++;
        void *block = malloc(1031);
        made++;
        free(block);
        if (is_child)
            end_child();
    }
    setitimer(ITIMER_REAL, &none, NULL);
    int status, children = 0, badly = 0;
    while (wait(&status) > 0)
        if (WIFEXITED(status) && WEXITSTATUS(status) == 5)
            children++;
        else
            badly = status;
    printf("made %llu asked %llu handler %llu forks %llu children %d\n", (unsigned long long)made,
           (unsigned long long)asked, (unsigned long long)by_handler, (unsigned long long)forks,
           children);
    if (badly)
        printf("a child ended with wait status %#x\n", (unsigned)badly);
    return 0;
}
