/*
 * Blocks with names, for pictures of the heap and leak checks. Defined by the textbook allocators
 * when one is preloaded (`heaptape run -a first-fit -- PROGRAM`); where there is none both are
 * NULL, so a program asks before it calls:
 *
 *     char *line = malloc_name ? malloc_name(120, "line") : malloc(120);
 *
 * TEXTBOOK_PICTURE=text then shows
 *
 *            40      144  used  line
 *
 * and TEXTBOOK_LEAKS=1 tells the names of what was not freed. A name has up to 23 bytes, the rest
 * is cut off. Any thread may call them. The header needs nothing but <stddef.h> and ELF's weak
 * symbols.
 */
#ifndef MALLOC_NAME_H
#define MALLOC_NAME_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* malloc(size), and the block is called `name` from then on; realloc keeps it, free ends it. */
__attribute__((weak)) void *malloc_name(size_t size, const char *name);
/* Another name for a block that there is; "" for none. Returns the block. */
__attribute__((weak)) void *malloc_rename(void *block, const char *name);

#ifdef __cplusplus
}
#endif

#endif
