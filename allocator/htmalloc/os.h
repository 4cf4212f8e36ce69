/* What htmalloc asks of the system. os.c is the only file that makes system calls for memory, waits
 * or time. Every function leaves errno as it was; failure is the return value alone. */
#ifndef HTMALLOC_OS_H
#define HTMALLOC_OS_H

#include "config.h"

/* Maps `bytes` (a multiple of the page) of zeroed, writable memory at a multiple of `align` (a
 * power of two, at least a page). NULL when the system refuses. Whether it may become huge pages is
 * what the option huge_pages says: by itself the system is not left to choose. */
void *os_map(size_t bytes, size_t align);

/* Maps `bytes` that may be read (as zeros) but not yet written. NULL when the system refuses. */
void *os_map_readable(size_t bytes);

/* Makes pages of a readable mapping writable. */
bool os_make_writable(void *address, size_t bytes);

/* Gives address space back. It can fail only at the limit on the number of mappings; then the pages
 * are given back and the addresses stay taken. */
void os_unmap(void *address, size_t bytes);

/* Gives the pages back and keeps the addresses; they read as zeros afterwards. False when refused
 * (the pages may be locked), in which case they still hold what they held. */
bool os_purge(void *address, size_t bytes);

/* The bytes that os_purge() has given back so far, in all threads. */
size_t os_purged_bytes(void);

/* Makes the pages resident in one step, which is cheaper than one fault each. A hint. */
void os_populate(void *address, size_t bytes);

/* Changes the size of a mapping, moving it where it must. NULL when refused; the old one then
 * stands. */
void *os_remap(void *address, size_t old_bytes, size_t new_bytes, bool may_move);

/* Sleeps while *word is `expected`; returns on a wake, a signal or a change. */
void os_wait(const uint32_t *word, uint32_t expected);
void os_wake(const uint32_t *word);

/* Milliseconds from a coarse monotonic clock that costs no system call. */
uint64_t os_now_ms(void);

#ifdef HT_DEBUG
/* Tests only: calls of the kinds are counted from os_fail() on; from the `first`-th (1 = the next)
 * `count` of them fail as if the system had refused. {0} = all goes on as usual. */
enum os_call {
    OS_MAP = 1,
    OS_UNMAP = 2,
    OS_REMAP = 4,
    OS_PURGE = 8, /* and os_populate() */
    OS_PROTECT = 16,
};
#define OS_TAKES (OS_MAP | OS_REMAP | OS_PROTECT)
#define OS_ALL   (OS_TAKES | OS_UNMAP | OS_PURGE)

struct os_failure {
    unsigned kinds; /* enum os_call, joined */
    uint64_t first, count;
};
void os_fail(struct os_failure wanted);
uint64_t os_calls(void);

/* Tests only: called before each such call, with the locks held that are held then. */
extern void (*os_hook)(enum os_call kind);
#endif

#endif
