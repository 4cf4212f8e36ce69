/*
 * What the build for Valgrind (make valgrind: libtextbook-valgrind.so) tells memcheck, so that its
 * errors are those of the program on this heap. In the other builds all of it is nothing.
 *
 *     TEXTBOOK_POLICY=best-fit LD_PRELOAD=.../libtextbook-valgrind.so valgrind
 *         --soname-synonyms=somalloc=nouserintercepts --leak-check=full PROGRAM
 *
 * Without that option memcheck puts its own malloc in our place and never sees this one.
 *
 * Regions and large blocks are out of bounds until a block is handed out, and so are tags, links
 * and what lies behind a block's last byte. Where the allocator itself is at work (with the lock
 * held) nothing is reported. So that the end of a block is exact, the size that was asked for is
 * kept behind it:
 *
 *     | tag | payload, as asked for | at least 16 bytes out of bounds | size 8 | (site 8) | footer
 * |
 *
 * realloc always moves in this build. What is freed is used again at once, as the policy says: a
 * use after free is seen until then. memcheck takes all of a region for a place where pointers may
 * be, so a block that only a leaked block leads to is told as still reachable.
 */
#ifndef TEXTBOOK_MEMCHECK_H
#define TEXTBOOK_MEMCHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#ifdef TEXTBOOK_VALGRIND

#include <valgrind/memcheck.h>

#define MEMCHECK          true
#define MEMCHECK_TAIL     ((size_t)24) /* bytes behind what was asked for, before the site */
#define MEMCHECK_RED_ZONE 8            /* the tag; before the payload */

#define memcheck_inside()           VALGRIND_DISABLE_ERROR_REPORTING
#define memcheck_outside()          VALGRIND_ENABLE_ERROR_REPORTING
#define memcheck_hide(start, bytes) VALGRIND_MAKE_MEM_NOACCESS(start, bytes)
#define memcheck_take(payload, size)                                                               \
    VALGRIND_MALLOCLIKE_BLOCK(payload, size, MEMCHECK_RED_ZONE, false)

/* False where memcheck knows no such block, and has said so. */
static inline bool memcheck_give(const void *payload)
{
    unsigned long errors = VALGRIND_COUNT_ERRORS;
    VALGRIND_FREELIKE_BLOCK(payload, MEMCHECK_RED_ZONE);
    return VALGRIND_COUNT_ERRORS == errors;
}

/* Whether the program may use the block; told where not. */
static inline bool memcheck_may_use(const void *payload)
{
    return VALGRIND_CHECK_MEM_IS_ADDRESSABLE(payload, 1) == 0;
}

#else

#define MEMCHECK      false
#define MEMCHECK_TAIL ((size_t)0)

#define memcheck_inside()            ((void)0)
#define memcheck_outside()           ((void)0)
#define memcheck_hide(start, bytes)  ((void)0)
#define memcheck_take(payload, size) ((void)0)
#define memcheck_give(payload)       true
#define memcheck_may_use(payload)    true

#endif

/* The size that was asked for, in the word that ends at `end`. */
static inline size_t memcheck_size(const char *end)
{
    size_t size;
    memcpy(&size, end - sizeof size, sizeof size);
    return size;
}

static inline void memcheck_set_size(char *end, size_t size)
{
    memcpy(end - sizeof size, &size, sizeof size);
}

#endif
