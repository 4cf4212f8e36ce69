/*
 * The allocators that this machine has, and those named with -a. An allocator is a shared object
 * that is preloaded; libc's own has no path. Each is tried in a child process with the very
 * LD_PRELOAD that a run will use, so "found" means: it loads, and malloc is its malloc.
 *
 *   -a NAME                      one that is found: libc, htmalloc, jemalloc, ...
 *   -a NAME=PATH                 any shared object that defines malloc
 *   -a NAME=PATH,ENV=VALUE       with environment variables (a part without "=" belongs to the
 * value before it, so MALLOC_CONF=a:1,b:2 works); PATH may be a found one's name -a PATH/libNAME.so
 * the name is taken from the file
 *
 * Memory is never given back: the list lives as long as its tool.
 */
#ifndef HEAPTAPE_REPLAYER_DRIVER_ALLOCATORS_H
#define HEAPTAPE_REPLAYER_DRIVER_ALLOCATORS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define ALLOCATOR_LIBC            "libc"
#define ALLOCATOR_NULL            "null"
#define ALLOCATOR_ENVIRONMENT_MAX 16

struct allocator {
    char name[64];
    char path[PATH_MAX];                                    /* absolute; empty for libc */
    char version[64];                                       /* empty where it cannot be told */
    const char *environment[ALLOCATOR_ENVIRONMENT_MAX + 1]; /* "NAME=VALUE", NULL at the end */
    bool is_floor; /* the null allocator: it measures the replay's own cost */
};

struct allocator_list {
    struct allocator *items;
    size_t count;
};

/* Every allocator found, libc first and null last. Needs interrupt_begin() (process.h). */
void allocators_find(struct allocator_list *ret_list);
/*
 * Appends what SPEC (the text after -a) names, unless it is there already under that name. Ends the
 * tool: unknown name 2 with the names that there are, a path that does not load 4 with the loader's
 * words.
 */
void allocators_add(struct allocator_list *list, const char *spec);
/* The one of that name, or NULL. */
const struct allocator *allocators_named(const struct allocator_list *list, const char *name);
/* The names that allocators_find() looks for, and the Debian package that has each (NULL: our own).
 */
struct allocator_known {
    const char *name, *package;
    const char
        *files[6]; /* sonames, best first; relative to our lib folder where package is NULL */
};
extern const struct allocator_known allocators_known[];
extern const size_t allocators_known_count;

#endif
