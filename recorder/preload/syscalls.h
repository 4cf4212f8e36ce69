/*
 * System calls without libc: no errno, no cancellation point, nothing that a program could have
 * interposed. They return what the kernel does: -4095..-1 is an error.
 */
#ifndef HEAPTAPE_RECORDER_SYSCALLS_H
#define HEAPTAPE_RECORDER_SYSCALLS_H

#include <fcntl.h>
#include <linux/futex.h>
#include <stdint.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>

#ifndef __x86_64__
#error "heaptape records on x86-64 only"
#endif

static inline long raw_call(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

static inline bool raw_failed(long result)
{
    return (unsigned long)result >= -4095UL;
}

static inline uint32_t raw_getpid(void)
{
    return (uint32_t)raw_call(SYS_getpid, 0, 0, 0, 0, 0, 0);
}
static inline uint32_t raw_getppid(void)
{
    return (uint32_t)raw_call(SYS_getppid, 0, 0, 0, 0, 0, 0);
}
static inline uint32_t raw_gettid(void)
{
    return (uint32_t)raw_call(SYS_gettid, 0, 0, 0, 0, 0, 0);
}
static inline void raw_yield(void)
{
    raw_call(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
}
static inline long raw_open(const char *path, int flags)
{
    return raw_call(SYS_openat, AT_FDCWD, (long)path, flags | O_CLOEXEC, 0, 0, 0);
}
static inline void raw_close(long fd)
{
    raw_call(SYS_close, fd, 0, 0, 0, 0, 0);
}
static inline long raw_read(long fd, void *buffer, size_t bytes)
{
    return raw_call(SYS_read, fd, (long)buffer, (long)bytes, 0, 0, 0);
}
static inline long raw_readlink(const char *path, char *buffer, size_t bytes)
{
    return raw_call(SYS_readlink, (long)path, (long)buffer, (long)bytes, 0, 0, 0);
}
static inline void *raw_mmap(void *address, size_t bytes, int protection, int flags, long fd,
                             uint64_t offset)
{
    long result =
        raw_call(SYS_mmap, (long)address, (long)bytes, protection, flags, fd, (long)offset);
    return raw_failed(result) ? NULL : (void *)result;
}
static inline void raw_munmap(void *address, size_t bytes)
{
    raw_call(SYS_munmap, (long)address, (long)bytes, 0, 0, 0, 0);
}
/* A thread of this process: is it there still? */
static inline bool raw_thread_lives(uint32_t pid, uint32_t tid)
{
    return raw_call(SYS_tgkill, pid, tid, 0, 0, 0, 0) != -3; /* ESRCH */
}
static inline uint64_t raw_monotonic_ns(void)
{
    struct timespec now = {0, 0};
    raw_call(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&now, 0, 0, 0, 0);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}
/* Shared between processes, so no FUTEX_PRIVATE_FLAG. */
static inline void raw_futex_wait(_Atomic uint32_t *word, uint32_t value, long timeout_ns)
{
    struct timespec timeout = {0, timeout_ns};
    raw_call(SYS_futex, (long)word, FUTEX_WAIT, value, (long)&timeout, 0, 0);
}
static inline void raw_futex_wake(_Atomic uint32_t *word)
{
    raw_call(SYS_futex, (long)word, FUTEX_WAKE, 1, 0, 0, 0);
}

/* All signals blocked; *ret_old takes what was, for raw_signals_restore(). */
static inline void raw_signals_block(uint64_t *ret_old)
{
    uint64_t all = ~UINT64_C(0);
    raw_call(SYS_rt_sigprocmask, 0 /* SIG_BLOCK */, (long)&all, (long)ret_old, sizeof all, 0, 0);
}
static inline void raw_signals_restore(const uint64_t *old)
{
    raw_call(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, (long)old, 0, sizeof *old, 0, 0);
}

#endif
