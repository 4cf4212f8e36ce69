#include "mem.h"

#include <unistd.h>

#include "block.h"
#include "lock.h"
#include "options.h"
#include "setup.h"
#include "textbook.h"
#include "words.h"

#define SITE __builtin_return_address(0)

/* ---- for one thread ---- */

void *mem_malloc(size_t size)
{
    lock_alone = true;
    void *block = textbook_take(ALIGNMENT, size, SITE);
    lock_alone = false;
    return block;
}

void *mem_calloc(size_t count, size_t size)
{
    lock_alone = true;
    void *block = textbook_take_zeros(count, size, SITE);
    lock_alone = false;
    return block;
}

void *mem_realloc(void *block, size_t size)
{
    lock_alone = true;
    void *moved = textbook_change(block, size, SITE);
    lock_alone = false;
    return moved;
}

void mem_free(void *block)
{
    lock_alone = true;
    textbook_free(block);
    lock_alone = false;
}

/* ---- for threads ---- */

void *mem_malloc_ts(size_t size)
{
    return textbook_take(ALIGNMENT, size, SITE);
}

void *mem_calloc_ts(size_t count, size_t size)
{
    return textbook_take_zeros(count, size, SITE);
}

void *mem_realloc_ts(void *block, size_t size)
{
    return textbook_change(block, size, SITE);
}

void mem_free_ts(void *block)
{
    textbook_free(block);
}

/* ---- looking ---- */

void mem_name(void *block, const char *name)
{
    textbook_name(block, name);
}

void mem_get_stats(struct mem_stats *ret_stats)
{
    struct textbook_stats stats;
    textbook_stats(&stats);
    *ret_stats = (struct mem_stats){.allocated_bytes = stats.allocated_bytes,
                                    .freed_bytes = stats.allocated_bytes - stats.live_bytes,
                                    .in_use_bytes = stats.live_bytes,
                                    .allocations = stats.allocations,
                                    .frees = stats.frees,
                                    .splits = stats.splits,
                                    .coalesces = stats.coalesces,
                                    .held_bytes = stats.held_bytes};
}

static void row(struct words *words, const char *name, size_t bytes, size_t calls)
{
    words_text(words, name);
    words_padded(words, bytes, 12);
    words_text(words, " bytes ");
    words_padded(words, calls, 10);
    words_text(words, " blocks\n");
}

void mem_print_stats(void)
{
    struct words words = {.file = STDERR_FILENO};
    struct mem_stats stats;
    mem_get_stats(&stats);
    row(&words, "allocated", stats.allocated_bytes, stats.allocations);
    row(&words, "freed    ", stats.freed_bytes, stats.frees);
    row(&words, "in use   ", stats.in_use_bytes, stats.allocations - stats.frees);
    words_text(&words, "held     ");
    words_padded(&words, stats.held_bytes, 12);
    words_text(&words, " bytes, ");
    words_number(&words, stats.splits);
    words_text(&words, " splits, ");
    words_number(&words, stats.coalesces);
    words_text(&words, " coalesces\n");
    words_flush(&words);
}

void mem_print_heap(void)
{
    textbook_picture(STDERR_FILENO, 0);
}

void mem_reset(void)
{
    struct options switches = options;
    setup_is_linked(); /* the switches have been read */
    textbook_restart(&switches);
}
