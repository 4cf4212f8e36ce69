#include "replayer/engine/thread_tls.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_BYTES                                                                                \
    ((size_t)256 << 10) /* some 300 bytes a thread; untouched pages cost nothing                   \
                         */

static _Alignas(64) char table[TABLE_BYTES];
static size_t table_used; /* one thread makes all threads */
static __thread bool wanted;

void *(*replay_calloc)(size_t count, size_t size);
void (*replay_free)(void *block);

static void *from_table(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > TABLE_BYTES - table_used)
        return NULL;
    void *block = table + table_used;
    table_used += (bytes + 63) & ~(size_t)63;
    return table_used <= TABLE_BYTES ? block : NULL;
}

static void resolve(void)
{
    wanted = true; /* should the lookup itself ask */
    void *next_calloc = dlsym(RTLD_NEXT, "calloc"), *next_free = dlsym(RTLD_NEXT, "free");
    wanted = false;
    if (!next_calloc || !next_free)
        abort();
    memcpy(&replay_calloc, &next_calloc, sizeof(next_calloc));
    memcpy(&replay_free, &next_free, sizeof(next_free));
}

__attribute__((constructor)) static void thread_tls_init(void)
{
    if (!replay_calloc)
        resolve();
}

/* These two are in the dynamic symbol table: the loader and libc find them first. */
void *calloc(size_t count, size_t size)
{
    if (wanted) {
        void *block = from_table(count, size);
        if (block)
            return block;
    }
    if (!replay_calloc)
        resolve();
    return replay_calloc(count, size);
}

void free(void *block)
{
    if (!block || ((char *)block >= table && (char *)block < table + TABLE_BYTES))
        return;
    if (!replay_free)
        resolve();
    replay_free(block);
}

void thread_tls_begin(void)
{
    wanted = true;
}

void thread_tls_end(void)
{
    wanted = false;
}
