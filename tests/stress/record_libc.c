/*
 * Stands in front of libc's wrappers of system calls and counts who uses them. Preloaded behind the
 * recorder: its hooks, which make system calls themselves, must not come here. Prints the counts
 * on stderr at the end.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static _Atomic unsigned used;

/* All take at most six words. */
#define WRAPPER(name)                                                                              \
    long name(long a, long b, long c, long d, long e, long f);                                     \
    long name(long a, long b, long c, long d, long e, long f)                                      \
    {                                                                                              \
        static long (*next)(long, long, long, long, long, long);                                   \
        atomic_fetch_add(&used, 1);                                                                \
        if (!next)                                                                                 \
            *(void **)&next = dlsym(RTLD_NEXT, #name);                                             \
        return next(a, b, c, d, e, f);                                                             \
    }

/* clang-format off */
WRAPPER(mmap) WRAPPER(mmap64) WRAPPER(munmap) WRAPPER(mremap) WRAPPER(madvise) WRAPPER(mprotect)
WRAPPER(open) WRAPPER(open64) WRAPPER(openat) WRAPPER(close) WRAPPER(read) WRAPPER(pread)
WRAPPER(write) WRAPPER(readlink) WRAPPER(access) WRAPPER(getpid) WRAPPER(getppid) WRAPPER(gettid)
WRAPPER(sched_yield) WRAPPER(nanosleep) WRAPPER(clock_gettime) WRAPPER(sigprocmask)
WRAPPER(pthread_sigmask) WRAPPER(kill) WRAPPER(tgkill) WRAPPER(fstat) WRAPPER(ftruncate)
    /* clang-format on */

    /* More words, or a result that a wrapper would lose. */
    long syscall(long number, long a, long b, long c, long d, long e, long f);
long syscall(long number, long a, long b, long c, long d, long e, long f)
{
    static long (*next)(long, long, long, long, long, long, long);
    atomic_fetch_add(&used, 1);
    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "syscall");
    return next(number, a, b, c, d, e, f);
}

__attribute__((destructor)) static void tell(void)
{
    fprintf(stderr, "%s used libc's wrappers %u times\n", program_invocation_short_name,
            atomic_load(&used));
}
