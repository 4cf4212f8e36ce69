/*
 * dlopen() with RTLD_DEEPBIND makes a plug-in find libc's malloc before ours, so that blocks of two
 * allocators meet in one free(). The flag is taken away; everything else is libc's. dlopen() looks
 * at its caller's address to find the caller's search path, so that ours must leave no frame of its
 * own.
 */
#include "config.h"

#include <dlfcn.h>

typedef void *(*dlopen_function)(const char *, int);

/* Seen from outside. NOLINTNEXTLINE(readability-redundant-declaration) */
__attribute__((visibility("default"))) void *dlopen(const char *path, int flags);

static dlopen_function next_dlopen;

static HT_NOINLINE dlopen_function find_next(void)
{
    dlopen_function next = (dlopen_function)dlsym(RTLD_NEXT, "dlopen");
    __atomic_store_n(&next_dlopen, next, __ATOMIC_RELEASE);
    return next;
}

/* The call at the end must be a jump, whatever the build's options: each compiler has a word of its
 * own for that. */
#ifdef __clang__
#define JUMPS
#define JUMP_TO __attribute__((musttail)) return
#else
#define JUMPS   __attribute__((optimize("O2", "optimize-sibling-calls")))
#define JUMP_TO return
#endif

JUMPS void *dlopen(const char *path, int flags)
{
    dlopen_function next = __atomic_load_n(&next_dlopen, __ATOMIC_ACQUIRE);
    if (ht_unlikely(next == NULL))
        next = find_next();
    JUMP_TO next(path, flags & ~RTLD_DEEPBIND); /* next returns to our caller */
}
