/* A plug-in for conditions: allocates for others and frees theirs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC visibility push(default)
void *plugin_give(size_t size);
void plugin_take(void *block);
char *plugin_text(int number);
void *plugin_change(void *block, size_t size);
#pragma GCC visibility pop

static char *kept;

static __attribute__((constructor)) void setup(void)
{
    kept = strdup("kept from the beginning to the end");
}

static __attribute__((destructor)) void finish(void)
{
    free(kept);
}

void *plugin_give(size_t size)
{
    return malloc(size);
}

void plugin_take(void *block)
{
    free(block);
}

/* By a function of the C library that allocates. */
char *plugin_text(int number)
{
    char *text = NULL;
    return asprintf(&text, "%d", number) < 0 ? NULL : text;
}

void *plugin_change(void *block, size_t size)
{
    return realloc(block, size);
}
