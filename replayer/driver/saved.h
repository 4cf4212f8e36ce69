/*
 * The results of an earlier bench, read back from its folder, for what compares two of them. Texts
 * point into the JSON, which is never given back.
 */
#ifndef HEAPTAPE_REPLAYER_DRIVER_SAVED_H
#define HEAPTAPE_REPLAYER_DRIVER_SAVED_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include "replayer/driver/metric.h"
#include "replayer/driver/statistics.h"

struct saved_run {
    const char *tape, *allocator, *mode;
    double round;
    const cJSON *json;
};

/* A row of `summary`: an allocator that was measured on a tape, or failed there. */
struct saved_row {
    const char *tape, *allocator, *status, *detail;
    bool is_floor;
};

struct saved {
    const char *folder;
    cJSON *json;
    struct saved_run *runs; /* those that ended well */
    struct saved_row *rows;
    size_t run_count, row_count;
};

/* FOLDER holds results.json, or is that file itself. Ends the tool with 3 or 4 where it cannot be
 * read or is not what a bench writes. */
void saved_read(struct saved *saved, const char *folder);
const struct saved_row *saved_row_of(const struct saved *saved, const char *tape,
                                     const char *allocator);
/* "object.key" of results.json, such as machine.cpu_model; "" where it is not there. */
const char *saved_text(const struct saved *saved, const char *object, const char *key);
double saved_number(const struct saved *saved, const char *object, const char *key);
/* The entry of `tapes` or `allocators` of that name, or NULL. */
const cJSON *saved_entry(const struct saved *saved, const char *list, const char *name);
/* The metric's figure of each run that has it, in the order of the rounds; how many. */
size_t saved_values(const struct saved *saved, const struct saved_row *row,
                    const struct metric *metric, double values[STATISTICS_VALUES]);

#endif
