/*
 * A thread that never makes a system call keeps known values in the vector and other registers and
 * in errno and looks at them again and again, until SIGTERM comes. Prints how often they were
 * wrong.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Atomic int stop;
static _Atomic uint64_t rounds, wrong;

/* Loads the registers, loops for a while in them alone, and stores them again. */
static __attribute__((noinline)) void hold_registers(const uint64_t in[36], uint64_t out[36])
{
    uint64_t turns = 200000;
    __asm__ volatile("movdqu 0(%[in]), %%xmm0\n\tmovdqu 16(%[in]), %%xmm1\n\t"
                     "movdqu 32(%[in]), %%xmm7\n\tmovdqu 48(%[in]), %%xmm15\n\t"
                     "movq 64(%[in]), %%r10\n\tmovq 72(%[in]), %%r11\n\t"
                     "movq 80(%[in]), %%rax\n\tmovq 88(%[in]), %%rdx\n\t"
                     "movq 96(%[in]), %%r15\n\tmovq 104(%[in]), %%rcx\n\t"
                     "movq $77, -128(%%rsp)\n\t" /* in the red zone */
                     "fldpi\n\t"
                     "1: decq %[turns]\n\tjnz 1b\n\t"
                     "fstpl 120(%[out])\n\t"
                     "movdqu %%xmm0, 0(%[out])\n\tmovdqu %%xmm1, 16(%[out])\n\t"
                     "movdqu %%xmm7, 32(%[out])\n\tmovdqu %%xmm15, 48(%[out])\n\t"
                     "movq %%r10, 64(%[out])\n\tmovq %%r11, 72(%[out])\n\t"
                     "movq %%rax, 80(%[out])\n\tmovq %%rdx, 88(%[out])\n\t"
                     "movq %%r15, 96(%[out])\n\tmovq %%rcx, 104(%[out])\n\t"
                     "movq -128(%%rsp), %%rax\n\tmovq %%rax, 112(%[out])\n\t"
                     : [turns] "+r"(turns)
                     : [in] "r"(in), [out] "r"(out)
                     : "rax", "rcx", "rdx", "r10", "r11", "r15", "xmm0", "xmm1", "xmm7", "xmm15",
                       "st", "memory", "cc");
}

static void *hold(void *unused)
{
    uint64_t in[36], out[36];
    double pi = 3.14159265358979323846;
    for (int i = 0; i < 36; i++)
        in[i] = 0x0123456789abcdef * (uint64_t)(i + 1);
    in[14] = 77;
    memcpy(&in[15], &pi, sizeof pi);
    while (!stop) {
        errno = 4242;
        memset(out, 0, sizeof out);
        hold_registers(in, out);
        if (errno != 4242 || memcmp(in, out, 16 * sizeof *in) != 0)
            wrong++;
        rounds++;
    }
    return unused;
}

static void on_term(int number)
{
    (void)number;
    stop = 1;
}

int main(void)
{
    pthread_t other;
    signal(SIGTERM, on_term);
    if (pthread_create(&other, NULL, hold, NULL))
        return 2;
    puts("up");
    fflush(stdout);
    hold(NULL);
    pthread_join(other, NULL);
    printf("turned %d wrong %llu\n", rounds > 10, (unsigned long long)wrong);
    return 0;
}
