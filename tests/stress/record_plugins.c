/*
 * Loads record_plugin.so (PATH) and unloads it again, ROUNDS times, and lets it work; its own
 * blocks are of 1031 bytes, 100 a round.
 *
 *     record_plugins PATH ROUNDS [HOW]
 *
 * HOW: plain; global (RTLD_GLOBAL); deepbind, where the plug-in takes libc's own malloc past every
 * preload; own, a namespace with a libc of its own (dlmopen). The first three hand blocks over.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef char *work_function(char *);

static void *load(const char *path, const char *how)
{
    if (!strcmp(how, "own"))
        return dlmopen(LM_ID_NEWLM, path, RTLD_NOW);
    return dlopen(path, RTLD_NOW | (!strcmp(how, "global")     ? RTLD_GLOBAL
                                    : !strcmp(how, "deepbind") ? RTLD_DEEPBIND
                                                               : 0));
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    const char *how = argc > 3 ? argv[3] : "plain";
    int rounds = atoi(argv[2]);
    for (int i = 0; i < rounds; i++) {
        void *plugin = load(argv[1], how);
        if (!plugin) {
            fprintf(stderr, "%s\n", dlerror());
            return 3;
        }
        for (int j = 0; j < 100; j++)
            free(malloc(1031));
        work_function *work = (work_function *)(uintptr_t)dlsym(plugin, "plugin_work");
        char *given = strcmp(how, "own") ? malloc(1047) : NULL;
        char *taken = work(given);
        if (strcmp(how, "own"))
            free(taken); /* of another libc it would be no block of ours */
        dlclose(plugin);
    }
    (void)dlopen("/nowhere/at/all.so", RTLD_NOW); /* libc allocates the message */
    printf("rounds %d, then %s\n", rounds, dlerror() ? "an error" : "none");
    return 0;
}
