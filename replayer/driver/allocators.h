/*
 * The allocators that this machine has, and those named with -a. An allocator is a shared object
 * that is preloaded; libc's own has no path. Each is tried in a child process with the very
 * LD_PRELOAD that a run will use, so "found" means: it loads, and malloc is its malloc.
 *
 * What follows -a is described in allocator_spec.h.
 *
 * Memory is never given back: the list lives as long as its tool.
 */
#ifndef HEAPTAPE_REPLAYER_DRIVER_ALLOCATORS_H
#define HEAPTAPE_REPLAYER_DRIVER_ALLOCATORS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include "replayer/driver/build_id.h"

#define ALLOCATOR_LIBC            "libc"
#define ALLOCATOR_NULL            "null"
#define ALLOCATOR_TEXTBOOK        "textbook" /* after -a: all of the textbook policies */
#define ALLOCATOR_ENVIRONMENT_MAX 16

struct allocator {
    char name[64];
    char path[PATH_MAX];           /* absolute; empty for libc */
    char version[64];              /* empty where it cannot be told */
    char package[96];              /* Debian's, with its version (allocators_packages()) */
    char build_id[BUILD_ID_BYTES]; /* of the file; libc's own for libc */
    const char *environment[ALLOCATOR_ENVIRONMENT_MAX + 1]; /* "NAME=VALUE", NULL at the end */
    bool is_floor; /* the null allocator: it measures the replay's own cost */
};

struct allocator_list {
    struct allocator *items;
    size_t count;
};

/*
 * Every allocator found, libc first and null last, and those that files describe
 * (allocator_file.h); where `all`, also the textbook policies and htmalloc-hard, which are there to
 * be named and run nowhere unasked. Needs interrupt_begin() (process.h).
 */
void allocators_find(struct allocator_list *ret_list, bool all);
/*
 * Appends what SPEC (the text after -a) describes, unless it is a name that is there already;
 * "textbook" describes all those policies. Ends
 * the tool: unknown name 2 with the names that there are, a path that does not load 4 with the
 * loader's words.
 */
void allocators_add(struct allocator_list *list, const char *spec);
/* The same for tools that run one allocator: ends with 2 where SPEC describes several. */
void allocators_add_one(struct allocator_list *list, const char *spec);
/* Fills `package` of those that a package owns, by asking dpkg-query; a tenth of a second. */
void allocators_packages(struct allocator_list *list);
/* The one of that name, or NULL. */
const struct allocator *allocators_named(const struct allocator_list *list, const char *name);
/* The names that allocators_find() looks for, and the Debian package that has each (NULL: our own).
 */
struct allocator_known {
    const char *name, *package;
    const char
        *files[6];   /* sonames, best first; relative to our lib folder where package is NULL */
    bool textbook;   /* one of allocator/textbook */
    bool named_only; /* taken when it is named, and not among those that are found */
};
extern const struct allocator_known allocators_known[];
extern const size_t allocators_known_count;

#endif
