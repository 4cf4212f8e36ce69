/*
 * One emitter, three outputs: the same calls print an aligned table for people, JSON for programs, or CSV
 * for spreadsheets, so that no figure can be in one and missing in another.
 *
 *     emit_begin(&emit, stdout, EMIT_JSON);
 *     emit_object(&emit, NULL);
 *       emit_u64(&emit, "events", n);
 *       emit_array(&emit, "lanes");
 *         emit_object(&emit, NULL); emit_u64(&emit, "lane", 0); emit_end(&emit);
 *       emit_end(&emit);
 *     emit_end(&emit);
 *     status = emit_finish(&emit);
 *
 *   JSON   as nested as the calls; keys of objects, no keys inside arrays (pass NULL).
 *   table  one "key  value" line a scalar, keys of nested objects indented; an array of objects becomes a
 *          table with a header line (columns from its first object, scalars only).
 *   CSV    an array of objects becomes header and rows, and nothing else is printed where there is one;
 *          a lone object becomes one header line and one row, nested keys joined by "_". Arrays of
 *          objects inside a printed object are left out of CSV.
 *
 * Depth at most EMIT_DEPTH. Memory: one heap buffer for the rows of a table (its widths need all of them).
 * For tools only, never in a measured process. A table's array holds at most a few thousand rows sensibly;
 * long listings print CSV or lines themselves.
 */
#ifndef HEAPTAPE_TRACES_EMIT_H
#define HEAPTAPE_TRACES_EMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum emit_format { EMIT_TABLE, EMIT_JSON, EMIT_CSV };

#define EMIT_DEPTH 16
#define EMIT_COLUMNS 64
#define EMIT_KEY_MAX 128

struct emit {
    FILE *out;
    enum emit_format format;
    unsigned depth;
    struct emit_level {
        bool array;
        uint32_t members;
        char key[EMIT_KEY_MAX]; /* full key with its parents', for CSV */
    } level[EMIT_DEPTH];
    /* Cells are gathered as text: a table's or a CSV's header and rows. */
    struct emit_cells {
        char *text; /* NUL-separated cells, row after row */
        size_t bytes, capacity;
        uint32_t columns, column, rows;
        bool overflow; /* a row had other columns than the first */
        char *header;
        size_t header_bytes, header_capacity;
        bool right[EMIT_COLUMNS]; /* numbers stand at the right */
    } cells;
    unsigned rows_depth; /* level of the array whose objects are rows; 0 = none */
    bool csv_done;       /* CSV has printed its array */
    bool failed;         /* out of memory */
};

/* "table", "json" or "csv" into *ret_format; false for anything else. */
bool emit_parse_format(const char *word, enum emit_format *ret_format);

void emit_begin(struct emit *emit, FILE *out, enum emit_format format);
void emit_object(struct emit *emit, const char *key);
void emit_array(struct emit *emit, const char *key);
void emit_end(struct emit *emit); /* the innermost open object or array */
void emit_u64(struct emit *emit, const char *key, uint64_t value);
void emit_i64(struct emit *emit, const char *key, int64_t value);
/* Shortest text that reads back as the same double; not finite = null. */
void emit_double(struct emit *emit, const char *key, double value);
/* Fixed number of decimals, for figures whose noise starts there. */
void emit_fixed(struct emit *emit, const char *key, double value, int decimals);
/* NULL = null. Bytes that are not UTF-8 are replaced by U+FFFD in JSON; control characters escaped. */
void emit_string(struct emit *emit, const char *key, const char *value);
void emit_bool(struct emit *emit, const char *key, bool value);
void emit_null(struct emit *emit, const char *key);
/* Frees, flushes; 0, or -1 where out could not be written (errno kept) or memory ran out. */
int emit_finish(struct emit *emit);

#endif
