#include "replayer/driver/own_stats.h"
#include <cjson/cJSON.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "replayer/driver/json_file.h"
#include "traces/cli.h"

#define VARIABLE "HTMALLOC_OPTIONS"
#define OPTION   "stats_file="

#define ROWS_MAX 40 /* of a table for people */

static int file = -1;

/* ---- the file ---- */

static bool tells(const struct allocator *allocator)
{
    const char *slash = allocator ? strrchr(allocator->path, '/') : NULL;
    return slash && strncmp(slash + 1, "libhtmalloc", strlen("libhtmalloc")) == 0;
}

void own_stats_open(const struct allocator *allocator)
{
    if (file >= 0)
        close(file);
    file = tells(allocator) ? memfd_create("heaptape-own-stats", MFD_CLOEXEC) : -1;
}

void own_stats_environment(void)
{
    char value[4096];
    const char *had = getenv(VARIABLE);
    if (file < 0 || (had && strstr(had, OPTION)))
        return;
    int length = snprintf(value, sizeof value, "%s%s" OPTION "/proc/%d/fd/%d", had ? had : "",
                          had && *had ? "," : "", (int)getppid(), file);
    if (length > 0 && (size_t)length < sizeof value)
        setenv(VARIABLE, value, 1);
}

/* All that was written, an object an element, what is no whole line left out. NULL where there is
 * none. */
static cJSON *read_lines(void)
{
    struct stat status;
    if (file < 0 || fstat(file, &status) < 0 || status.st_size == 0)
        return NULL;
    char *text = malloc((size_t)status.st_size + 1);
    ssize_t got = text ? pread(file, text, (size_t)status.st_size, 0) : 0;
    cJSON *lines = cJSON_CreateArray();
    for (char *at = text, *end; got > 0 && (end = memchr(at, '\n', (size_t)(text + got - at)));
         at = end + 1) {
        cJSON *line = cJSON_ParseWithLength(at, (size_t)(end - at));
        if (line && cJSON_IsObject(line))
            cJSON_AddItemToArray(lines, line);
        else
            cJSON_Delete(line);
    }
    free(text);
    return lines;
}

/* ---- for people ---- */

static const struct {
    const char *key, *words;
} parts[] = {
    {"live_bytes", "blocks in use"},
    {"internal_bytes", "known to be lost in blocks and ends"},
    {"free_in_runs_bytes", "free blocks between them"},
    {"uncarved_bytes", "not handed out yet, most not resident"},
    {"cached_bytes", "freed large blocks kept by threads"},
    {"dirty_bytes", "free and perhaps resident"},
    {"huge_kept_bytes", "freed huge blocks, perhaps resident"},
    {"metadata_bytes", "its own data"},
    {"clean_bytes", "given back or never touched"},
    {"mapped_bytes", "mapped: the sum of these"},
};

static uint64_t number_of(const cJSON *object, const char *key)
{
    double number = json_number(object, key);
    return number >= 0 ? (uint64_t)number : 0;
}

static const char *word_of(const cJSON *object, const char *key)
{
    const char *word = cJSON_GetStringValue(cJSON_GetObjectItem(object, key));
    return word ? word : "?";
}

static void print_classes(FILE *out, const cJSON *classes)
{
    const cJSON *at;
    fprintf(out, "\n%12s %8s %10s %10s %10s %10s\n", "block bytes", "runs", "in use", "free",
            "carved", "room for");
    cJSON_ArrayForEach(at, classes)
    {
        fprintf(out,
                "%12" PRIu64 " %8" PRIu64 " %10" PRIu64 " %10" PRIu64 " %10" PRIu64 " %10" PRIu64
                "\n",
                number_of(at, "block_bytes"), number_of(at, "runs"), number_of(at, "live_blocks"),
                number_of(at, "free_blocks"), number_of(at, "carved_blocks"),
                number_of(at, "capacity_blocks"));
    }
}

static void print_more(FILE *out, int rows)
{
    if (rows > ROWS_MAX)
        fprintf(out, "%12s and %d more; --format=json has them all\n", "", rows - ROWS_MAX);
}

static void print_threads(FILE *out, const cJSON *threads)
{
    const cJSON *at;
    char live[16], empty[16];
    if (cJSON_GetArraySize(threads) < 2)
        return;
    fprintf(out, "\n%12s %8s %10s %10s\n", "thread heap", "runs", "in use", "free");
    int rows = 0;
    cJSON_ArrayForEach(at, threads)
    {
        if (rows++ == ROWS_MAX)
            break;
        fprintf(out, "%12" PRIu64 " %8" PRIu64 " %10s %10s%s\n", number_of(at, "number"),
                number_of(at, "runs"), cli_format_bytes(number_of(at, "live_bytes"), live),
                cli_format_bytes(number_of(at, "free_in_runs_bytes"), empty),
                number_of(at, "running") ? "" : "  its thread has ended");
    }
    print_more(out, cJSON_GetArraySize(threads));
}

static void print_one(FILE *out, const cJSON *one)
{
    char bytes[16];
    fprintf(out, "\n%s's own statistics, as %s (process %" PRIu64 ") ended\n",
            word_of(one, "library"), word_of(one, "program"), number_of(one, "pid"));
    for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++) {
        uint64_t value = number_of(one, parts[i].key);
        fprintf(out, "%-38s %10s", parts[i].words, cli_format_bytes(value, bytes));
        if (value >= 1024)
            fprintf(out, " (%" PRIu64 " bytes)", value);
        fputc('\n', out);
    }
    print_classes(out, cJSON_GetObjectItem(one, "classes"));
    print_threads(out, cJSON_GetObjectItem(one, "threads"));
}

static void print_processes(FILE *out, const cJSON *lines)
{
    const cJSON *at;
    char live[16], empty[16], dirty[16], mapped[16];
    fprintf(out, "\n%8s %-16s %10s %12s %10s %10s  as they ended\n", "process", "program", "in use",
            "free in runs", "dirty", "mapped");
    int rows = 0;
    cJSON_ArrayForEach(at, lines)
    {
        if (rows++ == ROWS_MAX)
            break;
        fprintf(out, "%8" PRIu64 " %-16.16s %10s %12s %10s %10s\n", number_of(at, "pid"),
                word_of(at, "program"), cli_format_bytes(number_of(at, "live_bytes"), live),
                cli_format_bytes(number_of(at, "free_in_runs_bytes"), empty),
                cli_format_bytes(number_of(at, "dirty_bytes"), dirty),
                cli_format_bytes(number_of(at, "mapped_bytes"), mapped));
    }
    print_more(out, cJSON_GetArraySize(lines));
}

void own_stats_print(FILE *out)
{
    if (file < 0)
        return;
    cJSON *lines = read_lines();
    const cJSON *at, *own = NULL;
    cJSON_ArrayForEach(at, lines)
    {
        if (number_of(at, "parent_pid") == (uint64_t)getpid())
            own = at;
    }
    if (own)
        print_one(out, own);
    else
        fprintf(out, "\nno statistics of the allocator's own: a signal ended the program, or it "
                     "does not let them be written\n");
    if (cJSON_GetArraySize(lines) > 1)
        print_processes(out, lines);
    cJSON_Delete(lines);
}

/* ---- for programs ---- */

static void emit_value(struct emit *emit, const char *key, const cJSON *value)
{
    const cJSON *at;
    if (cJSON_IsObject(value) || cJSON_IsArray(value)) {
        if (cJSON_IsObject(value))
            emit_object(emit, key);
        else
            emit_array(emit, key);
        cJSON_ArrayForEach(at, value) emit_value(emit, at->string, at);
        emit_end(emit);
    } else if (cJSON_IsNumber(value)) {
        emit_i64(emit, key, (int64_t)value->valuedouble);
    } else {
        emit_string(emit, key, cJSON_GetStringValue(value));
    }
}

void own_stats_emit(struct emit *emit)
{
    if (file < 0)
        return;
    cJSON *lines = read_lines();
    const cJSON *at;
    emit_array(emit, "allocator_statistics");
    cJSON_ArrayForEach(at, lines) emit_value(emit, NULL, at);
    emit_end(emit);
    cJSON_Delete(lines);
}
