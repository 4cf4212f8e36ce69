/* heaptape trace info: the figures of a tape. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "traces/cli.h"
#include "traces/emit.h"
#include "traces/marks.h"
#include "traces/summary.h"
#include "traces/trace.h"

static const char usage[] = "Examples:\n"
                            "  heaptape trace info app.tape\n"
                            "  heaptape trace info --format=json app.tape | jq .peak_live_bytes\n"
                            "  heaptape trace info --format=csv *.tape > tapes.csv\n"
                            "\n"
                            "Usage: heaptape trace info [OPTIONS] TAPE...\n"
                            "\n"
                            "Reads each tape to its end and prints its figures. Sizes are bytes as "
                            "the program asked for them.\n"
                            "With several tapes JSON is an array. Where attached is yes, the "
                            "program ran already when its\n"
                            "recording began: what it had allocated is not on the tape, and where "
                            "it is freed that is a\n"
                            "free_foreign.\n"
                            "\n"
                            "  --format=FORMAT   table (default), json or csv\n"
                            "  --help, --version\n"
                            "\n"
                            "Exit status: 0 ok (damage is told on stderr and in damaged_blocks), 3 "
                            "not a tape, 4 environment.\n";

static void emit_text(struct emit *emit, const struct tape_reader *reader, const char *key)
{
    emit_string(emit, key, tape_reader_meta(reader, key));
}

/* Metadata is text on the tape; what should be a number and is none is shown as null. */
static void emit_number(struct emit *emit, const struct tape_reader *reader, const char *key)
{
    const char *value = tape_reader_meta(reader, key);
    char *end;
    unsigned long long number = value ? strtoull(value, &end, 10) : 0;
    if (value && *value >= '0' && *value <= '9' && !*end)
        emit_u64(emit, key, number);
    else
        emit_null(emit, key);
}

static void emit_figures(struct emit *emit, const struct tape_summary *summary)
{
    emit_u64(emit, "events", summary->events);
    emit_u64(emit, "allocations", summary->allocations);
    emit_u64(emit, "frees", summary->frees);
    emit_u64(emit, "reallocs", summary->reallocs);
    emit_u64(emit, "failed", summary->failed);
    emit_u64(emit, "lanes", summary->lanes);
    emit_u64(emit, "allocated_bytes", summary->allocated_bytes);
    emit_u64(emit, "peak_live_bytes", summary->peak_live_bytes);
    emit_u64(emit, "peak_live_blocks", summary->peak_live_objects);
    emit_u64(emit, "peak_event", summary->peak_event);
    emit_u64(emit, "live_at_end_bytes", summary->live_at_end_bytes);
    emit_u64(emit, "live_at_end_blocks", summary->live_at_end_objects);
    emit_fixed(emit, "duration_seconds", (double)summary->duration_ns / 1e9, 6);
    emit_u64(emit, "recorded_peak_resident_bytes", summary->peak_sampled_resident_bytes);
    emit_u64(emit, "recorded_peak_held_bytes", summary->peak_sampled_held_bytes);
    emit_u64(emit, "recorded_peak_requested_bytes", summary->peak_sampled_requested_bytes);
}

static void emit_kinds(struct emit *emit, const struct tape_summary *summary)
{
    static const char *const keys[] = {
        [TAPE_MALLOC] = "malloc",
        [TAPE_CALLOC] = "calloc",
        [TAPE_ALIGNED] = "aligned",
        [TAPE_REALLOC_NEW] = "realloc_new",
        [TAPE_REALLOC] = "realloc",
        [TAPE_REALLOC_FREE] = "realloc_free",
        [TAPE_FREE] = "free",
        [TAPE_FREE_NULL] = "free_null",
        [TAPE_FREE_FOREIGN] = "free_foreign",
        [TAPE_USABLE_SIZE] = "usable_size",
        [TAPE_FAILED] = "failed",
    };
    emit_object(emit, "by_kind");
    for (unsigned kind = 1; kind < TAPE_EVENT_KIND_LIMIT; kind++)
        emit_u64(emit, keys[kind], summary->by_kind[kind]);
    emit_end(emit);
}

/* ---- marks -------------------------------------------------------------------------------------
 */

struct marks { /* kept as rows to be, since they come before the figures are known */
    struct tape_mark *mark;
    size_t count, capacity;
};

static void keep_mark(const struct tape_mark *mark, void *context)
{
    struct marks *marks = context;
    if (marks->count == marks->capacity) {
        marks->capacity = marks->capacity ? 2 * marks->capacity : 64;
        marks->mark = reallocarray(marks->mark, marks->capacity, sizeof *marks->mark);
    }
    if (!marks->mark)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "no memory for the marks");
    marks->mark[marks->count] = *mark;
    marks->mark[marks->count++].text = strndup(mark->text, mark->bytes);
}

static void take_extra(const struct tape_extra *extra, void *context)
{
    tape_marks_each(extra, keep_mark, context);
}

/* Not in CSV, which has one row a tape. */
static void emit_marks(struct emit *emit, const struct marks *marks)
{
    if (!marks->count || emit->format == EMIT_CSV)
        return;
    emit_array(emit, "marks");
    for (size_t i = 0; i < marks->count; i++) {
        emit_object(emit, NULL);
        emit_u64(emit, "event", marks->mark[i].event);
        emit_fixed(emit, "seconds", (double)marks->mark[i].time_ns / 1e9, 6);
        emit_u64(emit, "lane", marks->mark[i].lane);
        emit_string(emit, "text", marks->mark[i].text);
        emit_end(emit);
    }
    emit_end(emit);
}

static void free_marks(struct marks *marks)
{
    for (size_t i = 0; i < marks->count; i++)
        free((char *)(uintptr_t)marks->mark[i].text);
    free(marks->mark);
}

static void emit_tape(struct emit *emit, const char *path, const struct tape_reader *reader,
                      const struct tape_summary *summary, const struct marks *marks)
{
    struct tape_reader_totals totals = tape_reader_totals(reader);
    double per_event = summary->events ? (double)totals.file_bytes / (double)summary->events : 0;
    emit_object(emit, NULL);
    emit_string(emit, "tape", path);
    emit_text(emit, reader, "program");
    emit_text(emit, reader, "arguments");
    emit_bool(emit, "complete", totals.complete && !summary->damaged_blocks);
    const char *attached = tape_reader_meta(reader, "attached");
    emit_bool(emit, "attached", attached && strcmp(attached, "1") == 0);
    emit_figures(emit, summary);
    emit_u64(emit, "file_bytes", totals.file_bytes);
    emit_fixed(emit, "bytes_per_event", per_event, 4);
    static const char *const numbers[] = {"pid",          "parent_pid",  "start_order",
                                          "parent_order", "exit_status", "started_unix_ns",
                                          "site_depth"};
    static const char *const texts[] = {"began_by",   "ended_by",  "cut_reason", "start_after",
                                        "stop_after", "allocator", "tool"};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        emit_number(emit, reader, numbers[i]);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        emit_text(emit, reader, texts[i]);
    emit_u64(emit, "damaged_blocks", summary->damaged_blocks);
    emit_u64(emit, "orphans", summary->orphans);
    emit_u64(emit, "overwritten", summary->overwritten);
    emit_kinds(emit, summary);
    emit_marks(emit, marks);
    emit_end(emit);
}

static void show(struct emit *emit, const char *path)
{
    struct tape_error error;
    struct tape_reader *reader;
    struct marks marks = {0};
    struct tape_summary *summary = malloc(sizeof *summary);
    if (!summary)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "%s: no memory", path);
    if (tape_reader_open(path, &reader, &error) != TAPE_OK)
        cli_die_error(&error);
    tape_reader_on_extra(reader, take_extra, &marks);
    if (tape_summarize(reader, summary, &error) != TAPE_OK) {
        tape_error_add(&error, "%s", path);
        cli_die_error(&error);
    }
    if (summary->damaged_blocks)
        cli_warn("%s: %s; heaptape trace check tells all", path, error.message);
    emit_tape(emit, path, reader, summary, &marks);
    free_marks(&marks);
    tape_reader_close(reader);
    free(summary);
}

int trace_info(int argc, char **argv)
{
    static const struct option options[] = {{"format", required_argument, NULL, 'f'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'V'},
                                            {0}};
    enum emit_format format = EMIT_TABLE;
    cli_begin("trace info");
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":f:h", options, NULL)) != -1;) {
        if (option == 'h')
            cli_help(usage);
        if (option == 'V')
            cli_version();
        if (option != 'f')
            cli_die_usage("bad option %s", argv[optind - 1]);
        if (!emit_parse_format(optarg, &format))
            cli_die_usage("--format=%s: table, json or csv", optarg);
    }
    if (optind == argc)
        cli_die_usage("no tape given");
    struct emit emit;
    emit_begin(&emit, stdout, format);
    bool several = argc - optind > 1 && format != EMIT_TABLE;
    if (several)
        emit_array(&emit, NULL);
    for (int i = optind; i < argc; i++) {
        if (i > optind && format == EMIT_TABLE)
            putchar('\n');
        show(&emit, argv[i]);
    }
    emit_finish(&emit);
    return cli_end(HEAPTAPE_EXIT_OK);
}
