#include "replayer/driver/saved.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "replayer/driver/json_file.h"
#include "replayer/driver/output.h"
#include "replayer/driver/results.h"
#include "traces/cli.h"

static const char *text_of(const cJSON *object, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(object, key));
    return text ? text : "";
}

/* Room for the entries of an array; dies where there is none. */
static void *room(const cJSON *array, size_t bytes, const char *path, const char *key)
{
    if (!cJSON_IsArray(array))
        cli_die(HEAPTAPE_EXIT_BAD_INPUT, "%s: has no %s; run heaptape bench again", path, key);
    void *memory = calloc((size_t)cJSON_GetArraySize(array) + 1, bytes);
    if (!memory)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "out of memory");
    return memory;
}

static void read_runs(struct saved *saved, const char *path)
{
    const cJSON *run, *runs = cJSON_GetObjectItem(saved->json, "runs");
    saved->runs = room(runs, sizeof *saved->runs, path, "runs");
    cJSON_ArrayForEach(run, runs)
    {
        if (strcmp(text_of(run, "status"), "ok") != 0)
            continue;
        saved->runs[saved->run_count++] =
            (struct saved_run){text_of(run, "tape"), text_of(run, "allocator"),
                               text_of(run, "mode"), json_number(run, "round"), run};
    }
}

static void read_rows(struct saved *saved, const char *path)
{
    const cJSON *row, *summary = cJSON_GetObjectItem(saved->json, "summary");
    saved->rows = room(summary, sizeof *saved->rows, path, "summary");
    cJSON_ArrayForEach(row, summary)
    {
        saved->rows[saved->row_count++] = (struct saved_row){
            text_of(row, "tape"), text_of(row, "allocator"), text_of(row, "status"),
            text_of(row, "detail"), cJSON_IsTrue(cJSON_GetObjectItem(row, "is_floor"))};
    }
}

void saved_read(struct saved *saved, const char *folder)
{
    char path[PATH_MAX];
    struct stat info;
    *saved = (struct saved){.folder = folder};
    if (stat(folder, &info) == 0 && S_ISREG(info.st_mode))
        snprintf(path, sizeof path, "%s", folder);
    else
        output_path(folder, RESULTS_FILE, path);
    if (access(path, R_OK) < 0)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT,
                "cannot read %s: %s; name a folder that heaptape bench -o wrote", path,
                strerror(errno));
    saved->json = json_file_read(path);
    double version = json_number(saved->json, "schema_version");
    if (version != RESULTS_SCHEMA_VERSION)
        cli_die(HEAPTAPE_EXIT_BAD_INPUT, "%s: is not a bench's results of schema version %d%s",
                path, RESULTS_SCHEMA_VERSION,
                version > RESULTS_SCHEMA_VERSION ? "; use a newer heaptape" : "");
    read_runs(saved, path);
    read_rows(saved, path);
}

const struct saved_row *saved_row_of(const struct saved *saved, const char *tape,
                                     const char *allocator)
{
    for (size_t i = 0; i < saved->row_count; i++)
        if (!strcmp(saved->rows[i].tape, tape) && !strcmp(saved->rows[i].allocator, allocator))
            return &saved->rows[i];
    return NULL;
}

const char *saved_text(const struct saved *saved, const char *object, const char *key)
{
    return text_of(cJSON_GetObjectItem(saved->json, object), key);
}

double saved_number(const struct saved *saved, const char *object, const char *key)
{
    return json_number(cJSON_GetObjectItem(saved->json, object), key);
}

const cJSON *saved_entry(const struct saved *saved, const char *list, const char *name)
{
    const cJSON *entry;
    cJSON_ArrayForEach(entry, cJSON_GetObjectItem(saved->json, list))
    {
        if (!strcmp(text_of(entry, "name"), name))
            return entry;
    }
    return NULL;
}

/* The figure that the allocator `name` has in the same round; NAN where it has none. */
static double beside(const struct saved *saved, const struct saved_run *run, const char *name,
                     const char *key)
{
    for (size_t i = 0; i < saved->run_count; i++) {
        const struct saved_run *other = &saved->runs[i];
        if (other->round == run->round && !strcmp(other->allocator, name) &&
            !strcmp(other->tape, run->tape) && !strcmp(other->mode, run->mode))
            return json_number(other->json, key);
    }
    return NAN;
}

static double value_of(const struct saved *saved, const struct saved_run *run,
                       const struct metric *metric)
{
    double value = json_number(run->json, metric->key);
    if (metric->base == METRIC_ABSOLUTE)
        return value;
    double libc = beside(saved, run, ALLOCATOR_LIBC, metric->key);
    double floor = metric->base == METRIC_NET ? beside(saved, run, ALLOCATOR_NULL, metric->key) : 0;
    /* A net time of nothing or less is noise, and no ratio can be made of it. */
    return libc - floor > 0 && value - floor > 0 ? (value - floor) / (libc - floor) : NAN;
}

size_t saved_values(const struct saved *saved, const struct saved_row *row,
                    const struct metric *metric, double values[STATISTICS_VALUES])
{
    size_t count = 0;
    for (size_t i = 0; i < saved->run_count && count < STATISTICS_VALUES; i++) {
        const struct saved_run *run = &saved->runs[i];
        if (strcmp(run->mode, metric->mode) != 0 || strcmp(run->allocator, row->allocator) != 0 ||
            strcmp(run->tape, row->tape) != 0)
            continue;
        double value = value_of(saved, run, metric);
        if (isfinite(value) && value >= 0)
            values[count++] = value;
    }
    return count;
}
