#include "replayer/driver/bench_table.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include "traces/cli.h"
#include "traces/text.h"

enum { COLUMNS = 7, COLUMNS_LEAST = 4, CELL_BYTES = 64, ROWS_MAX = 512 };
enum tone { TONE_PLAIN, TONE_GOOD, TONE_BAD };

struct row {
    char cell[COLUMNS][CELL_BYTES];
    enum tone tone[COLUMNS];
    const char *failed; /* status and detail instead of figures */
};

static const char *const headings[COLUMNS] = {
    "allocator",    "time per operation", "against libc", "peak resident",
    "against libc", "held over live",     "faults"};

/* "20.4 ns  20.1 .. 20.9" */
static void cell_time(char *cell, const struct interval *ns)
{
    if (isnan(ns->ci_low))
        snprintf(cell, CELL_BYTES, "%.1f ns", ns->median);
    else
        snprintf(cell, CELL_BYTES, "%.1f ns  %.1f .. %.1f", ns->median, ns->ci_low, ns->ci_high);
}

/* "-31 %  faster": the difference from libc, or that none is shown. */
static enum tone cell_ratio(char *cell, const struct results_ratio *ratio, const char *verdict)
{
    int differs = results_differs(ratio);
    double median = ratio->interval.median, percent = 100 * (median - 1);
    if (!verdict) {
        snprintf(cell, CELL_BYTES, "-");
        return TONE_PLAIN;
    }
    if (!strcmp(verdict, "baseline") || !differs) {
        snprintf(cell, CELL_BYTES, "%s", verdict);
        return TONE_PLAIN;
    }
    if (percent > 1000)
        snprintf(cell, CELL_BYTES, "%.3g times  %s", median, verdict);
    else
        snprintf(cell, CELL_BYTES, "%+.*f %%  %s", fabs(percent) < 10 ? 1 : 0, percent, verdict);
    return differs < 0 ? TONE_GOOD : TONE_BAD;
}

static void fill(struct row *row, const struct results *results, unsigned tape, unsigned allocator)
{
    const struct results_summary *summary = results_summary_of(results, tape, allocator);
    const struct results_run *memory = summary->median_memory;
    char bytes[16];
    memset(row, 0, sizeof *row);
    snprintf(row->cell[0], CELL_BYTES, "%.62s", results->allocators.items[allocator].name);
    if (summary->status != RUN_OK) {
        row->failed = run_status_word(summary->status);
        return;
    }
    cell_time(row->cell[1], &summary->ns_per_operation);
    row->tone[2] = cell_ratio(row->cell[2], &summary->relative_time, results_time_verdict(summary));
    snprintf(row->cell[3], CELL_BYTES, "%s",
             cli_format_bytes((uint64_t)summary->peak_resident_bytes.median, bytes));
    row->tone[4] =
        cell_ratio(row->cell[4], &summary->relative_peak_resident, results_memory_verdict(summary));
    if (isnan(summary->fragmentation.at_peak_held))
        snprintf(row->cell[5], CELL_BYTES, "unknown");
    else
        snprintf(row->cell[5], CELL_BYTES, "%+.0f %%",
                 100 * summary->fragmentation.max_held_over_max_requested);
    snprintf(row->cell[6], CELL_BYTES, "%" PRIu64, memory ? memory->minor_faults : 0);
}

static void put(FILE *out, const char *text, size_t width, bool right, enum tone tone, bool colour)
{
    static const char *const codes[] = {"", "\033[32m", "\033[31m"};
    size_t columns = text_columns(text), pad = width > columns ? width - columns : 0;
    fprintf(out, "%*s%s%s%s%*s", right ? (int)pad : 0, "", colour ? codes[tone] : "", text,
            colour && tone ? "\033[0m" : "", right ? 0 : (int)pad, "");
}

static bool is_right(unsigned column)
{
    return column == 3 || column == 5 || column == 6;
}

/* On a terminal, those that fit: the last ones are the least. */
static unsigned columns_shown(FILE *out, const size_t *width)
{
    struct winsize size;
    unsigned shown = 0;
    size_t used = 0;
    if (ioctl(fileno(out), TIOCGWINSZ, &size) < 0 || !size.ws_col)
        return COLUMNS;
    while (shown < COLUMNS && (shown < COLUMNS_LEAST || used + 2 + width[shown] <= size.ws_col))
        used += 2 + width[shown++];
    return shown;
}

static void print_rows(FILE *out, const struct row *rows, unsigned count,
                       const struct results_summary *const *summaries, bool colour)
{
    size_t width[COLUMNS];
    for (unsigned column = 0; column < COLUMNS; column++) {
        width[column] = text_columns(headings[column]);
        for (unsigned i = 0; i < count; i++) {
            size_t columns = text_columns(rows[i].cell[column]);
            if (columns > width[column])
                width[column] = columns;
        }
    }
    unsigned shown = columns_shown(out, width);
    for (unsigned column = 0; column < shown; column++) {
        fputs("  ", out);
        put(out, headings[column], width[column], is_right(column), TONE_PLAIN, false);
    }
    fputc('\n', out);
    for (unsigned i = 0; i < count; i++) {
        for (unsigned column = 0; column < shown; column++) {
            fputs("  ", out);
            put(out, rows[i].cell[column],
                column + 1 < shown || is_right(column) ? width[column] : 0, is_right(column),
                rows[i].tone[column], colour);
            if (rows[i].failed)
                break;
        }
        if (rows[i].failed) {
            fputs("  ", out);
            put(out, rows[i].failed, 0, false, TONE_BAD, colour);
            fprintf(out, ": %s", summaries[i]->detail);
        }
        fputc('\n', out);
    }
}

static void print_head(FILE *out, const struct results *results, unsigned tape)
{
    const struct results_tape *on = &results->tapes[tape];
    const struct results_summary *any = results_summary_of(results, tape, 0);
    char live[16], *program = text_printable(on->program);
    fprintf(out, "%s", on->name);
    if (program && *program)
        fprintf(out, " (%s)", program);
    free(program);
    fprintf(out, ": %" PRIu64 " events, %" PRIu32 " thread%s, peak live %s", on->summary.events,
            on->summary.lanes, on->summary.lanes == 1 ? "" : "s",
            cli_format_bytes(on->summary.peak_live_bytes, live));
    if (!isnan(any->floor_ns_per_operation))
        fprintf(out, "; of each time %.1f ns are the replay's own (floor)",
                any->floor_ns_per_operation);
    if (results->settings.pace)
        fprintf(out, "; pace %s", results->settings.pace);
    fputc('\n', out);
}

/* From fast to slow; what failed at the end. */
static bool is_before(const struct results_summary *left, const struct results_summary *right)
{
    if (left->status != RUN_OK || right->status != RUN_OK)
        return left->status == RUN_OK && right->status != RUN_OK;
    return left->ns_per_operation.median < right->ns_per_operation.median;
}

static void print_tape(FILE *out, const struct results *results, unsigned tape, bool colour)
{
    unsigned order[ROWS_MAX], count = 0;
    const struct results_summary *summaries[ROWS_MAX];
    struct row *rows = calloc(results->allocators.count, sizeof *rows);
    if (!rows)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "out of memory");
    for (unsigned i = 0; i < results->allocators.count && count < ROWS_MAX; i++) {
        const struct results_summary *summary = results_summary_of(results, tape, i);
        bool failed_floor = summary->status != RUN_OK;
        if (summary->status == RUN_INTERRUPTED ||
            (results->allocators.items[i].is_floor && !failed_floor))
            continue;
        unsigned at = count++;
        for (; at && is_before(summary, summaries[at - 1]); at--) {
            summaries[at] = summaries[at - 1];
            order[at] = order[at - 1];
        }
        summaries[at] = summary;
        order[at] = i;
    }
    for (unsigned i = 0; i < count; i++)
        fill(&rows[i], results, tape, order[i]);
    print_head(out, results, tape);
    print_rows(out, rows, count, summaries, colour);
    free(rows);
}

void bench_table_print(FILE *out, const struct results *results, bool colour)
{
    for (unsigned tape = 0; tape < results->tape_count; tape++) {
        if (tape)
            fputc('\n', out);
        print_tape(out, results, tape, colour);
    }
}
