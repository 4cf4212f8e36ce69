#include "replayer/driver/tapes.h"
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "traces/cli.h"
#include "traces/reader.h"

static bool is_taken(const char *name, const struct results_tape *before, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (!strcmp(before[i].name, name))
            return true;
    return false;
}

void tapes_name(const char *path, const struct results_tape *before, unsigned count,
                char name[RESULTS_NAME_MAX])
{
    char base[RESULTS_NAME_MAX - 16];
    const char *slash = strrchr(path, '/');
    snprintf(base, sizeof base, "%s", slash ? slash + 1 : path);
    size_t length = strlen(base);
    if (length > 5 && !strcmp(base + length - 5, ".tape"))
        base[length - 5] = 0;
    for (char *at = base; *at; at++)
        if (!isalnum((unsigned char)*at) && *at != '.' && *at != '-')
            *at = '_';
    if (base[0] == '.' || !base[0])
        base[0] = '_', base[1] = base[0] ? base[1] : 0;
    snprintf(name, RESULTS_NAME_MAX, "%s", base);
    for (unsigned i = 2; is_taken(name, before, count); i++)
        snprintf(name, RESULTS_NAME_MAX, "%s-%u", base, i);
}

const char *tapes_path(const char *given)
{
    struct stat info;
    if (stat(given, &info) < 0 || S_ISDIR(info.st_mode)) /* the reader says what is wrong */
        return given;
    if (!S_ISREG(info.st_mode))
        cli_die(HEAPTAPE_EXIT_BAD_INPUT,
                "%s: is a pipe or a device, and a replay reads a tape more than once; save it to a "
                "file first",
                given);
    bool own = !strncmp(given, "/dev/", 5) || !strncmp(given, "/proc/", 6);
    char *real = own ? realpath(given, NULL) : NULL;
    return real ? real : given;
}

static char *meta(const struct tape_reader *reader, const char *key)
{
    const char *value = tape_reader_meta(reader, key);
    char *copy = strdup(value ? value : "");
    if (!copy)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "out of memory");
    return copy;
}

static void warn_about(struct results *results, const struct results_tape *tape,
                       const char *message)
{
    if (tape->summary.damaged_blocks)
        results_warn(results, "damaged_tape", "record it again, or trust its figures less",
                     "%s: %" PRIu64 " blocks are damaged and left out; %s", tape->name,
                     tape->summary.damaged_blocks, message);
    else if (!tape->complete)
        results_warn(results, "cut_tape", "record it again if the end matters",
                     "%s: the recording was cut before the program ended", tape->name);
    if (tape->summary.lanes > results->machine.cores)
        results_warn(results, "more_threads_than_cores",
                     "compare allocators with one another, not with the program's own speed",
                     "%s: its %" PRIu32
                     " threads share %u cores here, so times hold waiting for a core",
                     tape->name, tape->summary.lanes, results->machine.cores);
    if (tape->summary.events && tape->summary.events < 2000)
        results_warn(results, "short_tape", "record a longer run for times that mean something",
                     "%s: has only %" PRIu64 " events; its times are mostly start-up", tape->name,
                     tape->summary.events);
}

static void load(struct results *results, struct results_tape *tape)
{
    struct tape_reader *reader;
    struct tape_error error = {.message = ""};
    if (tape_reader_open(tape->replayed.path, &reader, &error) != TAPE_OK)
        cli_die_error(&error);
    enum tape_status status = tape_summarize(reader, &tape->summary, &error);
    if (status != TAPE_OK && status != TAPE_DAMAGED)
        cli_die_error(&error);
    struct tape_reader_totals totals = tape_reader_totals(reader);
    if (!tape->summary.events)
        cli_die(HEAPTAPE_EXIT_BAD_INPUT, "%s: %s; record the program again", tape->replayed.path,
                tape->summary.damaged_blocks || !totals.complete
                    ? "damaged, and no event of it can be read; see heaptape trace check"
                    : "has no events to replay");
    tape->file_bytes = totals.file_bytes;
    tape->complete = totals.complete && !tape->summary.damaged_blocks;
    tape->program = meta(reader, "program");
    tape->arguments = meta(reader, "arguments");
    tape->recorded_allocator = meta(reader, "allocator");
    tape->replayed.events = tape->summary.events;
    tape->timeout_ns =
        engine_timeout_ns(&results->settings, tape->summary.events, tape->summary.duration_ns);
    warn_about(results, tape, error.message);
    tape_reader_close(reader);
}

void tapes_load(struct results *results, char **paths, unsigned count)
{
    results->tapes = calloc(count, sizeof *results->tapes);
    if (!results->tapes)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "out of memory");
    results->tape_count = count;
    for (unsigned i = 0; i < count; i++) {
        results->tapes[i].replayed.path = tapes_path(paths[i]);
        tapes_name(paths[i], results->tapes, i, results->tapes[i].name);
        load(results, &results->tapes[i]);
    }
}
