#include "replayer/driver/changes_print.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "traces/cli.h"
#include "traces/text.h"

enum { COLUMNS = 7, CELL_BYTES = 200 };

struct line {
    char cell[COLUMNS][CELL_BYTES];
    const struct change *change;
};

static const char *const headings[COLUMNS] = {"tape", "allocator", "metric", "before",
                                              "now",  "change",    ""};

static void cell_figure(char *cell, const struct metric *metric, double value)
{
    char bytes[16];
    if (isnan(value))
        snprintf(cell, CELL_BYTES, "-");
    else if (!strcmp(metric->unit, "bytes"))
        snprintf(cell, CELL_BYTES, "%s", cli_format_bytes((uint64_t)value, bytes));
    else if (metric->base == METRIC_ABSOLUTE)
        snprintf(cell, CELL_BYTES, "%.4g %s", value, metric->unit);
    else
        snprintf(cell, CELL_BYTES, "%.3f", value);
}

/* "+7.6 %  +5.1 .. +10" */
static void cell_change(char *cell, const struct interval *ratio)
{
    double share[] = {ratio->median, ratio->ci_low, ratio->ci_high};
    char text[3][24];
    for (unsigned i = 0; i < 3; i++) {
        double percent = 100 * (share[i] - 1);
        snprintf(text[i], sizeof text[i], "%+.*f", fabs(percent) < 9.95 ? 1 : 0, percent);
    }
    if (isnan(ratio->median))
        snprintf(cell, CELL_BYTES, "-");
    else if (isnan(ratio->ci_low))
        snprintf(cell, CELL_BYTES, "%s %%", text[0]);
    else
        snprintf(cell, CELL_BYTES, "%s %%  %s .. %s", text[0], text[1], text[2]);
}

/* For people. Without a limit there is nothing to be within. */
static const char *word(const struct change *change)
{
    bool none = change->kind == CHANGE_WITHIN || change->kind == CHANGE_NOT_SHOWN;
    if (none && change->limit <= 0)
        return "no change shown";
    return change->kind == CHANGE_NOT_SHOWN ? "not shown"
           : change->kind == CHANGE_WITHIN  ? "within limit"
                                            : change_word(change->kind);
}

static void fill(struct line *line, const struct change *change)
{
    line->change = change;
    snprintf(line->cell[0], CELL_BYTES, "%s", change->tape);
    snprintf(line->cell[1], CELL_BYTES, "%s", change->allocator);
    if (change->metric) {
        snprintf(line->cell[2], CELL_BYTES, "%s", change->metric->name);
        cell_figure(line->cell[3], change->metric, change->old_median);
        cell_figure(line->cell[4], change->metric, change->new_median);
        cell_change(line->cell[5], &change->ratio);
    }
    snprintf(line->cell[6], CELL_BYTES, "%s%s%s", word(change), change->detail[0] ? ": " : "",
             change->detail);
}

static void print_line(FILE *out, const struct line *line, const size_t *width, bool colour)
{
    for (unsigned column = 0; column < COLUMNS; column++) {
        const char *cell = line ? line->cell[column] : headings[column];
        size_t columns = text_columns(cell), pad = width[column] - columns;
        bool last = column + 1 == COLUMNS, right = column == 3 || column == 4;
        enum change_kind kind = line ? line->change->kind : CHANGE_WITHIN;
        bool red = last && colour && kind == CHANGE_WORSE,
             green = last && colour && kind == CHANGE_BETTER;
        fprintf(out, "  %*s%s%s%s%*s", right ? (int)pad : 0, "",
                red     ? "\033[31m"
                : green ? "\033[32m"
                        : "",
                cell, red || green ? "\033[0m" : "", right || last ? 0 : (int)pad, "");
    }
    fputc('\n', out);
}

static void print_lines(FILE *out, const struct line *lines, size_t count, bool colour)
{
    size_t width[COLUMNS];
    for (unsigned column = 0; column < COLUMNS; column++) {
        width[column] = text_columns(headings[column]);
        for (size_t i = 0; i < count; i++) {
            size_t columns = text_columns(lines[i].cell[column]);
            if (columns > width[column])
                width[column] = columns;
        }
    }
    if (count)
        print_line(out, NULL, width, false);
    for (size_t i = 0; i < count; i++)
        print_line(out, &lines[i], width, colour);
}

/* "FAILED against old: of 12 compared 1 is worse, 2 not shown, 9 within limit" */
static void print_head(FILE *out, const struct changes *changes, bool failed)
{
    size_t compared = changes->count - changes->of[CHANGE_MISSING] - changes->of[CHANGE_NEW];
    fprintf(out, "%s%s: %zu compared", failed ? "FAILED against " : "against ", changes->old_folder,
            compared);
    for (unsigned kind = 0; kind < CHANGE_LIMIT; kind++) {
        size_t i = 0;
        while (i < changes->count && changes->items[i].kind != kind)
            i++;
        if (i < changes->count)
            fprintf(out, ", %zu %s", changes->of[kind], word(&changes->items[i]));
    }
    fputc('\n', out);
    for (size_t i = 0; i < changes->count; i++) { /* each metric once, with its limit */
        const struct change *change = &changes->items[i];
        size_t j = 0;
        while (j < i && changes->items[j].metric != change->metric)
            j++;
        if (change->metric && j == i && change->limit > 0)
            fprintf(out, "  %s: worse where all of the interval is above +%.4g %%\n",
                    change->metric->name, 100 * change->limit);
    }
}

void changes_print_table(FILE *out, const struct changes *changes, bool failed, bool colour)
{
    struct line *lines = calloc(changes->count + 1, sizeof *lines);
    size_t count = 0;
    if (!lines)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "out of memory");
    for (unsigned kind = 0; kind < CHANGE_LIMIT; kind++)
        for (size_t i = 0; i < changes->count; i++) {
            bool calm = kind == CHANGE_WITHIN || kind == CHANGE_BETTER || kind == CHANGE_NEW;
            if (changes->items[i].kind == kind && !(failed && calm))
                fill(&lines[count++], &changes->items[i]);
        }
    print_head(out, changes, failed);
    print_lines(out, lines, count, colour);
    free(lines);
}

static void emit_change(struct emit *emit, const struct change *change)
{
    emit_object(emit, NULL);
    emit_string(emit, "tape", change->tape);
    emit_string(emit, "allocator", change->allocator);
    emit_string(emit, "metric", change->metric ? change->metric->name : NULL);
    emit_string(emit, "unit", change->metric ? change->metric->unit : NULL);
    emit_string(emit, "verdict", change_word(change->kind));
    emit_double(emit, "limit", change->metric ? change->limit : NAN);
    emit_double(emit, "old_median", change->old_median);
    emit_double(emit, "new_median", change->new_median);
    emit_object(emit, "change"); /* as a share: 0.03 is 3 % more */
    emit_fixed(emit, "median", change->ratio.median - 1, 5);
    emit_fixed(emit, "ci_low", change->ratio.ci_low - 1, 5);
    emit_fixed(emit, "ci_high", change->ratio.ci_high - 1, 5);
    emit_end(emit);
    emit_u64(emit, "old_runs", change->old_runs);
    emit_u64(emit, "new_runs", change->new_runs);
    emit_string(emit, "detail", change->detail);
    emit_end(emit);
}

void changes_emit(struct emit *emit, const struct changes *changes, bool failed)
{
    emit_string(emit, "old", changes->old_folder);
    emit_string(emit, "new", changes->new_folder);
    emit_bool(emit, "failed", failed);
    emit_object(emit, "counts");
    for (unsigned kind = 0; kind < CHANGE_LIMIT; kind++)
        emit_u64(emit, change_word(kind), changes->of[kind]);
    emit_end(emit);
    emit_array(emit, "warnings");
    for (size_t i = 0; i < changes->warning_count; i++)
        emit_string(emit, NULL, changes->warnings[i]);
    emit_end(emit);
    emit_array(emit, "changes");
    for (size_t i = 0; i < changes->count; i++)
        emit_change(emit, &changes->items[i]);
    emit_end(emit);
}

void changes_warn(const struct changes *changes)
{
    for (size_t i = 0; i < changes->warning_count; i++)
        cli_warn("%s", changes->warnings[i]);
}
