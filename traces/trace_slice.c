/*
 * heaptape trace slice: a stretch of events as a tape of its own. It stays whole: what was live
 * where the stretch begins is allocated first, with the size it had then, so every later event
 * finds its object.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "traces/cli.h"
#include "traces/format.h"
#include "traces/marks.h"
#include "traces/reader.h"
#include "traces/trace.h"
#include "traces/window.h"

static const char usage[] =
    "Examples:\n"
    "  heaptape trace slice --events=1M:1100k -o middle.tape app.tape\n"
    "  heaptape trace slice --events=:50k -o start.tape app.tape\n"
    "\n"
    "Usage: heaptape trace slice --events=FROM:TO -o SLICE TAPE\n"
    "\n"
    "Writes events FROM up to but without TO as a tape of their own. It begins with an allocation "
    "for each\n"
    "object that was live at FROM, oldest first, with its size then; their number is in the "
    "metadata\n"
    "(slice_preamble_events). Marks of those events and all call sites go along.\n"
    "\n"
    "  --events=FROM:TO    either may be left out\n"
    "  -o, --output=SLICE  where to write\n"
    "  --help, --version\n"
    "\n"
    "Exit status: 0 ok, 1 the tape is damaged before TO (the slice holds the rest), 2 usage,\n"
    "3 bad input, 4 environment.\n";

struct slice {
    const char *input, *output;
    uint64_t from, to;
    struct tape_reader *reader;
    struct tape_writer *writer;
    struct window window;
    struct tape_mark *marks; /* of the slice, that stand on the tape before its first event */
    size_t mark_count, mark_capacity;
    bool damaged; /* up to the slice's end */
};

/* ---- call sites and marks ----------------------------------------------------------------------
 */

/* An index of an event of the tape as one of the slice, less what damage has cost so far. */
static uint64_t event_in_slice(const struct slice *slice, uint64_t event)
{
    const struct window *window = &slice->window;
    uint64_t own = tape_writer_events(slice->writer) - window->preamble;
    uint64_t passed = window->events > slice->from ? window->events - slice->from : 0;
    uint64_t lost = passed > own ? passed - own : 0, at = event - slice->from;
    return window->preamble + (at > lost ? at - lost : 0);
}

/* The slice has begun, or there is nothing to come of it. */
static void put_mark(struct slice *slice, struct tape_mark mark)
{
    struct tape_error error;
    uint64_t base_ns = slice->window.base_ns;
    mark.event = event_in_slice(slice, mark.event);
    mark.time_ns = mark.time_ns > base_ns ? mark.time_ns - base_ns : 0;
    if (tape_writer_mark(slice->writer, &mark, &error) != TAPE_OK)
        cli_die_error(&error);
}

/* Keeps it until the time at which the slice begins is known. */
static void keep_mark(struct slice *slice, const struct tape_mark *mark)
{
    if (slice->mark_count == slice->mark_capacity) {
        slice->mark_capacity = slice->mark_capacity ? 2 * slice->mark_capacity : 64;
        slice->marks = reallocarray(slice->marks, slice->mark_capacity, sizeof *slice->marks);
    }
    char *text = slice->marks ? strndup(mark->text, mark->bytes) : NULL;
    if (!text)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "no memory for the marks");
    slice->marks[slice->mark_count] = *mark;
    slice->marks[slice->mark_count++].text = text;
}

static void put_kept_marks(struct slice *slice)
{
    for (size_t i = 0; i < slice->mark_count; i++) {
        put_mark(slice, slice->marks[i]);
        free((char *)(uintptr_t)slice->marks[i].text);
    }
    slice->mark_count = 0;
}

/* A mark belongs to the event behind it, and the last of all to the end of the tape. */
static void take_mark(const struct tape_mark *mark, void *context)
{
    struct slice *slice = context;
    bool last = mark->event == slice->to && mark->event == tape_reader_totals(slice->reader).events;
    if (mark->event < slice->from || (mark->event >= slice->to && !last))
        return;
    if (slice->window.begun)
        put_mark(slice, *mark);
    else
        keep_mark(slice, mark);
}

/* Call sites go along as they are. */
static void take_extra(const struct tape_extra *extra, void *context)
{
    struct slice *slice = context;
    struct tape_error error;
    if (extra->kind == FORMAT_MARKS)
        tape_marks_each(extra, take_mark, slice);
    else if (tape_writer_extra(slice->writer, extra, &error) != TAPE_OK)
        cli_die_error(&error);
}

/* ---- the events --------------------------------------------------------------------------------
 */

static bool is_past_end(const struct slice *slice)
{
    return slice->window.ended || slice->window.events >= slice->to;
}

/* What stands behind the slice's events; whatever is wrong there is none of its business. */
static void take_rest(struct slice *slice)
{
    const struct tape_event *events;
    struct tape_error error;
    size_t count;
    enum tape_status status;
    tape_reader_pass_over_events(slice->reader);
    while ((status = tape_reader_next(slice->reader, &events, &count, &error)) != TAPE_END)
        if (status != TAPE_DAMAGED && status != TAPE_OK)
            cli_die_error(&error);
}

static void take_events(struct slice *slice)
{
    const struct tape_event *events;
    struct tape_error error;
    size_t count;
    enum tape_status status;
    while (!is_past_end(slice) &&
           (status = tape_reader_next(slice->reader, &events, &count, &error)) != TAPE_END) {
        if (status == TAPE_DAMAGED) {
            slice->damaged = true;
            cli_warn("%s: %s", slice->input, error.message);
            continue;
        }
        if (status == TAPE_OK) /* damage may have left some out */
            slice->window.events = tape_reader_batch_event(slice->reader);
        for (size_t i = 0; i < count && status == TAPE_OK; i++)
            status = window_put(&slice->window, &events[i], &error);
        if (status != TAPE_OK)
            cli_die_error(&error);
        if (slice->window.begun)
            put_kept_marks(slice);
    }
    if (is_past_end(slice))
        take_rest(slice);
    put_kept_marks(slice);
}

static void cut(struct slice *slice)
{
    struct tape_error error;
    struct tape_meta meta[64];
    size_t count = 0;
    char range[64], preamble[32];
    snprintf(range, sizeof range, "%" PRIu64 ":%" PRIu64, slice->from, slice->to);
    while (count < 60 &&
           tape_reader_meta_at(slice->reader, count, &meta[count].key, &meta[count].value))
        count++;
    meta[count++] = (struct tape_meta){"slice_of", slice->input};
    meta[count++] = (struct tape_meta){"slice_events", range};
    if (tape_writer_open(slice->output, meta, count, NULL, &slice->writer, &error) != TAPE_OK)
        cli_die_error(&error);
    window_begin(&slice->window, (struct window_limit){WINDOW_EVENTS, slice->from},
                 (struct window_limit){WINDOW_EVENTS, slice->to}, slice->writer);
    tape_reader_on_extra(slice->reader, take_extra, slice);
    take_events(slice);
    snprintf(preamble, sizeof preamble, "%" PRIu64, slice->window.preamble);
    const struct tape_meta last[] = {{"slice_preamble_events", preamble}};
    bool whole = is_past_end(slice) || tape_reader_totals(slice->reader).complete;
    bool complete = whole && !slice->damaged;
    if (tape_writer_close(slice->writer, complete, last, 1, &error) != TAPE_OK)
        cli_die_error(&error);
    if (!slice->window.begun)
        cli_warn("%s has no event %" PRIu64 ": the slice is empty", slice->input, slice->from);
}

/* ---- options -----------------------------------------------------------------------------------
 */

static void take_range(struct slice *slice, const char *text)
{
    char from[64];
    const char *colon = strchr(text, ':');
    if (!colon || (size_t)(colon - text) >= sizeof from)
        cli_die_usage("--events=%s: FROM:TO is needed", text);
    memcpy(from, text, (size_t)(colon - text));
    from[colon - text] = 0;
    slice->from = from[0] ? cli_count("--events", from) : 0;
    slice->to = colon[1] ? cli_count("--events", colon + 1) : UINT64_MAX;
    if (slice->from >= slice->to)
        cli_die_usage("--events=%s: FROM must be less than TO", text);
}

static void take_options(int argc, char **argv, struct slice *slice)
{
    static const struct option options[] = {{"events", required_argument, NULL, 'e'},
                                            {"output", required_argument, NULL, 'o'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'V'},
                                            {0}};
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":o:h", options, NULL)) != -1;) {
        switch (option) {
        case 'h':
            cli_help(usage);
        case 'V':
            cli_version();
        case 'e':
            take_range(slice, optarg);
            break;
        case 'o':
            slice->output = optarg;
            break;
        default:
            cli_die_usage("bad option %s", argv[optind - 1]);
        }
    }
    if (argc - optind != 1 || !slice->output)
        cli_die_usage("one tape and -o SLICE are needed");
    slice->input = argv[optind];
}

int trace_slice(int argc, char **argv)
{
    struct slice slice = {.to = UINT64_MAX};
    struct tape_error error;
    cli_begin("trace slice");
    take_options(argc, argv, &slice);
    if (cli_same_file(slice.input, slice.output))
        cli_die_usage("%s: cannot be sliced onto itself", slice.input);
    if (tape_reader_open(slice.input, &slice.reader, &error) != TAPE_OK)
        cli_die_error(&error);
    cut(&slice);
    window_end(&slice.window);
    free(slice.marks);
    tape_reader_close(slice.reader);
    return cli_end(slice.damaged ? HEAPTAPE_EXIT_CHECK_FAILED : HEAPTAPE_EXIT_OK);
}
