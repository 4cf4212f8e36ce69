#include "replayer/driver/live_print.h"
#include <math.h>
#include "replayer/driver/output.h"
#include "traces/cli.h"

#define LIVE_FILE           "live.json"
#define LIVE_SCHEMA_VERSION 1

static double predicted(const struct live_report *report, size_t i)
{
    return prediction_of(&report->prediction, i, 0, report->entries[0].peak_median_bytes);
}

static double predicted_cpu(const struct live_report *report, size_t i)
{
    return prediction_cpu_of(&report->prediction, i, 0, report->entries[0].cpu_median_seconds);
}

static void emit_entry(struct emit *emit, const struct live_report *report, size_t i)
{
    const struct live_entry *entry = &report->entries[i], *libc = &report->entries[0];
    emit_object(emit, NULL);
    emit_string(emit, "allocator", report->list->items[i].name);
    emit_string(emit, "status", run_status_word(entry->status));
    emit_string(emit, "detail", entry->detail);
    if (isnan(entry->median) && emit->format == EMIT_JSON) {
        emit_null(emit, "time_seconds");
    } else {
        emit_object(emit, "time_seconds");
        emit_fixed(emit, "mean", entry->mean, 9);
        emit_fixed(emit, "stddev", entry->stddev, 9);
        emit_fixed(emit, "median", entry->median, 9);
        emit_fixed(emit, "min", entry->min, 9);
        emit_fixed(emit, "max", entry->max, 9);
        emit_end(emit);
    }
    emit_fixed(emit, "peak_resident_bytes", entry->peak_median_bytes, 0);
    emit_array(emit, "peak_resident_bytes_runs");
    for (unsigned j = 0; j < entry->peak_count; j++)
        emit_fixed(emit, NULL, entry->peak_bytes[j], 0);
    emit_end(emit);
    emit_fixed(emit, "predicted_peak_resident_bytes", predicted(report, i), 0);
    emit_fixed(emit, "prediction_error", predicted(report, i) / entry->peak_median_bytes - 1, 5);
    emit_fixed(emit, "cpu_seconds", entry->cpu_median_seconds, 6);
    emit_array(emit, "cpu_seconds_runs");
    for (unsigned j = 0; j < entry->peak_count; j++)
        emit_fixed(emit, NULL, entry->cpu_seconds[j], 6);
    emit_end(emit);
    emit_fixed(emit, "predicted_cpu_seconds", predicted_cpu(report, i), 6);
    emit_fixed(emit, "relative_time", entry->median / libc->median, 5);
    emit_fixed(emit, "relative_peak_resident", entry->peak_median_bytes / libc->peak_median_bytes,
               5);
    emit_end(emit);
}

static void emit_report(struct emit *emit, const struct live_report *report)
{
    emit_object(emit, NULL);
    emit_u64(emit, "schema_version", LIVE_SCHEMA_VERSION);
    emit_bool(emit, "complete", report->complete);
    emit_array(emit, "program");
    for (char *const *word = report->program->arguments; *word; word++)
        emit_string(emit, NULL, *word);
    emit_end(emit);
    emit_string(emit, "prediction_source", report->prediction.source);
    emit_array(emit, "entries");
    for (size_t i = 0; i < report->list->count; i++)
        emit_entry(emit, report, i);
    emit_end(emit);
    emit_end(emit);
    emit_finish(emit);
}

void live_write(const struct live_report *report, const char *folder)
{
    struct emit emit;
    struct output output;
    output_open(&output, folder, LIVE_FILE);
    emit_begin(&emit, output.file, EMIT_JSON);
    emit_report(&emit, report);
    output_close(&output);
}

static void cell_percent(char cell[32], double ratio)
{
    double percent = 100 * (ratio - 1);
    if (isnan(ratio))
        snprintf(cell, 32, "-");
    else
        snprintf(cell, 32, "%+.*f %%", fabs(percent) < 10 ? 1 : 0, percent);
}

static void cell_bytes(char cell[32], double bytes)
{
    char text[16];
    snprintf(cell, 32, "%s",
             isnan(bytes) || bytes < 0 ? "-" : cli_format_bytes((uint64_t)bytes, text));
}

static void print_row(FILE *out, const struct live_report *report, size_t i)
{
    const struct live_entry *entry = &report->entries[i], *libc = &report->entries[0];
    char time[64] = "-", faster[32], peak[32], more[32], said[32], off[32];
    const char *name = report->list->items[i].name;
    if (entry->status != RUN_OK) {
        fprintf(out, "  %-14s %s: %s\n", name, run_status_word(entry->status), entry->detail);
        return;
    }
    if (!isnan(entry->median))
        snprintf(time, sizeof time, "%.3f s  %.3f .. %.3f", entry->median, entry->min, entry->max);
    cell_percent(faster, i ? entry->median / libc->median : NAN);
    cell_bytes(peak, entry->peak_median_bytes);
    cell_percent(more, i ? entry->peak_median_bytes / libc->peak_median_bytes : NAN);
    cell_bytes(said, i ? predicted(report, i) : NAN);
    cell_percent(off, i ? predicted(report, i) / entry->peak_median_bytes : NAN);
    fprintf(out, "  %-14s %-26s %12s %15s %12s %12s %12s\n", name, time, faster, peak, more, said,
            off);
}

/* Processor time, where there is something to hold it against. */
static void print_cpu(FILE *out, const struct live_report *report)
{
    if (!report->prediction.timed_tapes)
        return;
    fprintf(out, "\n  %-14s %-29s %12s %15s %12s\n", "allocator", "processor time, least .. most",
            "against libc", "predicted", "off by");
    for (size_t i = 0; i < report->list->count; i++) {
        const struct live_entry *entry = &report->entries[i], *libc = &report->entries[0];
        char time[64], more[32], said[32] = "-", off[32];
        double least = INFINITY, most = 0, real = entry->cpu_median_seconds;
        if (entry->status != RUN_OK)
            continue;
        for (unsigned j = 0; j < entry->peak_count; j++) {
            least = fmin(least, entry->cpu_seconds[j]);
            most = fmax(most, entry->cpu_seconds[j]);
        }
        snprintf(time, sizeof time, "%.3f s  %.3f .. %.3f", real, least, most);
        cell_percent(more, i ? real / libc->cpu_median_seconds : NAN);
        if (i)
            snprintf(said, sizeof said, "%.3f s", predicted_cpu(report, i));
        cell_percent(off, i ? predicted_cpu(report, i) / real : NAN);
        fprintf(out, "  %-14s %-29s %12s %15s %12s\n", report->list->items[i].name, time, more,
                said, off);
    }
}

void live_print(FILE *out, const struct live_report *report, enum emit_format format)
{
    struct emit emit;
    if (format != EMIT_TABLE) {
        emit_begin(&emit, out, format);
        emit_report(&emit, report);
        return;
    }
    fprintf(out, "  %-14s %-26s %12s %15s %12s %12s %12s\n", "allocator", "time, least .. most",
            "against libc", "peak resident", "against libc", "predicted", "off by");
    for (size_t i = 0; i < report->list->count; i++)
        print_row(out, report, i);
    print_cpu(out, report);
    if (!report->prediction.source[0])
        fputs("  (nothing to predict from: give tapes, or -o with a bench's results)\n", out);
}
