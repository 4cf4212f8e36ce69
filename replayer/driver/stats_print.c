#include "replayer/driver/stats_print.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <sys/wait.h>
#include "replayer/driver/own_stats.h"
#include "replayer/driver/process.h"
#include "traces/cli.h"

enum kind { TEXT, COUNT, SIGNED, BYTES, SECONDS, MEAN };

/* One figure. A text that is NULL and a number that is not known are told as such. */
struct figure {
    const char *key, *words; /* in JSON; for people, NULL: not told to them by itself */
    enum kind kind;
    bool known;
    const char *text;
    double number; /* counts are below 2^53 */
};

#define FIGURES 40

struct figures {
    struct figure items[FIGURES];
    unsigned count;
};

static void add(struct figures *figures, const char *key, const char *words, enum kind kind,
                bool known, double number)
{
    figures->items[figures->count++] =
        (struct figure){.key = key, .words = words, .kind = kind, .known = known, .number = number};
}

static void add_text(struct figures *figures, const char *key, const char *words, const char *text)
{
    figures->items[figures->count++] = (struct figure){
        .key = key, .words = words, .kind = TEXT, .known = text != NULL, .text = text};
}

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

/* "ok", "failed" (a status that is not 0), "signal", "time limit", "memory limit" */
static const char *status_word(const struct counted *counted)
{
    if (counted->end != COUNTED_ENDED)
        return counted->end == COUNTED_OVER_TIME ? "time limit" : "memory limit";
    if (WIFSIGNALED(counted->status))
        return "signal";
    return WEXITSTATUS(counted->status) ? "failed" : "ok";
}

static void add_cost(struct figures *figures, const struct counted *counted)
{
    const struct rusage *usage = &counted->usage;
    bool exited = WIFEXITED(counted->status);
    add_text(figures, "status", "status", status_word(counted));
    add_text(figures, "signal", "signal",
             exited ? NULL : process_signal_name(WTERMSIG(counted->status)));
    add(figures, "exit_status", "exit status", SIGNED, true,
        exited ? WEXITSTATUS(counted->status) : -1);
    add(figures, "wall_seconds", "time", SECONDS, true, counted->wall_seconds);
    add(figures, "cpu_seconds", "CPU time", SECONDS, true,
        seconds(usage->ru_utime) + seconds(usage->ru_stime));
    add(figures, "user_seconds", "  of it user", SECONDS, true, seconds(usage->ru_utime));
    add(figures, "system_seconds", "  of it system", SECONDS, true, seconds(usage->ru_stime));
    add(figures, "peak_resident_bytes", "peak resident", BYTES, true,
        (double)usage->ru_maxrss * 1024);
    add(figures, "minor_faults", "page faults", COUNT, true, (double)usage->ru_minflt);
    add(figures, "major_faults", "  that read the disk", COUNT, true, (double)usage->ru_majflt);
    add(figures, "voluntary_switches", "context switches", COUNT, true, (double)usage->ru_nvcsw);
    add(figures, "involuntary_switches", "  unasked", COUNT, true, (double)usage->ru_nivcsw);
}

static void add_heap(struct figures *figures, const struct counted_heap *heap)
{
    bool any = heap->processes > 0 && heap->known != COUNTS_HEAP_UNKNOWN, sized = any;
    bool told = any && heap->known == COUNTS_HEAP_TOLD;
    add_text(figures, "heap_size_is", "heap sizes are", counted_known_word(heap));
    add(figures, "largest_heap_bytes", "largest heap", BYTES, sized, (double)heap->largest_bytes);
    add(figures, "mean_heap_bytes", "mean heap per call", MEAN, sized && !isnan(heap->mean_bytes),
        heap->mean_bytes);
    add(figures, "allocations", "allocations", COUNT, any, (double)heap->allocations);
    add(figures, "frees", "frees", COUNT, any, (double)heap->frees);
    add(figures, "reallocs", "reallocs", COUNT, any, (double)heap->reallocs);
    add(figures, "failed_allocations", "failed", COUNT, any, (double)heap->failed);
    add(figures, "splits", "splits", COUNT, told, (double)heap->splits);
    add(figures, "coalesces", "coalesces", COUNT, told, (double)heap->coalesces);
    add(figures, "live_at_end_blocks", "not freed: blocks", SIGNED, any && heap->found,
        (double)heap->live_blocks);
    add(figures, "live_at_end_bytes", "not freed: bytes", BYTES, any && heap->found,
        (double)heap->live_bytes);
    add(figures, "break_moves", "break moved", COUNT, any, (double)heap->break_moves);
    add(figures, "block_mappings", "blocks by mmap", COUNT, any && heap->known == COUNTS_HEAP_LIBC,
        (double)heap->mappings);
    add(figures, "counted_processes", "processes", COUNT, true, heap->processes);
    add(figures, "uncounted_processes", NULL, COUNT, true, heap->uncounted);
    add(figures, "threads", "threads", COUNT, any, heap->threads);
}

static struct figures gather(const struct counted_request *request, const struct counted *counted)
{
    struct figures figures = {.count = 0};
    add_text(&figures, "program", "program", request->arguments[0]);
    add_text(&figures, "allocator", "allocator",
             request->allocator ? request->allocator->name : "its own");
    add_cost(&figures, counted);
    add_heap(&figures, &counted->heap);
    return figures;
}

/* ---- for people ---- */

static void print_figure(FILE *out, const struct figure *figure)
{
    char bytes[16];
    fprintf(out, "%-20s ", figure->words);
    if (!figure->known)
        fprintf(out, "unknown\n");
    else if (figure->kind == TEXT)
        fprintf(out, "%s\n", figure->text);
    else if (figure->kind == SECONDS)
        fprintf(out, "%.3f s\n", figure->number);
    else if ((figure->kind == BYTES || figure->kind == MEAN) && figure->number >= 1024)
        fprintf(out, "%s (%.0f bytes)\n", cli_format_bytes((uint64_t)figure->number, bytes),
                figure->number);
    else if (figure->kind == BYTES || figure->kind == MEAN)
        fprintf(out, "%.0f bytes\n", figure->number);
    else
        fprintf(out, "%.0f\n", figure->number);
}

static void print_processes(FILE *out, const struct counted *counted)
{
    fprintf(out, "\n%8s %-16s %12s %12s %12s %12s\n", "process", "program", "largest heap",
            "allocations", "frees", "not freed");
    for (unsigned i = 0; i < counted->records; i++) {
        const struct counts_process *process = counted_record(i);
        struct counts_thread sum;
        char held[16];
        counted_sum(process, &sum);
        fprintf(out, "%8d %-16.16s %12s %12" PRIu64 " %12" PRIu64 " %12" PRId64 "\n", process->pid,
                process->program, cli_format_bytes((uint64_t)process->held_most, held),
                sum.allocations, sum.frees,
                (int64_t)(process->inherited_blocks + sum.allocations - sum.frees));
    }
}

static void print_table(FILE *out, const struct figures *figures, const struct counted *counted)
{
    for (unsigned i = 0; i < figures->count; i++) {
        const struct figure *figure = &figures->items[i];
        bool worth = figure->known || (figure->kind != TEXT && strcmp(figure->key, "splits") != 0 &&
                                       strcmp(figure->key, "coalesces") != 0 &&
                                       strcmp(figure->key, "block_mappings") != 0);
        if (figure->words && worth)
            print_figure(out, figure);
    }
    if (counted->records > 1)
        print_processes(out, counted);
    if (counted->heap.uncounted)
        fprintf(out, "%u more processes were not counted\n", counted->heap.uncounted);
}

/* ---- for programs ---- */

static void emit_figure(struct emit *emit, const struct figure *figure)
{
    if (!figure->known)
        emit_null(emit, figure->key);
    else if (figure->kind == TEXT)
        emit_string(emit, figure->key, figure->text);
    else if (figure->kind == SECONDS || figure->kind == MEAN)
        emit_fixed(emit, figure->key, figure->number, figure->kind == MEAN ? 1 : 6);
    else
        emit_i64(emit, figure->key, (int64_t)figure->number);
}

static void emit_process(struct emit *emit, const struct counts_process *process)
{
    struct counts_thread sum;
    counted_sum(process, &sum);
    emit_object(emit, NULL);
    emit_i64(emit, "pid", process->pid);
    emit_i64(emit, "parent", process->parent);
    emit_string(emit, "program", process->program);
    emit_string(emit, "malloc_from", process->allocator);
    emit_bool(emit, "forked", process->is_fork);
    emit_bool(emit, "exit_handlers_ran", process->end);
    emit_u64(emit, "threads", process->threads);
    emit_u64(emit, "largest_heap_bytes", (uint64_t)process->held_most);
    emit_fixed(emit, "mean_heap_bytes",
               counted_calls(&sum) > 0 ? counted_heap_sum(&sum) / counted_calls(&sum) : NAN, 1);
    emit_u64(emit, "allocations", sum.allocations);
    emit_u64(emit, "frees", sum.frees);
    emit_u64(emit, "reallocs", sum.reallocs);
    emit_i64(emit, "live_at_end_blocks",
             (int64_t)(process->inherited_blocks + sum.allocations - sum.frees));
    emit_i64(emit, "live_at_end_bytes",
             (int64_t)(process->inherited_bytes + sum.bytes_in - sum.bytes_out));
    emit_end(emit);
}

void stats_print(FILE *out, enum emit_format format, const struct counted_request *request,
                 const struct counted *counted)
{
    struct figures figures = gather(request, counted);
    struct emit emit;
    if (format == EMIT_TABLE) {
        print_table(out, &figures, counted);
        own_stats_print(out);
        return;
    }
    emit_begin(&emit, out, format);
    emit_object(&emit, NULL);
    if (format == EMIT_JSON)
        emit_u64(&emit, "schema_version", 2);
    for (unsigned i = 0; i < figures.count; i++)
        emit_figure(&emit, &figures.items[i]);
    if (format == EMIT_JSON) {
        emit_array(&emit, "processes");
        for (unsigned i = 0; i < counted->records; i++)
            emit_process(&emit, counted_record(i));
        emit_end(&emit);
        own_stats_emit(&emit);
    }
    emit_end(&emit);
    emit_finish(&emit);
}

void stats_print_lines(FILE *out, const struct counted_request *request,
                       const struct counted *counted)
{
    struct figures figures = gather(request, counted);
    for (unsigned i = 0; i < figures.count; i++) {
        const struct figure *figure = &figures.items[i];
        fprintf(out, "%s=", figure->key);
        if (figure->known && figure->kind == TEXT)
            fputs(figure->text, out);
        else if (figure->known)
            fprintf(out, "%.*f",
                    figure->kind == SECONDS ? 6
                    : figure->kind == MEAN  ? 1
                                            : 0,
                    figure->number);
        fputc('\n', out);
    }
}
