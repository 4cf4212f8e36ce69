/*
 * malloc over a heap that is set aside at the first call, as in courses on operating systems: best
 * fit, blocks coalesced at once, 128 KiB taken from brk before the first block, larger requests
 * mapped each by itself. os_calloc() maps from a page on, since fresh pages are zeros already.
 *
 *     cc example.c -I/usr/local/include -L/usr/local/lib/heaptape -ltextbook-mem -pthread
 *
 * The same heap as mem.h's, so both may be used in one program; with os_ calls in it these defaults
 * hold for all of it. TEXTBOOK_POLICY, TEXTBOOK_SET_ASIDE and the other switches come before them.
 *
 * Any thread may call any of these. Each system call is checked: where the kernel gives no memory
 * the result is NULL with errno ENOMEM, and the heap is as it was. A pointer that is not a block,
 * or was freed before, ends the program with one line on stderr where it is noticed.
 */
#ifndef TEXTBOOK_OS_ALLOC_H
#define TEXTBOOK_OS_ALLOC_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

void *os_malloc(size_t size);               /* NULL for 0 */
void *os_calloc(size_t count, size_t size); /* filled with zeros; NULL for 0 */
/* NULL is os_malloc(size); size 0 frees the block and returns NULL. Grows in place where it can,
 * into the free blocks behind and in front of it. On failure the block stays as it was. */
void *os_realloc(void *block, size_t size);
void os_free(void *block); /* NULL: nothing */

#ifdef __cplusplus
}
#endif

#endif
