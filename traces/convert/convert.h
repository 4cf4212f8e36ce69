/*
 * Other people's traces to tapes. Each format is read line by line into a raw tape, which the
 * resolver then turns into a tape: what a lost or wrong line leaves behind is repaired there.
 * Counts that a file claims of itself are never used.
 */
#ifndef HEAPTAPE_TRACES_CONVERT_CONVERT_H
#define HEAPTAPE_TRACES_CONVERT_CONVERT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "traces/address_map.h"
#include "traces/error.h"
#include "traces/raw_writer.h"

struct convert_format;

struct convert {
    struct raw_writer *writer;
    struct tape_error error;
    struct address_map lanes; /* thread id + 1 to lane + 1 */
    uint32_t lane_count, lane;
    uint64_t tsc; /* counts calls, or the file's own nanoseconds */
    uint64_t calls, pass_calls;
    uint64_t header_lines; /* rep: numbers in front of the first call */
    uint64_t pending;      /* mtrace: the address of a realloc's first line, plus one */
    bool failed;           /* see error */
    const struct convert_format *format;
};

/*
 * A format. line() takes one line without its newline and returns NULL, or what is wrong with it;
 * recognizes() looks at the first line that is not blank.
 */
struct convert_format {
    const char *name, *title;
    bool (*recognizes)(const char *line);
    const char *(*line)(struct convert *convert, const char *line);
};
extern const struct convert_format convert_rep, convert_android, convert_mtrace;

/* A call of thread `thread`, in the order of the file. `kind` and the rest as in a raw record. */
void convert_put(struct convert *convert, uint64_t thread, unsigned kind, uint64_t address,
                 uint64_t value, unsigned align_log2);
/* realloc(old, size) that gave `address`. */
void convert_realloc(struct convert *convert, uint64_t thread, uint64_t old, uint64_t address,
                     uint64_t size);
/* The file's own time, which must not go back (it is held where it does). */
void convert_time(struct convert *convert, uint64_t ns);

/* Reads a number at *at, and the blanks behind it; false where there is none or it is out of range.
 */
bool convert_number(const char **at, int base, uint64_t *ret_value);
/* Moves *at behind `word` and the blanks behind that; false where it does not stand there. */
bool convert_word(const char **at, const char *word);

/*
 * Reads `in` (named `path` in messages) as `format`, NULL = what its first line looks like, into a
 * tape. Bad lines are TAPE_BAD_INPUT with their number.
 */
enum tape_status convert_file(FILE *in, const char *path, const struct convert_format *format,
                              const char *tape_path, struct tape_error *error);
/* A tape as .rep, with the four header lines of the original malloc lab. */
enum tape_status convert_to_rep(const char *tape_path, FILE *out, struct tape_error *error);

#endif
