/*
 * What an allocator is described by, as after -a and in a file of named ones:
 *
 *   NAME                        one that is found or described: libc, htmalloc, jemalloc, ...
 *   NAME,ENV=VALUE...           the same with environment variables; it is called NAME+ENV
 *   NAME=TARGET[,ENV=VALUE...]  under a name of one's own; TARGET is a path or one of the names
 * above PATH[,ENV=VALUE...]         a path (with a slash in it); the name is taken from the file
 *
 * A part after a comma that does not begin with a variable's name and "=" belongs to what stands
 * before it, so MALLOC_CONF=a:1,b:2 works; "\," is a comma in any case. A path may hold commas and
 * "=": it ends at the first ",ENV=" before which a file of that name is there. "~/" is $HOME.
 */
#ifndef HEAPTAPE_REPLAYER_DRIVER_ALLOCATOR_SPEC_H
#define HEAPTAPE_REPLAYER_DRIVER_ALLOCATOR_SPEC_H

#include <limits.h>
#include <stddef.h>
#include "replayer/driver/allocators.h"

struct allocator_spec {
    char name[sizeof((struct allocator *)0)->name]; /* empty: as the target is called */
    char *target;                                   /* a name, or a path as it was written */
    const char *environment[ALLOCATOR_ENVIRONMENT_MAX + 1];
};

/* Where a description stands, for messages and relative paths. */
struct allocator_place {
    const char *words;  /* "-a SPEC" or "FILE:LINE" */
    const char *folder; /* that relative paths start from; NULL: the current one */
};

/* Ends the tool with 2 and `place` where the text is none. Strings of *ret_spec are kept for ever.
 */
void allocator_spec_parse(const char *text, const struct allocator_place *place,
                          struct allocator_spec *ret_spec);
/* `target` with "~/" and `folder` before it where they belong. Returns path. */
const char *allocator_spec_path(const char *target, const struct allocator_place *place,
                                char path[PATH_MAX]);
/* Whether the text of a target is a path rather than a name. */
bool allocator_spec_is_path(const char *target);
/* "libfoo-1.so.2" is foo-1. */
void allocator_spec_name_of(const char *path, char *name, size_t bytes);

#endif
