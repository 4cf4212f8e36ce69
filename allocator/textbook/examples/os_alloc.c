/*
 * A heap set aside at the first call, and where its blocks lie.
 *
 *     cc os_alloc.c -I/usr/local/include -L/usr/local/lib/heaptape -ltextbook-mem -pthread &&
 * ./a.out
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <textbook/mem.h>
#include <textbook/os_alloc.h>

static const char *where(const void *block, const char *begin)
{
    uintptr_t offset = (uintptr_t)block - (uintptr_t)begin;
    return offset < 128 << 10 ? "in the heap" : "mapped";
}

int main(void)
{
    struct mem_stats stats;
    char *begin = os_malloc(1000);
    mem_get_stats(&stats);
    printf("held after the first call: %zu bytes\n", stats.held_bytes);

    char *small = os_calloc(10, 10), *page = os_calloc(1, 4096), *large = os_malloc(200000);
    assert(small && page && large);
    printf("100 zeros are %s, 4096 zeros %s, 200000 bytes %s\n", where(small, begin),
           where(page, begin), where(large, begin));

    strcpy(small, "kept");
    char *grown = os_realloc(small, 5000); /* nothing lies behind it: it grows where it is */
    printf("a block that grew is %s, and its text is %s\n",
           grown == small ? "where it was" : "moved", grown);

    assert(!os_malloc(0) && !os_realloc(grown, 0));
    os_free(page);
    os_free(large);
    os_free(begin);
    os_free(NULL);
    mem_get_stats(&stats);
    printf("in use at the end: %zu bytes\n", stats.in_use_bytes);
    return stats.in_use_bytes != 0;
}
