#include "analysis/print_chart.h"

#include "analysis/print_text.h"

#define COLUMNS 72

/* Columns of so many lines, up to the highest, which has `most` written beside it. */
static void draw(const double *heights, unsigned rows, const char *most, FILE *out)
{
    double highest = 0;
    for (unsigned i = 0; i < COLUMNS; i++)
        highest = heights[i] > highest ? heights[i] : highest;
    for (unsigned row = rows; row > 0; row--) {
        char line[COLUMNS];
        unsigned length = 0;
        for (unsigned i = 0; i < COLUMNS; i++) {
            double height = heights[i] / highest * rows;
            line[i] = height > row - 0.5 ? '#' : height > row - 1 ? '.' : ' ';
            length = line[i] != ' ' ? i + 1 : length;
        }
        fprintf(out, "  %12s |%.*s\n", row == rows ? most : "", (int)length, line);
    }
    fprintf(out, "  %12s +", "0");
    for (unsigned i = 0; i < COLUMNS; i++)
        fputc('-', out);
    fputc('\n', out);
}

/* The highest R of the points in each column; of a point that is longer than one, in all of its. */
void print_chart_live(const struct statistics *s, FILE *out)
{
    const struct live_series *series = &s->series;
    double heights[COLUMNS] = {0};
    if (!series->count || !s->peak_live_bytes)
        return;
    for (uint64_t i = 0; i < series->count; i++) {
        uint64_t from = i * COLUMNS / series->count, end = (i + 1) * COLUMNS / series->count;
        double most = (double)series->points[i].most_live_bytes;
        for (uint64_t at = from; at < COLUMNS && (at < end || at == from); at++)
            heights[at] = most > heights[at] ? most : heights[at];
    }
    fputs("\n  Over the events of the tape\n", out);
    draw(heights, 8, print_bytes(s->peak_live_bytes), out);
    fprintf(out, "  %13s 0 %*s events\n", "", COLUMNS - 9, print_count(s->events));
}

/* The bytes of each point are spread over the columns that it reaches into, by time. */
static void spread(double *heights, double from, double end, double bytes)
{
    unsigned first = (unsigned)from < COLUMNS ? (unsigned)from : COLUMNS - 1;
    if (end - from < 1e-9) {
        heights[first] += bytes;
        return;
    }
    for (unsigned i = first; i < COLUMNS && (double)i < end; i++) {
        double low = from > (double)i ? from : (double)i;
        double high = end < (double)i + 1 ? end : (double)i + 1;
        heights[i] += bytes * (high - low) / (end - from);
    }
}

void print_chart_rate(const struct statistics *s, FILE *out)
{
    const struct live_series *series = &s->series;
    double heights[COLUMNS] = {0}, highest = 0, column_ns = (double)s->duration_ns / COLUMNS;
    uint64_t bytes = 0, time_ns = 0;
    if (!series->count || !s->duration_ns || !s->allocated_bytes)
        return;
    for (uint32_t i = 0; i < series->count; i++) {
        const struct live_point *point = &series->points[i];
        spread(heights, (double)time_ns / column_ns, (double)point->time_ns / column_ns,
               (double)(point->allocated_bytes - bytes));
        bytes = point->allocated_bytes;
        time_ns = point->time_ns;
    }
    for (unsigned i = 0; i < COLUMNS; i++)
        highest = heights[i] > highest ? heights[i] : highest;
    char most[32];
    fputs("\n  Allocated a second over the time that was recorded\n", out);
    snprintf(most, sizeof most, "%s/s", print_bytes((uint64_t)(highest * 1e9 / column_ns)));
    draw(heights, 4, most, out);
    fprintf(out, "  %13s 0 %*.6g s\n", "", COLUMNS - 4, (double)s->duration_ns / 1e9);
}
