/*
 * The allocator behind us: the next definitions in link order, whoever they belong to. All NULL
 * until next_find() has run; it may itself allocate (dlsym), so calls before and during it are
 * served by bootstrap.h.
 */
#ifndef HEAPTAPE_RECORDER_NEXT_H
#define HEAPTAPE_RECORDER_NEXT_H

#include <spawn.h>
#include <stdbool.h>
#include <stddef.h>

struct next_functions {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void (*free)(void *);
    void *(*memalign)(size_t, size_t);
    void *(*aligned_alloc)(size_t, size_t);
    int (*posix_memalign)(void **, size_t, size_t);
    void *(*valloc)(size_t);
    void *(*pvalloc)(size_t);
    size_t (*malloc_usable_size)(void *);
};
extern struct next_functions next;

/*
 * The calls that start programs (exec.c). Found at the same time: a forked child of a threaded
 * program must not look them up, since the loader's lock may be held for ever in it.
 */
struct next_exec_functions {
    int (*execve)(const char *, char *const[], char *const[]);
    int (*execvpe)(const char *, char *const[], char *const[]);
    int (*posix_spawn)(pid_t *, const char *, const posix_spawn_file_actions_t *,
                       const posix_spawnattr_t *, char *const[], char *const[]);
    int (*posix_spawnp)(pid_t *, const char *, const posix_spawn_file_actions_t *,
                        const posix_spawnattr_t *, char *const[], char *const[]);
};
extern struct next_exec_functions next_exec;

/* Fills both; once, before any thread records. False: there is none (then nothing works). */
bool next_find(void);
/* A further name, looked up at its first use; NULL where nobody behind us defines it. */
void *next_symbol(const char *name);
/* Is this address in the object that provides malloc? */
bool next_contains(const void *address);
/* Is this address in the preload itself? */
bool next_is_ours(const void *address);
/*
 * Was a call that came inside another one made by the allocator itself? Either from its object, or,
 * where it left by a jump, as if from ours. Never from glibc's, which does not call itself by the
 * public names but calls them for everybody else (strdup, fopen).
 */
bool next_is_caller(const void *caller);
/* It is glibc's, which never calls itself by the public names. */
bool next_is_libc(void);
/* The file that provides malloc. */
const char *next_path(void);

#endif
