/* ht_stats_print(): the statistics as text. */
#include "message.h"
#include "stats.h"

#include <string.h>
#include <unistd.h>

static void line_padded(struct ht_line *line, size_t value, size_t width)
{
    size_t digits = 1;
    for (size_t rest = value; rest >= 10; rest /= 10)
        digits++;
    for (; digits < width; digits++)
        line_text(line, " ");
    line_number(line, value);
}

static void print_field(const char *name, size_t value, const char *meaning)
{
    struct ht_line line = {.length = 0};
    line_text(&line, "  ");
    line_text(&line, name);
    for (size_t i = strlen(name); i < 14; i++)
        line_text(&line, " ");
    line_padded(&line, value, 14);
    line_text(&line, "  ");
    line_text(&line, meaning);
    line_write(&line);
}

static void print_row(const char *word, const size_t *values, size_t count)
{
    struct ht_line line = {.length = 0};
    line_text(&line, word);
    for (size_t i = 0; i < count; i++)
        line_padded(&line, values[i], 13);
    line_write(&line);
}

static void print_text(const char *text)
{
    struct ht_line line = {.length = 0};
    line_text(&line, text);
    line_write(&line);
}

/* As many heaps of threads as are worth a line each. */
#define THREADS_MAX 64

static void print_threads(const struct ht_thread_stats *threads, size_t count, size_t all)
{
    print_text("  heaps       number      running         runs         live free_in_runs"
               "       cached");
    for (size_t i = 0; i < count; i++) {
        const struct ht_thread_stats *at = &threads[i];
        const size_t values[] = {at->number, at->running,      at->runs,
                                 at->live,   at->free_in_runs, at->cached};
        print_row("     ", values, sizeof values / sizeof *values);
    }
    if (all > count)
        print_row("  and more:", (const size_t[]){all - count}, 1);
}

void ht_stats_print(void)
{
    struct stats stats;
    struct ht_thread_stats threads[THREADS_MAX];
    size_t all = stats_count_threads(), count = all < THREADS_MAX ? all : THREADS_MAX;
    stats_take(&stats, threads, count);
    struct ht_line line = {.length = 0};
    line_text(&line, "htmalloc: statistics of process ");
    line_number(&line, (uint64_t)getpid());
    line_text(&line, ", in bytes and numbers:");
    line_write(&line);
#define PRINT(name, unit, meaning) print_field(#name, stats.all.name, meaning);
    HT_STATS_FIELDS(PRINT)
#undef PRINT
    print_text("  classes     block_bytes         runs  live_blocks  free_blocks       carved"
               "     capacity");
    for (unsigned class = 0; class < CLASS_COUNT; class ++) {
        const struct ht_class_stats *at = &stats.classes[class];
        const size_t values[] = {at->block_bytes, at->runs,          at->live_blocks,
                                 at->free_blocks, at->carved_blocks, at->capacity_blocks};
        if (at->runs > 0)
            print_row("            ", values, sizeof values / sizeof *values);
    }
    print_threads(threads, count, all);
}
