#include "replayer/driver/prediction.h"
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "replayer/driver/beside.h"
#include "replayer/driver/json_file.h"
#include "replayer/driver/output.h"
#include "replayer/driver/results.h"
#include "replayer/driver/statistics.h"
#include "replayer/driver/tapes.h"
#include "traces/cli.h"
#include "traces/reader.h"

static double *unknown(size_t count)
{
    double *values = malloc((count ? count : 1) * sizeof *values);
    if (!values)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "out of memory");
    for (size_t i = 0; i < count; i++)
        values[i] = NAN;
    return values;
}

void prediction_begin(struct prediction *prediction, size_t count)
{
    prediction->replayed_bytes = unknown(count);
    prediction->replayed_cpu_seconds = unknown(count);
    prediction->count = count;
    prediction->timed_tapes = 0;
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

static void read_length(struct engine_tape *tape, uint64_t *ret_recorded_ns)
{
    struct tape_reader *reader;
    struct tape_error error;
    if (tape_reader_open(tape->path, &reader, &error) != TAPE_OK)
        cli_die_error(&error);
    tape->events = tape_reader_totals(reader).events;
    *ret_recorded_ns = tape_reader_duration_ns(reader);
    tape_reader_close(reader);
}

/* One tape on all allocators, libc first, whose replay tells what was beside the heap. False where
 * it was interrupted. */
static bool replay_tape(struct prediction *prediction, struct engine_tape *tape,
                        const struct allocator_list *list, const struct engine_settings *limits)
{
    static struct engine_run run;
    struct beside beside;
    beside_read(&beside, tape->path);
    for (size_t j = 0; j < list->count; j++) {
        engine_run(tape, &list->items[j], RUN_MODE_MEMORY, limits, &run);
        if (run.status == RUN_INTERRUPTED)
            return false;
        if (j == 0 && run.status == RUN_OK)
            beside_begin(&beside, &run.result);
        else if (j == 0)
            beside.count = 0;
        if (run.status == RUN_OK)
            raise_to(&prediction->replayed_bytes[j], beside_peak(&beside, &run.result));
        else
            cli_warn("replay of %s on %s: %s", tape->path, list->items[j].name, run.detail);
    }
    beside_end(&beside);
    return true;
}

/* The processor time of one tape's replays, added to that of the tapes before. */
static bool time_tape(struct prediction *prediction, struct engine_tape *tape,
                      const struct allocator_list *list, const struct engine_settings *settings,
                      unsigned runs)
{
    static struct engine_run run;
    struct engine_settings fast = *settings;
    double *seconds = malloc(list->count * runs * sizeof *seconds); /* allocator by allocator */
    bool *ok = malloc(list->count * sizeof *ok), going = true;
    if (!seconds || !ok)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "out of memory");
    memset(ok, true, list->count * sizeof *ok);
    fast.speed = 0;
    fast.pace = NULL;
    if (!fast.touch)
        fast.touch = "page"; /* the faults are the program's too */
    for (unsigned i = 0; i < runs && going; i++)
        for (size_t j = 0; j < list->count && going; j++) {
            if (ok[j])
                engine_run(tape, &list->items[j], RUN_MODE_TIME, &fast, &run);
            going = run.status != RUN_INTERRUPTED;
            ok[j] = ok[j] && run.status == RUN_OK;
            seconds[j * runs + i] = (double)run.result.timed_cpu_ns / 1e9;
        }
    for (size_t j = 0; j < list->count && going; j++) {
        double *sum = &prediction->replayed_cpu_seconds[j];
        double median = ok[j] ? statistics_median(seconds + j * runs, runs) : NAN;
        *sum = prediction->timed_tapes ? *sum + median : median;
    }
    prediction->timed_tapes++;
    free(seconds);
    free(ok);
    return going;
}

bool prediction_replay(struct prediction *prediction, char **tapes, unsigned count,
                       const struct allocator_list *list, const struct engine_settings *settings,
                       unsigned cpu_runs)
{
    for (unsigned i = 0; i < count; i++) {
        struct engine_settings limits = *settings;
        struct engine_tape tape = {.path = tapes_path(tapes[i])};
        uint64_t recorded_ns;
        read_length(&tape, &recorded_ns);
        limits.timeout_ns = engine_timeout_ns(settings, tape.events, recorded_ns);
        if (!replay_tape(prediction, &tape, list, &limits) ||
            !time_tape(prediction, &tape, list, &limits, cpu_runs))
            return false;
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

double prediction_cpu_of(const struct prediction *prediction, size_t allocator, size_t libc,
                         double real_libc_seconds)
{
    return real_libc_seconds + prediction->replayed_cpu_seconds[allocator] -
           prediction->replayed_cpu_seconds[libc];
}
