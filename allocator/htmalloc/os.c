#include "os.h"

#include "memcheck.h"
#include "options.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* System calls go to the kernel directly: errno is not touched, and in a small process the pages of
 * libc in which its wrappers lie need not become resident. */
#ifdef __x86_64__
static long call(long number, long a, long b, long c, long d, long e, long f)
{
    long result;
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}
#else
static long call(long number, long a, long b, long c, long d, long e, long f)
{
    int saved = errno;
    long result = syscall(number, a, b, c, d, e, f);
    errno = saved;
    return result;
}
#endif

/* Of a call that returns an address; the kernel says -errno where it has none. */
static void *address_of(long result)
{
    return (unsigned long)result >= -4095ul ? NULL : (void *)result;
}

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#ifdef HT_DEBUG
static struct os_failure failure;
static uint64_t calls;

void os_fail(struct os_failure wanted)
{
    failure.kinds = 0; /* no call counts meanwhile; no other thread may be inside the allocator */
    __atomic_store_n(&calls, 0, __ATOMIC_RELAXED);
    failure = wanted;
}

uint64_t os_calls(void)
{
    return __atomic_load_n(&calls, __ATOMIC_RELAXED);
}

void (*os_hook)(enum os_call kind);

static bool must_fail(enum os_call kind)
{
    void (*hook)(enum os_call) = __atomic_load_n(&os_hook, __ATOMIC_ACQUIRE);
    if (hook != NULL)
        hook(kind);
    if ((failure.kinds & kind) == 0)
        return false;
    uint64_t number = __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
    return failure.first != 0 && number >= failure.first && number - failure.first < failure.count;
}
#else
#define must_fail(kind) false
#endif

static void *map(void *hint, size_t bytes, int protection)
{
    if (must_fail(OS_MAP))
        return NULL;
    const long flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    return address_of(call(SYS_mmap, (long)hint, (long)bytes, protection, flags, -1, 0));
}

/* Takes more than is needed and gives back what lies before and behind the aligned part. */
static void *map_and_trim(size_t bytes, size_t align)
{
    size_t whole = bytes + align - HT_PAGE;
    if (whole < bytes)
        return NULL;
    char *start = map(NULL, whole, PROT_READ | PROT_WRITE);
    if (start == NULL)
        return NULL;
    char *aligned = (char *)(((uintptr_t)start + align - 1) & ~(uintptr_t)(align - 1));
    size_t before = (size_t)(aligned - start);
    if (before > 0)
        os_unmap(start, before);
    if (whole - before > bytes)
        os_unmap(aligned + bytes, whole - before - bytes);
    return aligned;
}

/* Huge pages are a matter of the options, not of how the system happens to be set. All that is
 * longer than a large block, which is segments and huge blocks, is asked for as the options say. */
static void *advised(void *address, size_t bytes)
{
    if (address != NULL && bytes > HT_LARGE_MAX && options.huge_pages != 1)
        call(SYS_madvise, (long)address, (long)bytes,
             options.huge_pages == 0 ? MADV_NOHUGEPAGE : MADV_HUGEPAGE, 0, 0, 0);
    return address;
}

static void *map_aligned(size_t bytes, size_t align)
{
    /* The system hands out addresses downwards, so that below the last segment is the likely place
     * for the next; a hit saves two calls. */
    static void *below;
    if (align <= HT_PAGE)
        return map(NULL, bytes, PROT_READ | PROT_WRITE);
    char *hint = __atomic_load_n(&below, __ATOMIC_RELAXED);
    if (bytes == align && align == HT_SEGMENT && hint != NULL) {
        char *got = map(hint, bytes, PROT_READ | PROT_WRITE);
        if (got != NULL && ((uintptr_t)got & (align - 1)) == 0) {
            __atomic_store_n(&below, got - bytes, __ATOMIC_RELAXED);
            return got;
        }
        if (got != NULL)
            os_unmap(got, bytes);
    }
    char *address = map_and_trim(bytes, align);
    if (address != NULL && align == HT_SEGMENT)
        __atomic_store_n(&below, address - bytes, __ATOMIC_RELAXED);
    return address;
}

void *os_map(size_t bytes, size_t align)
{
#ifdef HT_VALGRIND
    void *address = bytes > HT_LARGE_MAX ? memcheck_map(bytes, align) : NULL;
    if (address != NULL)
        return address;
#endif
    return advised(map_aligned(bytes, align), bytes);
}

void *os_map_readable(size_t bytes)
{
    return map(NULL, bytes, PROT_READ);
}

bool os_make_writable(void *address, size_t bytes)
{
    const int protection = PROT_READ | PROT_WRITE;
    return !must_fail(OS_PROTECT) &&
           call(SYS_mprotect, (long)address, (long)bytes, protection, 0, 0, 0) == 0;
}

void os_unmap(void *address, size_t bytes)
{
#ifdef HT_VALGRIND
    if (memcheck_unmap(address, bytes))
        return;
#endif
    if (must_fail(OS_UNMAP) || call(SYS_munmap, (long)address, (long)bytes, 0, 0, 0, 0) != 0)
        os_purge(address, bytes);
}

static size_t purged_bytes;

bool os_purge(void *address, size_t bytes)
{
    if (must_fail(OS_PURGE) ||
        call(SYS_madvise, (long)address, (long)bytes, MADV_DONTNEED, 0, 0, 0) != 0)
        return false;
    __atomic_add_fetch(&purged_bytes, bytes, __ATOMIC_RELAXED);
    return true;
}

size_t os_purged_bytes(void)
{
    return __atomic_load_n(&purged_bytes, __ATOMIC_RELAXED);
}

void os_populate(void *address, size_t bytes)
{
    if (!must_fail(OS_PURGE))
        call(SYS_madvise, (long)address, (long)bytes, MADV_POPULATE_WRITE, 0, 0, 0);
}

void *os_remap(void *address, size_t old_bytes, size_t new_bytes, bool may_move)
{
    if (must_fail(OS_REMAP))
        return NULL;
#ifdef HT_VALGRIND
    return NULL; /* the pages are memcheck's own: memcheck_os.c */
#endif
    const int flags = may_move ? MREMAP_MAYMOVE : 0;
    return address_of(
        call(SYS_mremap, (long)address, (long)old_bytes, (long)new_bytes, flags, 0, 0));
}

void os_wait(const uint32_t *word, uint32_t expected)
{
    call(SYS_futex, (long)word, FUTEX_WAIT_PRIVATE, expected, 0, 0, 0);
}

void os_wake(const uint32_t *word)
{
    call(SYS_futex, (long)word, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
}

uint64_t os_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
