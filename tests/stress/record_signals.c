/*
 * Signal handlers that allocate while the main program does (run over record_bump.c, which allows
 * that): a timer every 50 us, on an alternate stack where "alternate" is given, as small as they
 * may be with a page that nobody may touch below it where "small" is. With "jump" each tenth
 * handler leaves by siglongjmp. Prints how many blocks of 1031 bytes (main) and of 1047 bytes
 * (handlers) were allocated.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

enum { MAIN_BLOCKS = 300000, MAIN_SIZE = 1031, HANDLER_SIZE = 1047 };

static volatile uint64_t by_main, by_handler, handled;
static sigjmp_buf back;
static volatile sig_atomic_t jumping, armed;

static void on_alarm(int number)
{
    (void)number;
    handled++;
    for (int i = 0; i < 3; i++) {
        void *block = malloc(HANDLER_SIZE);
        if (!block)
            abort();
        by_handler++;
    }
    if (jumping && armed && handled % 10 == 0)
        siglongjmp(back, 1);
}

/* What the kernel puts there and 2 KiB for a handler of few words. */
static void use_small_stack(void)
{
    size_t least = (size_t)sysconf(_SC_MINSIGSTKSZ), page = 4096;
    size_t bytes = (least + 2048 + page - 1) / page * page;
    char *memory =
        mmap(NULL, page + bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    stack_t stack = {.ss_sp = memory + page + bytes - least - 2048, .ss_size = least + 2048};
    if (mprotect(memory, page, PROT_NONE) || sigaltstack(&stack, NULL))
        abort();
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "alternate")) {
            stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
            sigaltstack(&stack, NULL);
            action.sa_flags |= SA_ONSTACK;
        }
        if (!strcmp(argv[i], "small")) {
            use_small_stack();
            action.sa_flags |= SA_ONSTACK;
        }
        jumping |= !strcmp(argv[i], "jump");
    }
    sigaction(SIGALRM, &action, NULL);
    struct itimerval timer = {{0, 50}, {0, 50}};
    setitimer(ITIMER_REAL, &timer, NULL);
    volatile uint64_t asked = 0; /* a jump may come between the call and the count */
    sigsetjmp(back, 1);
    armed = 1;
    while (by_main < MAIN_BLOCKS) {
        asked++;
        void *block = malloc(MAIN_SIZE);
        if (!block)
            break;
        by_main++;
        free(block);
    }
    timer = (struct itimerval){{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &timer, NULL);
    armed = 0;
    printf("main %llu asked %llu handler %llu signals %llu\n", (unsigned long long)by_main,
           (unsigned long long)asked, (unsigned long long)by_handler, (unsigned long long)handled);
    return 0;
}
