/*
 * One emitter, three outputs: the same calls print an aligned table for people, JSON for programs,
 * or CSV for spreadsheets, so that no figure can be in one and missing in another.
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
 *   JSON   as nested as the calls, one member a line; keys in objects, none inside arrays (pass
 * NULL). table  one "key  value" line a scalar, members of nested objects indented; an array of
 * scalars on one line; an array of objects becomes a table with a header line, its columns the
 * scalars of the first object (those of objects nested in a row are joined by "_"; arrays in a row
 * left out). CSV    where there is an array of objects, the first one becomes header and rows, as
 * in a table, and nothing else is printed; where there is none, the object becomes one header and
 * one row.
 *
 * Depth at most EMIT_DEPTH, columns at most EMIT_COLUMNS: more is a programmer's error and aborts.
 * Memory: a heap buffer for all rows of a table (its widths need them), for one row in CSV, none in
 * JSON. For tools only, never inside a measured process.
 */
#ifndef HEAPTAPE_TRACES_EMIT_H
#define HEAPTAPE_TRACES_EMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum emit_format { EMIT_TABLE, EMIT_JSON, EMIT_CSV };

#define EMIT_DEPTH   16
#define EMIT_COLUMNS 64
#define EMIT_KEY_MAX 128

/* Text cells of rows: all rows of a table, or the row at hand of CSV. */
struct emit_cells {
    char *text; /* cells, each ended by NUL */
    size_t bytes, capacity;
    size_t *cell; /* rows * columns: 1 + offset into text; 0 = empty */
    size_t cells, cells_capacity;
    char *keys[EMIT_COLUMNS];
    bool right[EMIT_COLUMNS]; /* numbers stand at the right */
    uint32_t columns, rows;
    bool fixed; /* the first row has ended: columns are set */
};

struct emit {
    FILE *out;
    enum emit_format format;
    unsigned depth;
    struct emit_level {
        bool array;
        uint32_t members;
        char key[EMIT_KEY_MAX]; /* joined with those above it as far as rows go */
    } level[EMIT_DEPTH];
    struct emit_cells cells;
    unsigned rows_depth; /* depth inside the array whose objects are rows; 0 = none */
    unsigned skip_depth; /* depth inside an array that is left out; 0 = none */
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
/* NULL = null. Bytes that are not UTF-8 are replaced by U+FFFD in JSON; control characters escaped.
 */
void emit_string(struct emit *emit, const char *key, const char *value);
void emit_bool(struct emit *emit, const char *key, bool value);
void emit_null(struct emit *emit, const char *key);
/* Frees, flushes; 0, or -1 where out could not be written (errno kept) or memory ran out. */
int emit_finish(struct emit *emit);

#endif
