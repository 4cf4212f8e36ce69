/*
 * A preload whose free(NULL) makes an exact known number of memory system calls, by ways that
 * interposing libc's functions would not see: every other turn by an inlined instruction, every
 * third with all signals blocked. Everything else is libc's.
 *
 * Per free(NULL): mmap of 8 KiB, reserving mmap of 16 KiB, mremap of the first to 12 KiB, mprotect
 * of 4 KiB, madvise DONTNEED, FREE, HUGEPAGE, NOHUGEPAGE and COLD of 4 KiB each, munmap of both, a
 * munmap that fails, brk(0), brk up and down by 4 KiB.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

void __libc_free(void *block);

static atomic_flag busy = ATOMIC_FLAG_INIT; /* brk is the process's */
static unsigned turn;

static long inlined(long number, long a, long b, long c, long d, long e, long f)
{
    long answer;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(answer)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return answer;
}

static long by_libc(long number, long a, long b, long c, long d, long e, long f)
{
    return syscall(number, a, b, c, d, e, f);
}

static void check(int right)
{
    if (!right)
        abort();
}

static void calls(void)
{
    long (*call)(long, long, long, long, long, long, long) = turn % 2 ? inlined : by_libc;
    const long flags = MAP_PRIVATE | MAP_ANONYMOUS;
    long first = call(SYS_mmap, 0, 8192, PROT_READ | PROT_WRITE, flags, -1, 0);
    long second = call(SYS_mmap, 0, 16384, PROT_NONE, flags, -1, 0);
    check(first > 0 && second > 0);
    first = call(SYS_mremap, first, 8192, 12288, MREMAP_MAYMOVE, 0, 0);
    *(volatile char *)first = 1;
    check(call(SYS_mprotect, first, 4096, PROT_READ, 0, 0, 0) == 0);
    static const int advice[] = {MADV_DONTNEED, MADV_FREE, MADV_HUGEPAGE, MADV_NOHUGEPAGE,
                                 MADV_COLD};
    for (unsigned i = 0; i < sizeof(advice) / sizeof(*advice); i++)
        check(call(SYS_madvise, first, 4096, advice[i], 0, 0, 0) == 0);
    check(call(SYS_munmap, first, 12288, 0, 0, 0, 0) == 0);
    check(call(SYS_munmap, second, 16384, 0, 0, 0, 0) == 0);
    check(call(SYS_munmap, 1, 4096, 0, 0, 0, 0) != 0);
    long end = call(SYS_brk, 0, 0, 0, 0, 0, 0);
    check(call(SYS_brk, end + 4096, 0, 0, 0, 0, 0) == end + 4096);
    check(call(SYS_brk, end, 0, 0, 0, 0, 0) == end);
}

__attribute__((visibility("default"))) void free(void *block)
{
    if (block) {
        __libc_free(block);
        return;
    }
    sigset_t all, before;
    sigfillset(&all);
    while (atomic_flag_test_and_set(&busy))
        continue;
    if (turn % 3 == 0)
        check(sigprocmask(SIG_SETMASK, &all, &before) == 0);
    calls();
    if (turn % 3 == 0) {
        sigset_t now;
        check(sigprocmask(SIG_SETMASK, &before, &now) == 0);
        check(sigismember(&now, SIGUSR1) == 1); /* the others were blocked */
    }
    turn++;
    atomic_flag_clear(&busy);
}
