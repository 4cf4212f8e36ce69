/*
 * After a line on standard input loads attach_plugin.so, by the path given or by its name alone
 * (found along our run path), and works in it; before that, 10 blocks of 1031 bytes of its own.
 *
 *     attach_loads PATH-OR-NAME
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    void (*work)(void);
    if (argc < 2)
        return 2;
    puts("up");
    fflush(stdout);
    getchar();
    for (int i = 0; i < 10; i++)
        free(malloc(1031));
    void *plugin = dlopen(argv[1], RTLD_NOW);
    if (!plugin) {
        puts(dlerror());
        return 1;
    }
    *(void **)&work = dlsym(plugin, "plugin_work");
    work();
    puts("worked");
    return dlclose(plugin);
}
