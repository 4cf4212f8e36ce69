/*
 * A preload that counts every call of the malloc family between main() and the end of the process,
 * by any thread and from anywhere, libc included, and serves it from libc. Writes the counts to the
 * file that ENGINE_COUNT names. ENGINE_CRASH=N aborts at the N-th call of malloc after main()
 * began.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *block);

enum { MALLOC, CALLOC, REALLOC, ALIGNED, FREE, USABLE, KINDS };
static const char *const words[KINDS] = {"malloc",  "calloc", "realloc",
                                         "aligned", "free",   "usable"};
static _Atomic unsigned long counts[KINDS];
static unsigned long crash_at;
static size_t (*next_usable)(void *block);

EXPORT void *malloc(size_t size)
{
    if (atomic_fetch_add(&counts[MALLOC], 1) + 1 == crash_at)
        abort();
    return __libc_malloc(size);
}

EXPORT void *calloc(size_t count, size_t size)
{
    atomic_fetch_add(&counts[CALLOC], 1);
    return __libc_calloc(count, size);
}

EXPORT void *realloc(void *block, size_t size)
{
    atomic_fetch_add(&counts[REALLOC], 1);
    return __libc_realloc(block, size);
}

EXPORT void *memalign(size_t alignment, size_t size)
{
    atomic_fetch_add(&counts[ALIGNED], 1);
    return __libc_memalign(alignment, size);
}

EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

EXPORT int posix_memalign(void **ret_block, size_t alignment, size_t size)
{
    void *block = memalign(alignment, size);
    if (!block)
        return ENOMEM;
    *ret_block = block;
    return 0;
}

EXPORT void free(void *block)
{
    atomic_fetch_add(&counts[FREE], 1);
    __libc_free(block);
}

EXPORT size_t malloc_usable_size(void *block)
{
    atomic_fetch_add(&counts[USABLE], 1);
    return next_usable(block);
}

__attribute__((constructor)) static void begin(void)
{
    void *next = dlsym(RTLD_NEXT, "malloc_usable_size");
    memcpy(&next_usable, &next, sizeof(next));
}

/* The counts, as main() left them and libc's exit has finished. */
__attribute__((destructor)) static void report(void)
{
    const char *path = getenv("ENGINE_COUNT");
    char text[512];
    int length = 0;
    for (int i = 0; i < KINDS; i++)
        length += snprintf(text + length, sizeof(text) - (size_t)length, "%s %lu\n", words[i],
                           atomic_load(&counts[i]));
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600) : -1;
    if (fd < 0 || write(fd, text, (size_t)length) != length)
        abort();
    close(fd);
}

typedef int main_function(int argc, char **argv, char **environment);
static main_function *real_main;

static int counted_main(int argc, char **argv, char **environment)
{
    const char *crash = getenv("ENGINE_CRASH");
    crash_at = crash ? strtoul(crash, NULL, 10) : 0;
    for (int i = 0; i < KINDS; i++)
        atomic_store(&counts[i], 0);
    return real_main(argc, argv, environment);
}

int __libc_start_main(main_function *program_main, int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*rtld_fini)(void), void *stack_end);

EXPORT int __libc_start_main(main_function *program_main, int argc, char **argv, void (*init)(void),
                             void (*fini)(void), void (*rtld_fini)(void), void *stack_end)
{
    __typeof__(&__libc_start_main) next;
    void *symbol = dlsym(RTLD_NEXT, "__libc_start_main");
    memcpy(&next, &symbol, sizeof(next));
    real_main = program_main;
    return next(counted_main, argc, argv, init, fini, rtld_fini, stack_end);
}
