#include "replayer/engine/thread_tls.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_BYTES                                                                                \
    ((size_t)256 << 10) /* some 300 bytes a thread; untouched pages cost nothing                   \
                         */
#define UNIT ((size_t)64)

/* Before each block. Blocks that were freed are given again: one a thread that lives is enough. */
struct head {
    struct head *next; /* of the freed ones */
    size_t bytes;
};
_Static_assert(sizeof(struct head) <= UNIT, "a unit before each block");

static _Alignas(64) char table[TABLE_BYTES];
static size_t table_used;          /* one thread makes all threads */
static struct head *_Atomic freed; /* any thread gives back; that one alone takes */
static __thread bool wanted;

void *(*replay_calloc)(size_t count, size_t size);
void (*replay_free)(void *block);

/* The newest freed block, if it is large enough. */
static void *from_freed(size_t bytes)
{
    struct head *head = atomic_load(&freed);
    if (!head || head->bytes < bytes)
        return NULL;
    while (!atomic_compare_exchange_weak(&freed, &head, head->next))
        if (head->bytes < bytes)
            return NULL;
    return memset((char *)head + UNIT, 0, bytes);
}

static void *from_table(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > TABLE_BYTES)
        return NULL;
    void *block = from_freed(bytes);
    size_t taken = UNIT + ((bytes + UNIT - 1) & ~(UNIT - 1));
    if (block || taken > TABLE_BYTES - table_used)
        return block;
    struct head *head = (struct head *)(table + table_used);
    table_used += taken;
    head->bytes = taken - UNIT;
    return (char *)head + UNIT;
}

static void to_freed(char *block)
{
    struct head *head = (struct head *)(block - UNIT);
    head->next = atomic_load(&freed);
    while (!atomic_compare_exchange_weak(&freed, &head->next, head))
        continue;
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
    if (!block)
        return;
    if ((char *)block >= table && (char *)block < table + TABLE_BYTES) {
        to_freed(block);
        return;
    }
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
