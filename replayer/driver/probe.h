/*
 * Whose malloc does a program get when PATH is preloaded, and which version is it? Asked in a child
 * process with that very LD_PRELOAD: loading a malloc into ourselves would not be safe.
 */
#ifndef HEAPTAPE_REPLAYER_DRIVER_PROBE_H
#define HEAPTAPE_REPLAYER_DRIVER_PROBE_H

#include <limits.h>

enum probe_status {
    PROBE_OK,        /* path and version are filled */
    PROBE_NOT_FOUND, /* the loader has no such file */
    PROBE_BROKEN,    /* the loader refuses it, or it defines no malloc; `message` says which */
    PROBE_DIED,      /* it crashed or hung before main(): it may be run, and will show as crashed */
};

struct probe {
    char path[PATH_MAX]; /* as the loader found it */
    char version[64];    /* empty where it cannot be told */
    char message[512];
};

/* `preload` is a path or a soname; "" asks about libc's own malloc. */
enum probe_status probe_run(const char *preload, const char *const *environment,
                            struct probe *ret_probe);
/* The child's side: main() of heaptape-allocators calls it when its first argument is
 * PROBE_ARGUMENT. */
#define PROBE_ARGUMENT "--probe-self"
int probe_self(void);

#endif
