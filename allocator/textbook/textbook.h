/*
 * The textbook allocators under names of their own, for programs that link them and for tests;
 * under the usual names they are in libtextbook.so and its kin (interpose.c).
 *
 * Which policy, and all switches: options.h. Any thread may call any of these, except in the build
 * for one thread (lock.h). Errors are those of malloc(3): NULL with ENOMEM, or with EINVAL for an
 * alignment that is no power of two. A pointer that is not a block, or one that was freed, ends the
 * program with one line on stderr where it is noticed; it often is.
 */
#ifndef TEXTBOOK_H
#define TEXTBOOK_H

#include <stddef.h>

#pragma GCC visibility push(default)

struct options;

void *textbook_malloc(size_t size);
void *textbook_calloc(size_t count, size_t size);
void *textbook_realloc(void *payload, size_t size);
void *textbook_memalign(size_t align, size_t size);
size_t textbook_usable_size(void *payload);
void textbook_free(void *payload);
/* Names a block (names.h). */
void textbook_name(void *payload, const char *name);

struct textbook_stats {
    size_t allocations, frees; /* calls that gave or took a block; a realloc that moves is both */
    size_t splits, coalesces;  /* blocks cut in two, and two made one */
    size_t live_blocks, live_bytes;  /* not freed; usable bytes */
    size_t allocated_bytes;          /* that blocks were given or grew by; usable bytes */
    size_t held_bytes, largest_held; /* from the system, now and at most */
};

void textbook_stats(struct textbook_stats *ret_stats);

/* What `heaptape stats` asks for after each call (replayer/counter/counter.h): without the lock, so
 * that with threads the three may be of slightly different moments. */
struct heaptape_heap {
    size_t held, splits, coalesces;
};
void heaptape_heap(struct heaptape_heap *ret_heap);

/* NULL where the heap is in order; else one thing that is not. Looks at every block. */
const char *textbook_check(void);

/* Writes a picture of the heap to a file descriptor (picture.h). */
void textbook_picture(int file, int svg);

/* Tells on stderr what is not freed (leaks.h). */
void textbook_leaks(void);

#pragma GCC visibility pop

/* What the calls of textbook_ and of malloc are made of. `site`: the address that the program's
 * call returns to. */
void *textbook_take(size_t align, size_t size, const void *site);
void *textbook_take_zeros(size_t count, size_t size, const void *site);
/* Maps from a page on, where zeros cost nothing. */
void *textbook_take_zeros_mapped(size_t count, size_t size, const void *site);
void *textbook_change(void *payload, size_t size, const void *site);

/* Forgets every block, gives the memory back, and begins anew with these switches. For tests:
 * nobody may use the allocator meanwhile, and all pointers are void. */
void textbook_restart(const struct options *switches);

#endif
