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

void *(*thread_tls_calloc)(size_t count, size_t size);

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
    void *next = dlsym(RTLD_NEXT, "calloc");
    wanted = false;
    if (!next)
        abort();
    memcpy(&thread_tls_calloc, &next, sizeof(next));
}

__attribute__((constructor)) static void thread_tls_init(void)
{
    if (!thread_tls_calloc)
        resolve();
}

/* Not `static`, and in the dynamic symbol table: the loader and libc find it first. */
void *calloc(size_t count, size_t size)
{
    if (wanted) {
        void *block = from_table(count, size);
        if (block)
            return block;
    }
    if (!thread_tls_calloc)
        resolve();
    return thread_tls_calloc(count, size);
}

void thread_tls_begin(void)
{
    wanted = true;
}

void thread_tls_end(void)
{
    wanted = false;
}
