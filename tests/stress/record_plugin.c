/*
 * A library that allocates in its constructor, when it is called and in its destructor, by libc's
 * doing too (strdup), and keeps one block for ever. plugin_work() hands a block to its caller, who
 * frees it, and frees one that it is given.
 */
#include <stdlib.h>
#include <string.h>

static char *kept;

char *plugin_work(char *given);

__attribute__((constructor)) static void begin(void)
{
    kept = malloc(1127);
    for (int i = 0; i < 20; i++)
        free(malloc(1143));
}

__attribute__((destructor)) static void end(void)
{
    free(kept);
    for (int i = 0; i < 30; i++)
        free(malloc(1159));
    if (!malloc(1175)) /* stays */
        abort();
}

char *plugin_work(char *given)
{
    free(strdup("a plug-in that has work to do"));
    free(given);
    for (int i = 0; i < 100; i++)
        free(realloc(malloc(1191), 1207));
    return malloc(1223);
}
