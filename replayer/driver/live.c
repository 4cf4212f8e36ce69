#include "replayer/driver/live.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "replayer/driver/json_file.h"
#include "replayer/driver/preload.h"
#include "replayer/driver/process.h"
#include "replayer/driver/progress.h"
#include "replayer/driver/statistics.h"
#include "traces/cli.h"

#define WARMUP_RUNS "1"

/* ---- peaks
 * --------------------------------------------------------------------------------------------- */

static int open_input(const char *path)
{
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : PROCESS_NULL;
    if (path && fd < 0)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "cannot read %s: %s", path, strerror(errno));
    return fd;
}

static void judge(struct live_entry *entry, const struct live_entry *libc,
                  const struct process_result *result)
{
    if (result->end == PROCESS_SIGNALED) {
        entry->status = RUN_CRASHED;
        snprintf(entry->detail, sizeof entry->detail, "ended by %s",
                 process_signal_name(result->signal));
    } else if (result->end == PROCESS_TIMEOUT) {
        entry->status = RUN_TIMEOUT;
        snprintf(entry->detail, sizeof entry->detail, "not done after %.4g s",
                 (double)result->wall_ns / 1e9);
    } else if (entry != libc && libc->status == RUN_OK &&
               result->exit_status != libc->exit_status) {
        entry->status = RUN_ERROR;
        snprintf(entry->detail, sizeof entry->detail, "ended with status %d, on libc with %d",
                 result->exit_status, libc->exit_status);
    }
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

/* One run for its peak and its processor time. False where it was interrupted. */
static bool run_for_peak(const struct live_program *program, const struct allocator *allocator,
                         const struct live_entry *libc, struct live_entry *entry)
{
    char preload[2 * PATH_MAX];
    struct process_result result;
    struct process_request request = {
        .arguments = (const char *const *)program->arguments,
        .preload = preload_value(allocator, preload, sizeof preload),
        .environment = allocator->environment,
        .input = open_input(program->input),
        .output = PROCESS_NULL,
        .error = PROCESS_NULL,
        .timeout_ns = program->timeout_ns,
    };
    process_run(&request, &result);
    if (request.input >= 0)
        close(request.input);
    if (result.end == PROCESS_INTERRUPTED)
        return false;
    if (result.end == PROCESS_NOT_STARTED)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "cannot start %s: %s", program->arguments[0],
                strerror(result.error));
    if (!entry->peak_count)
        entry->exit_status = result.exit_status;
    judge(entry, libc, &result);
    if (entry->status == RUN_OK) {
        entry->cpu_seconds[entry->peak_count] =
            seconds_of(result.usage.ru_utime) + seconds_of(result.usage.ru_stime);
        entry->peak_bytes[entry->peak_count++] = (double)result.usage.ru_maxrss * 1024;
    }
    return true;
}

static double median_of(const struct live_entry *entry, const double values[LIVE_RUNS_MAX])
{
    double sorted[LIVE_RUNS_MAX];
    memcpy(sorted, values, entry->peak_count * sizeof *sorted);
    return entry->status == RUN_OK ? statistics_median(sorted, entry->peak_count) : NAN;
}

static void take_median(struct live_entry *entry)
{
    entry->peak_median_bytes = median_of(entry, entry->peak_bytes);
    entry->cpu_median_seconds = median_of(entry, entry->cpu_seconds);
}

bool live_measure_peaks(const struct live_program *program, const struct allocator_list *list,
                        struct live_entry *entries)
{
    struct progress progress;
    bool going = true;
    progress_begin(&progress, program->runs * (unsigned)list->count);
    for (unsigned round = 0; round < program->runs; round++)
        for (size_t i = 0; i < list->count && going; i++) {
            progress_step(&progress, "%s: peak resident, run %u of %u", list->items[i].name,
                          round + 1, program->runs);
            if (entries[i].status == RUN_OK)
                going = run_for_peak(program, &list->items[i], &entries[0], &entries[i]);
            progress_done(&progress);
        }
    progress_clear(&progress);
    for (size_t i = 0; i < list->count; i++)
        take_median(&entries[i]);
    return going;
}

/* ---- times
 * --------------------------------------------------------------------------------------------- */

/* Appends a word in quotes, as shells and hyperfine's own splitting take it. */
static void append_word(FILE *line, const char *word)
{
    fputs(" '", line);
    for (; *word; word++)
        if (*word == '\'')
            fputs("'\\''", line);
        else
            fputc(*word, line);
    fputc('\'', line);
}

static FILE *open_text(char **text, size_t *bytes)
{
    FILE *file = open_memstream(text, bytes);
    if (!file)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "out of memory");
    return file;
}

static void close_text(FILE *file)
{
    if (fclose(file) != 0)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "out of memory");
}

/* "env LD_PRELOAD=... PROGRAM ARGS", by way of a shell where there is input; free it. */
static char *command_line(const struct live_program *program, const struct allocator *allocator)
{
    char preload[2 * PATH_MAX], variable[2 * PATH_MAX + 16], *text = NULL, *shell = NULL;
    size_t bytes;
    FILE *line = open_text(&text, &bytes);
    snprintf(variable, sizeof variable, "LD_PRELOAD=%s",
             preload_value(allocator, preload, sizeof preload));
    fputs(program->input ? "exec env" : "env", line);
    append_word(line, variable);
    for (const char *const *entry = allocator->environment; *entry; entry++)
        append_word(line, *entry);
    for (char *const *word = program->arguments; *word; word++)
        append_word(line, *word);
    if (program->input) { /* hyperfine 1.15 gives its programs no input */
        fputs(" <", line);
        append_word(line, program->input);
    }
    close_text(line);
    if (!program->input)
        return text;
    line = open_text(&shell, &bytes);
    fputs("sh -c", line);
    append_word(line, text);
    close_text(line);
    free(text);
    return shell;
}

static void read_times(const char *path, struct live_entry *entry)
{
    cJSON *json = json_file_read(path);
    const cJSON *result = cJSON_GetArrayItem(cJSON_GetObjectItem(json, "results"), 0);
    entry->mean = json_number(result, "mean");
    entry->stddev = json_number(result, "stddev");
    entry->median = json_number(result, "median");
    entry->min = json_number(result, "min");
    entry->max = json_number(result, "max");
    cJSON_Delete(json);
}

/* False where it was interrupted. */
static bool time_one(const struct live_program *program, const struct allocator *allocator,
                     const char *json_path, struct live_entry *entry)
{
    char runs[16], words[512], *command = command_line(program, allocator);
    const char *arguments[] = {
        "hyperfine", "--shell=none", "--ignore-failure", "--style=none", "--warmup", WARMUP_RUNS,
        "--runs",    runs,           "--export-json",    json_path,      command,    NULL};
    struct process_result result;
    struct process_request request = {.arguments = arguments,
                                      .input = PROCESS_NULL,
                                      .output = PROCESS_NULL,
                                      .error = process_scratch("words"),
                                      .timeout_ns = program->timeout_ns * (program->runs + 1)};
    snprintf(runs, sizeof runs, "%u", program->runs);
    process_run(&request, &result);
    process_scratch_text(request.error, words, sizeof words);
    close(request.error);
    free(command);
    if (result.end == PROCESS_INTERRUPTED)
        return false;
    if (result.end == PROCESS_EXITED && result.exit_status == 0) {
        read_times(json_path, entry);
        return true;
    }
    words[strcspn(words, "\n")] = 0;
    entry->status = result.end == PROCESS_TIMEOUT ? RUN_TIMEOUT : RUN_ERROR;
    snprintf(entry->detail, sizeof entry->detail, "hyperfine: %.200s",
             words[0] ? words : "did not end");
    return true;
}

bool live_measure_times(const struct live_program *program, const struct allocator_list *list,
                        struct live_entry *entries)
{
    struct progress progress;
    bool going = true;
    char path[] = "/tmp/heaptape-live-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "cannot make a file in /tmp: %s", strerror(errno));
    close(fd);
    progress_begin(&progress, (unsigned)list->count);
    for (size_t i = 0; i < list->count && going; i++) {
        progress_step(&progress, "%s: time, %u runs by hyperfine", list->items[i].name,
                      program->runs);
        if (entries[i].status == RUN_OK)
            going = time_one(program, &list->items[i], path, &entries[i]);
        progress_done(&progress);
    }
    progress_clear(&progress);
    unlink(path);
    return going;
}
