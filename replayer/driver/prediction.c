#include "replayer/driver/prediction.h"
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "replayer/driver/json_file.h"
#include "replayer/driver/output.h"
#include "replayer/driver/results.h"
#include "traces/cli.h"
#include "traces/reader.h"

void prediction_begin(struct prediction *prediction, size_t count)
{
    prediction->replayed_bytes = malloc((count ? count : 1) * sizeof(double));
    if (!prediction->replayed_bytes)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "out of memory");
    for (size_t i = 0; i < count; i++)
        prediction->replayed_bytes[i] = NAN;
    prediction->count = count;
    prediction->source[0] = 0;
}

static void raise_to(double *value, double other)
{
    if (isnan(*value) || other > *value)
        *value = other;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void warn_other_program(const cJSON *tapes, const char *program, const char *path)
{
    const cJSON *tape;
    cJSON_ArrayForEach(tape, tapes)
    {
        const char *recorded = cJSON_GetStringValue(cJSON_GetObjectItem(tape, "program"));
        if (recorded && !strcmp(base_name(recorded), base_name(program)))
            return;
    }
    cli_warn("%s: has no tape of %s; what it predicts may mean nothing", path, program);
}

bool prediction_read(struct prediction *prediction, const char *folder,
                     const struct allocator_list *list, const char *program)
{
    char path[PATH_MAX];
    const cJSON *row;
    if (access(output_path(folder, RESULTS_FILE, path), F_OK) < 0)
        return false;
    cJSON *json = json_file_read(path);
    const cJSON *summary = cJSON_GetObjectItem(json, "summary");
    if (!cJSON_IsArray(summary))
        cli_die(HEAPTAPE_EXIT_BAD_INPUT, "%s: has no summary; run heaptape bench again", path);
    cJSON_ArrayForEach(row, summary)
    {
        const char *name = cJSON_GetStringValue(cJSON_GetObjectItem(row, "allocator"));
        const cJSON *peak = cJSON_GetObjectItem(row, "peak_resident_bytes");
        const cJSON *median = cJSON_GetObjectItem(peak, "median");
        const struct allocator *allocator = name ? allocators_named(list, name) : NULL;
        if (allocator && cJSON_IsNumber(median))
            raise_to(&prediction->replayed_bytes[allocator - list->items], median->valuedouble);
    }
    warn_other_program(cJSON_GetObjectItem(json, "tapes"), program, path);
    cJSON_Delete(json);
    snprintf(prediction->source, sizeof prediction->source, RESULTS_FILE);
    return true;
}

static uint64_t events_of(const char *path)
{
    struct tape_reader *reader;
    struct tape_error error;
    if (tape_reader_open(path, &reader, &error) != TAPE_OK)
        cli_die_error(&error);
    uint64_t events = tape_reader_totals(reader).events;
    tape_reader_close(reader);
    return events;
}

bool prediction_replay(struct prediction *prediction, char **tapes, unsigned count,
                       const struct allocator_list *list, const struct engine_settings *settings)
{
    static struct engine_run run;
    for (unsigned i = 0; i < count; i++) {
        struct engine_settings limits = *settings;
        struct engine_tape tape = {.path = tapes[i]};
        tape.events = events_of(tapes[i]);
        limits.timeout_ns = engine_timeout_ns(settings, tape.events, 0);
        for (size_t j = 0; j < list->count; j++) {
            engine_run(&tape, &list->items[j], RUN_MODE_MEMORY, &limits, &run);
            if (run.status == RUN_INTERRUPTED)
                return false;
            if (run.status == RUN_OK)
                raise_to(&prediction->replayed_bytes[j], (double)run.result.peak_resident_bytes);
            else
                cli_warn("replay of %s on %s: %s", tapes[i], list->items[j].name, run.detail);
        }
        engine_tape_end(&tape);
    }
    snprintf(prediction->source, sizeof prediction->source, "the tapes given");
    return true;
}

double prediction_of(const struct prediction *prediction, size_t allocator, size_t libc,
                     double real_libc_bytes)
{
    return real_libc_bytes + prediction->replayed_bytes[allocator] -
           prediction->replayed_bytes[libc];
}
