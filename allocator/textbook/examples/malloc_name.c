/*
 * Blocks with names. It runs on any allocator; on a textbook one the picture shows them:
 *
 *     cc malloc_name.c -I/usr/local/include
 *     heaptape run -a best-fit,TEXTBOOK_PICTURE=text,TEXTBOOK_LEAKS=1 -- ./a.out
 */
#include <stdlib.h>
#include <string.h>
#include <textbook/malloc_name.h>

static void *named(size_t size, const char *name)
{
    return malloc_name ? malloc_name(size, name) : malloc(size);
}

int main(void)
{
    char *title = named(100, "title"), *scratch = named(300, "scratch"), *list = named(50, "list");
    if (!title || !scratch || !list)
        return 1;
    strcpy(list, "kept");
    free(scratch);
    list = realloc(list, 5000); /* the name goes along */
    if (!list || strcmp(list, "kept") != 0)
        return 1;
    if (malloc_rename)
        malloc_rename(title, "title, never freed");
    return 0;
}
