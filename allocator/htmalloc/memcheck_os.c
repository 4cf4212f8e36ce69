/* Of the build for Valgrind alone: pages for segments and huge blocks out of memcheck's own heap,
 * which the C library's malloc leads to under Valgrind (memcheck.h). */
#include "memcheck.h"

#ifdef HT_VALGRIND

#include "os.h"

#include <valgrind/memcheck.h>

void *__libc_memalign(size_t align, size_t size);
void __libc_free(void *address);

/* All that there are. The list is in memory that is searched, so that none is ever a leak. */
#define PIECES 65536u
static struct piece {
    char *base;
    size_t bytes;
} pieces[PIECES];
static size_t pieces_count;
static struct ht_lock pieces_lock;

void *memcheck_map(size_t bytes, size_t align)
{
    if (!RUNNING_ON_VALGRIND || pieces_count == PIECES)
        return NULL;
    char *base = __libc_memalign(align, bytes);
    if (base == NULL)
        return NULL;
    os_purge(base, bytes); /* zeros, as from the system */
    /* A block of one byte as far as memcheck tells, so that it tells of the program's inside it. */
    VALGRIND_RESIZEINPLACE_BLOCK(base, bytes, 1, 0);
    VALGRIND_MAKE_MEM_NOACCESS(base, bytes);
    lock_take(&pieces_lock);
    pieces[pieces_count++] = (struct piece){base, bytes};
    lock_give(&pieces_lock);
    return base;
}

bool memcheck_unmap(char *address, size_t bytes)
{
    struct piece found = {NULL, 0};
    lock_take(&pieces_lock);
    for (size_t i = 0; i < pieces_count && found.base == NULL; i++) {
        if (address >= pieces[i].base && address < pieces[i].base + pieces[i].bytes) {
            found = pieces[i];
            if (found.base == address && found.bytes == bytes)
                pieces[i] = pieces[--pieces_count];
        }
    }
    lock_give(&pieces_lock);
    if (found.base == NULL)
        return false;
    if (found.base == address && found.bytes == bytes)
        __libc_free(found.base);
    else
        os_purge(address, bytes);
    return true;
}

/* By its count of what is freed memcheck keeps a few bytes for long: nothing of it is used again,
 * so that what late destructors still touch stands. */
void memcheck_unmap_all(void)
{
    while (pieces_count > 0)
        __libc_free(pieces[--pieces_count].base);
}

#endif
