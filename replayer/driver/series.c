#include "replayer/driver/series.h"
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "replayer/driver/latency_files.h"
#include "replayer/driver/output.h"
#include "traces/cli.h"

void series_name(const char *tape, const char *allocator, char *text, size_t bytes)
{
    snprintf(text, bytes, "%s/%s.%s.csv", RESULTS_SERIES, tape, allocator);
}

void series_snapshots_name(const char *tape, const char *allocator, char *text, size_t bytes)
{
    snprintf(text, bytes, "%s/%s.%s.heap", RESULTS_SNAPSHOTS, tape, allocator);
}

/* An empty cell where it is unknown. */
static void put_known(FILE *file, uint64_t value)
{
    if (value != ENGINE_UNKNOWN)
        fprintf(file, "%" PRIu64, value);
}

static void write_run(const struct results_run *run, const char *folder, const char *name)
{
    struct output output;
    output_open(&output, folder, name);
    fputs("operation,time_seconds,requested_bytes,usable_bytes,held_bytes,resident_bytes,"
          "huge_bytes,minor_faults,major_faults,system_calls\n",
          output.file);
    for (uint32_t i = 0; i < run->series_count; i++) {
        const struct engine_sample *at = &run->series[i];
        fprintf(output.file, "%" PRIu64 ",%.9f,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",",
                at->operation, (double)at->time_ns / 1e9, at->requested_bytes, at->usable_bytes,
                at->held_bytes, at->resident_bytes);
        put_known(output.file, at->huge_bytes);
        fprintf(output.file, ",%" PRIu64 ",%" PRIu64 ",", at->minor_faults, at->major_faults);
        put_known(output.file, at->system_calls);
        fputc('\n', output.file);
    }
    output_close(&output);
}

void series_write(const struct results *results, const char *folder)
{
    for (unsigned tape = 0; tape < results->tape_count; tape++)
        for (unsigned i = 0; i < results->allocators.count; i++) {
            const struct results_summary *row = results_summary_of(results, tape, i);
            char name[2 * RESULTS_NAME_MAX + 32];
            if (!row->median_memory)
                continue;
            series_name(results->tapes[tape].name, results->allocators.items[i].name, name,
                        sizeof name);
            write_run(row->median_memory, folder, name);
        }
}

void results_write_sizes(const struct results *results, const char *folder)
{
    for (unsigned i = 0; i < results->tape_count; i++) {
        const struct results_tape *tape = &results->tapes[i];
        struct output output;
        char name[RESULTS_NAME_MAX + 32];
        snprintf(name, sizeof name, "%s/%s.sizes.csv", RESULTS_SERIES, tape->name);
        output_open(&output, folder, name);
        fputs("size_low_bytes,size_high_bytes,allocations,allocated_bytes\n", output.file);
        for (unsigned bin = 0; bin < SUMMARY_SIZE_BINS; bin++) {
            if (!tape->summary.size_count[bin])
                continue;
            uint64_t high = bin + 1 < SUMMARY_SIZE_BINS ? summary_bin_low(bin + 1) - 1 : UINT64_MAX;
            fprintf(output.file, "%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n",
                    summary_bin_low(bin), high, tape->summary.size_count[bin],
                    tape->summary.size_bytes[bin]);
        }
        output_close(&output);
    }
}

/* Removes every file of FOLDER whose name begins and ends so. */
static void remove_files(const char *folder, const char *begin, const char *end)
{
    char path[PATH_MAX];
    DIR *entries = opendir(folder);
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        size_t length = strlen(entry->d_name), tail = strlen(end);
        if (length > tail && !strcmp(entry->d_name + length - tail, end) &&
            !strncmp(entry->d_name, begin, strlen(begin)))
            unlink(output_path(folder, entry->d_name, path));
    }
    if (entries)
        closedir(entries);
}

static bool is_empty(const char *folder)
{
    bool empty = true;
    DIR *entries = opendir(folder);
    for (struct dirent *entry; entries && (entry = readdir(entries));)
        empty &= !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..");
    if (entries)
        closedir(entries);
    return empty;
}

void results_open_folder(const char *folder)
{
    char series[PATH_MAX], file[PATH_MAX];
    struct stat info;
    if (!*folder)
        cli_die_usage("-o: the name of the folder is empty");
    if (stat(folder, &info) == 0 && !S_ISDIR(info.st_mode))
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "%s: is not a folder; choose another with -o", folder);
    bool ours = access(output_path(folder, RESULTS_FILE, file), F_OK) == 0 ||
                access(output_path(folder, "live.json", series), F_OK) == 0 ||
                access(output_path(folder, "tapes", series), F_OK) == 0;
    if (!ours && !is_empty(folder))
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT,
                "%s: exists and is not a results folder; choose another with -o", folder);
    output_path(folder, RESULTS_SNAPSHOTS, series);
    remove_files(series, "", ".heap");
    remove_files(series, "", ".json");
    remove_files(series, "", ".tmp");
    rmdir(series);
    output_path(folder, RESULTS_SERIES, series);
    if ((mkdir(folder, 0777) < 0 && errno != EEXIST) ||
        (mkdir(series, 0777) < 0 && errno != EEXIST))
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "cannot make %s: %s; choose another with -o", series,
                strerror(errno));
    if (access(folder, W_OK | X_OK) < 0 || access(series, W_OK | X_OK) < 0)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "cannot write to %s: %s; choose another with -o", folder,
                strerror(errno));
    remove_files(series, "", ".csv");
    remove_files(series, "", ".tmp");
    remove_files(folder, RESULTS_FILE ".", ".tmp");
    unlink(file);
    unlink(output_path(folder, LATENCY_FILE, file));
    unlink(output_path(folder, "live.json", file));
}
