#include "traces/emit.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "traces/text.h"

enum { KEY_WIDTH = 28 };

bool emit_parse_format(const char *word, enum emit_format *ret_format)
{
    static const char *const words[] = {
        [EMIT_TABLE] = "table", [EMIT_JSON] = "json", [EMIT_CSV] = "csv"};
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
        if (!strcmp(word, words[i])) {
            *ret_format = (enum emit_format)i;
            return true;
        }
    }
    return false;
}

void emit_begin(struct emit *emit, FILE *out, enum emit_format format)
{
    memset(emit, 0, sizeof *emit);
    emit->out = out;
    emit->format = format;
}

/* ---- cells: rows of a table or of CSV ----------------------------------------------------------
 */

static bool grow(void **memory, size_t *capacity, size_t needed, size_t unit)
{
    if (needed <= *capacity)
        return true;
    size_t larger = *capacity ? *capacity * 2 : 256;
    while (larger < needed)
        larger *= 2;
    void *moved = realloc(*memory, larger * unit);
    if (!moved)
        return false;
    *memory = moved;
    *capacity = larger;
    return true;
}

static void cells_clear(struct emit_cells *cells)
{
    for (uint32_t i = 0; i < cells->columns; i++)
        free(cells->keys[i]);
    free(cells->text);
    free(cells->cell);
    memset(cells, 0, sizeof *cells);
}

/* The column of `key`; columns are made while the first row is open, UINT32_MAX afterwards. */
static uint32_t cells_column(struct emit *emit, const char *key)
{
    struct emit_cells *cells = &emit->cells;
    for (uint32_t i = 0; i < cells->columns; i++) {
        if (!strcmp(cells->keys[i], key))
            return i;
    }
    if (cells->fixed)
        return UINT32_MAX;
    if (cells->columns == EMIT_COLUMNS)
        abort();
    cells->keys[cells->columns] = strdup(key);
    if (!cells->keys[cells->columns]) {
        emit->failed = true;
        return UINT32_MAX;
    }
    return cells->columns++;
}

static void cells_put(struct emit *emit, const char *key, const char *value, bool right)
{
    struct emit_cells *cells = &emit->cells;
    uint32_t column = cells_column(emit, key);
    if (column == UINT32_MAX)
        return;
    size_t length = strlen(value) + 1;
    /* While the first row is open its width is unknown, so it may be as wide as any. */
    size_t width = cells->fixed ? cells->columns : EMIT_COLUMNS;
    size_t index = (size_t)cells->rows * width + column;
    size_t had = cells->cells_capacity;
    if (!grow((void **)&cells->text, &cells->capacity, cells->bytes + length, 1) ||
        !grow((void **)&cells->cell, &cells->cells_capacity, (cells->rows + 1) * width,
              sizeof *cells->cell)) {
        emit->failed = true;
        return;
    }
    memset(cells->cell + had, 0, (cells->cells_capacity - had) * sizeof *cells->cell);
    memcpy(cells->text + cells->bytes, value, length);
    cells->cell[index] = cells->bytes + 1;
    cells->bytes += length;
    cells->right[column] |= right;
}

static const char *cells_at(const struct emit_cells *cells, uint32_t row, uint32_t column)
{
    size_t index = (size_t)row * cells->columns + column;
    size_t at = index < cells->cells_capacity ? cells->cell[index] : 0;
    return at ? cells->text + at - 1 : "";
}

static void csv_row(struct emit *emit, uint32_t row, bool header)
{
    const struct emit_cells *cells = &emit->cells;
    for (uint32_t i = 0; i < cells->columns; i++) {
        if (i)
            fputc(',', emit->out);
        text_write_csv(emit->out, header ? cells->keys[i] : cells_at(cells, row, i));
    }
    fputc('\n', emit->out);
}

static void row_end(struct emit *emit)
{
    struct emit_cells *cells = &emit->cells;
    bool first = !cells->fixed;
    cells->fixed = true;
    if (emit->format == EMIT_TABLE) {
        cells->rows++;
        return;
    }
    if (first)
        csv_row(emit, 0, true);
    csv_row(emit, 0, false);
    cells->bytes = 0;
    memset(cells->cell, 0, cells->cells_capacity * sizeof *cells->cell);
}

static void table_line(struct emit *emit, unsigned indent, uint32_t row, bool header,
                       const size_t *width)
{
    const struct emit_cells *cells = &emit->cells;
    fprintf(emit->out, "%*s", (int)indent, "");
    for (uint32_t i = 0; i < cells->columns; i++) {
        const char *text = header ? cells->keys[i] : cells_at(cells, row, i);
        bool last = i + 1 == cells->columns;
        int pad = (int)(width[i] - text_columns(text));
        if (cells->right[i])
            fprintf(emit->out, "%*s%s", pad, "", text);
        else
            fprintf(emit->out, "%s%*s", text, last ? 0 : pad, "");
        if (!last)
            fputs("  ", emit->out);
    }
    fputc('\n', emit->out);
}

static void table_print(struct emit *emit, unsigned indent)
{
    const struct emit_cells *cells = &emit->cells;
    size_t width[EMIT_COLUMNS] = {0};
    for (uint32_t i = 0; i < cells->columns; i++) {
        width[i] = text_columns(cells->keys[i]);
        for (uint32_t row = 0; row < cells->rows; row++) {
            size_t columns = text_columns(cells_at(cells, row, i));
            if (columns > width[i])
                width[i] = columns;
        }
    }
    table_line(emit, indent, 0, true, width);
    for (uint32_t row = 0; row < cells->rows; row++)
        table_line(emit, indent, row, false, width);
}

/* ---- structure ---------------------------------------------------------------------------------
 */

static struct emit_level *top(struct emit *emit)
{
    return emit->depth ? &emit->level[emit->depth - 1] : NULL;
}

/* `key` joined with the keys above it inside the row or CSV object. */
static void joined_key(struct emit *emit, const char *key, char joined[EMIT_KEY_MAX])
{
    const struct emit_level *above = top(emit);
    if (above && above->key[0] && key)
        snprintf(joined, EMIT_KEY_MAX, "%.63s_%.63s", above->key, key);
    else
        snprintf(joined, EMIT_KEY_MAX, "%s", key ? key : above ? above->key : "");
}

static void json_before(struct emit *emit, const char *key)
{
    struct emit_level *above = top(emit);
    if (above) {
        fprintf(emit->out, "%s\n%*s", above->members ? "," : "", (int)(2 * emit->depth), "");
        if (!above->array && key) {
            text_write_json(emit->out, key);
            fputs(": ", emit->out);
        }
    }
}

/* Members of a table's objects: two columns a level below the outermost. */
static unsigned table_indent(const struct emit *emit)
{
    return emit->depth > 1 ? 2 * (emit->depth - 1) : 0;
}

static void push(struct emit *emit, const char *key, bool array)
{
    char joined[EMIT_KEY_MAX];
    joined_key(emit, key, joined);
    if (emit->depth == EMIT_DEPTH)
        abort();
    if (top(emit))
        top(emit)->members++;
    struct emit_level *level = &emit->level[emit->depth++];
    memset(level, 0, sizeof *level);
    level->array = array;
    memcpy(level->key, joined, sizeof joined);
}

/* An object right inside an array begins rows, unless rows or something left out are open already.
 */
static void rows_maybe_begin(struct emit *emit)
{
    if (!top(emit) || !top(emit)->array || emit->rows_depth || emit->skip_depth)
        return;
    if (emit->csv_done) {
        emit->skip_depth = emit->depth;
        return;
    }
    if (emit->format == EMIT_CSV) {
        cells_clear(&emit->cells);
        emit->csv_done = true;
    } else if (top(emit)->key[0]) {
        fprintf(emit->out, "%*s%s:\n", (int)(table_indent(emit) - (emit->depth > 1 ? 2 : 0)), "",
                top(emit)->key);
    }
    emit->rows_depth = emit->depth;
}

void emit_object(struct emit *emit, const char *key)
{
    if (emit->format == EMIT_JSON) {
        json_before(emit, key);
        fputc('{', emit->out);
        push(emit, key, false);
        return;
    }
    rows_maybe_begin(emit);
    bool row = emit->rows_depth && emit->depth == emit->rows_depth;
    if (emit->format == EMIT_TABLE && !emit->rows_depth && !emit->skip_depth && emit->depth && key)
        fprintf(emit->out, "%*s%s:\n", (int)table_indent(emit), "", key);
    push(emit, key, false);
    if (row)
        top(emit)->key[0] = 0;
    /* A table's keys are not joined: indentation shows where they belong. */
    if (emit->format == EMIT_TABLE && !emit->rows_depth)
        top(emit)->key[0] = 0;
}

void emit_array(struct emit *emit, const char *key)
{
    if (emit->format == EMIT_JSON) {
        json_before(emit, key);
        fputc('[', emit->out);
    }
    push(emit, key, true);
    if (emit->format != EMIT_JSON && emit->rows_depth && !emit->skip_depth)
        emit->skip_depth = emit->depth;
}

static void end_cells(struct emit *emit, bool array)
{
    if (emit->skip_depth) {
        if (emit->depth < emit->skip_depth)
            emit->skip_depth = 0;
    } else if (emit->rows_depth && emit->depth == emit->rows_depth && !array) {
        row_end(emit);
    } else if (emit->rows_depth && emit->depth < emit->rows_depth) {
        emit->rows_depth = 0;
        if (emit->format == EMIT_TABLE)
            table_print(emit, table_indent(emit) + (emit->depth ? 2 : 0));
        cells_clear(&emit->cells);
    }
}

void emit_end(struct emit *emit)
{
    if (!emit->depth)
        abort();
    struct emit_level closed = *top(emit);
    emit->depth--;
    if (emit->format == EMIT_JSON) {
        if (closed.members)
            fprintf(emit->out, "\n%*s", (int)(2 * emit->depth), "");
        fputc(closed.array ? ']' : '}', emit->out);
        if (!emit->depth)
            fputc('\n', emit->out);
        return;
    }
    bool scalars = closed.array && closed.members && !emit->rows_depth && !emit->skip_depth;
    if (scalars && emit->format == EMIT_TABLE)
        fputc('\n', emit->out);
    end_cells(emit, closed.array);
}

/* ---- scalars -----------------------------------------------------------------------------------
 */

static void table_scalar(struct emit *emit, const char *key, const char *text)
{
    struct emit_level *above = top(emit);
    if (above && above->array) {
        if (!above->members)
            fprintf(emit->out, "%*s%-*s", (int)(table_indent(emit) - 2 * (emit->depth > 1)), "",
                    KEY_WIDTH, above->key);
        fprintf(emit->out, " %s", text);
        return;
    }
    unsigned indent = table_indent(emit);
    fprintf(emit->out, "%*s%-*s %s\n", (int)indent, "", KEY_WIDTH - (int)indent, key ? key : "",
            text);
}

enum scalar { SCALAR_NUMBER, SCALAR_WORD, SCALAR_STRING, SCALAR_NULL };

static void put(struct emit *emit, const char *key, const char *text, enum scalar what)
{
    if (emit->format == EMIT_JSON) {
        json_before(emit, key);
        if (what == SCALAR_STRING)
            text_write_json(emit->out, text);
        else
            fputs(text, emit->out);
    } else if (emit->skip_depth) {
        return;
    } else if (emit->rows_depth || emit->format == EMIT_CSV) {
        char joined[EMIT_KEY_MAX];
        joined_key(emit, key, joined);
        bool dash = what == SCALAR_NULL && emit->format == EMIT_TABLE;
        bool scalars = top(emit) && top(emit)->array && emit->format == EMIT_CSV;
        if (!scalars && !(emit->csv_done && !emit->rows_depth))
            cells_put(emit, joined,
                      dash                  ? "-"
                      : what == SCALAR_NULL ? ""
                                            : text,
                      what == SCALAR_NUMBER);
    } else {
        table_scalar(emit, key, what == SCALAR_NULL ? "-" : text);
    }
    if (top(emit))
        top(emit)->members++;
}

void emit_u64(struct emit *emit, const char *key, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    put(emit, key, text, SCALAR_NUMBER);
}

void emit_i64(struct emit *emit, const char *key, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, value);
    put(emit, key, text, SCALAR_NUMBER);
}

void emit_double(struct emit *emit, const char *key, double value)
{
    char text[40];
    if (!isfinite(value)) {
        emit_null(emit, key);
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    put(emit, key, text, SCALAR_NUMBER);
}

void emit_fixed(struct emit *emit, const char *key, double value, int decimals)
{
    char text[400];
    if (!isfinite(value)) {
        emit_null(emit, key);
        return;
    }
    snprintf(text, sizeof text, "%.*f", decimals, value);
    put(emit, key, text, SCALAR_NUMBER);
}

void emit_string(struct emit *emit, const char *key, const char *value)
{
    if (!value) {
        emit_null(emit, key);
        return;
    }
    if (emit->format != EMIT_TABLE) {
        put(emit, key, value, SCALAR_STRING);
        return;
    }
    char *shown = text_printable(value);
    put(emit, key, shown ? shown : "", SCALAR_STRING);
    emit->failed |= !shown;
    free(shown);
}

void emit_bool(struct emit *emit, const char *key, bool value)
{
    const char *words[2] = {"false", "true"};
    if (emit->format == EMIT_TABLE)
        words[0] = "no", words[1] = "yes";
    put(emit, key, words[value], SCALAR_WORD);
}

void emit_null(struct emit *emit, const char *key)
{
    put(emit, key, "null", SCALAR_NULL);
}

int emit_finish(struct emit *emit)
{
    while (emit->depth)
        emit_end(emit);
    if (emit->format == EMIT_CSV && !emit->csv_done && emit->cells.columns)
        row_end(emit);
    cells_clear(&emit->cells);
    if (emit->failed) {
        errno = ENOMEM;
        return -1;
    }
    return fflush(emit->out) == 0 && !ferror(emit->out) ? 0 : -1;
}
