/*
 * What splitting and coalescing do, seen from outside: three blocks, a hole, and a block in the
 * hole.
 *
 *     cc mem.c -I/usr/local/include -L/usr/local/lib/heaptape -ltextbook-mem -pthread && ./a.out
 */
#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <textbook/mem.h>

static void *work(void *unused)
{
    for (int i = 0; i < 10000; i++) {
        char *block = mem_malloc_ts(100);
        memset(block, 1, 100);
        mem_free_ts(
            mem_realloc_ts(block, 300)); /* moves where another thread's block is behind it */
    }
    return unused;
}

int main(void)
{
    struct mem_stats stats;
    char *first = mem_malloc(100), *second = mem_malloc(100), *third = mem_calloc(25, 4);
    assert(third[0] == 0 && third[99] == 0);
    mem_name(first, "first");
    mem_name(third, "third");
    mem_free(second);
    char *again = mem_malloc(40); /* first fit: the hole is split */
    assert(again == second);
    mem_print_heap();

    mem_free(first);
    mem_free(again);
    mem_free(third); /* all is one free block again */
    mem_get_stats(&stats);
    printf("%zu allocations, %zu frees, %zu bytes in use, %zu splits, %zu coalesces\n",
           stats.allocations, stats.frees, stats.in_use_bytes, stats.splits, stats.coalesces);

    mem_reset();
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, work, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    mem_print_stats();
    mem_get_stats(&stats);
    return stats.in_use_bytes != 0;
}
