/*
 * Allocators that go wrong on purpose, to see that the bench makes a row of each and goes on. They
 * stand before libc's malloc and hand everything to it until BROKEN_AT calls of malloc have been
 * made; then the file that includes this says what happens. Programs of a few thousand calls start
 * and end unharmed.
 */
#ifndef HEAPTAPE_TESTS_STRESS_BROKEN_H
#define HEAPTAPE_TESTS_STRESS_BROKEN_H

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BROKEN_AT 5000

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void __libc_free(void *block);

/* Call number BROKEN_AT and those after it. */
static void *broken_malloc(size_t size);

static _Atomic uint64_t broken_calls;

__attribute__((visibility("default"))) void *malloc(size_t size)
{
    if (atomic_fetch_add_explicit(&broken_calls, 1, memory_order_relaxed) >= BROKEN_AT)
        return broken_malloc(size);
    return __libc_malloc(size);
}

__attribute__((visibility("default"))) void free(void *block)
{
    __libc_free(block);
}

__attribute__((visibility("default"))) void *calloc(size_t count, size_t size)
{
    return __libc_calloc(count, size);
}

__attribute__((visibility("default"))) void *realloc(void *block, size_t size)
{
    return __libc_realloc(block, size);
}

#endif
