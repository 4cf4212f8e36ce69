/* heaptape analyze: what a tape alone tells, in one pass. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "analysis/analyze_emit.h"
#include "analysis/packing.h"
#include "traces/cli.h"

#define TOP_DEFAULT     10
#define PROGRESS_EVENTS (UINT64_C(1) << 22)

static const char usage[] =
    "Examples:\n"
    "  heaptape analyze app.tape                              peaks, leaks, top sizes, lifetimes\n"
    "  heaptape analyze app.tape --format=json                the same and more, for programs\n"
    "  heaptape analyze app.tape --part=sizes --format=csv    the size histogram for a "
    "spreadsheet\n"
    "  heaptape analyze app.tape --series=live.csv            live bytes over time as well\n"
    "\n"
    "Usage: heaptape analyze TAPE [OPTIONS]\n"
    "\n"
    "  --format=table|json|csv   how to print (default: table)\n"
    "  --part=PART               summary, top, sizes, lifetimes, lanes, size-lifetimes or all; "
    "again\n"
    "                            more (default: json all; table summary, top, lifetimes, lanes;\n"
    "                            csv summary, and one part only)\n"
    "  --top=N                   sizes in each list of top sizes (default: 10)\n"
    "  --packing                 how low a heap could have been, too: places every block (slower)\n"
    "  --series=FILE             write live bytes and blocks over the tape as CSV\n"
    "  -q, --quiet               no progress\n"
    "  --version                 the version\n"
    "  --help                    this text\n"
    "\n"
    "Every figure is explained in analysis/METRICS.md.\n"
    "Exit status: 0 ok, 2 usage, 3 not a tape, 4 environment.\n";

struct options {
    const char *tape, *series;
    enum emit_format format;
    unsigned parts, top;
    bool packing, quiet;
};

static unsigned parts_default(enum emit_format format)
{
    switch (format) {
    case EMIT_JSON:
        return ANALYZE_ALL;
    case EMIT_CSV:
        return ANALYZE_SUMMARY;
    default:
        return ANALYZE_ALL & ~(unsigned)(ANALYZE_SIZES | ANALYZE_JOINT);
    }
}

static void take_part(struct options *options, const char *word)
{
    unsigned part = analyze_part_named(word);

    if (!part)
        cli_die_usage("--part=%s: summary, top, sizes, lifetimes, lanes, size-lifetimes or all",
                      word);
    options->parts |= part;
}

static void take_top(struct options *options, const char *text)
{
    uint64_t top = cli_count("--top", text);

    if (top < 1 || top > ANALYZE_TOP_MAX)
        cli_die_usage("--top=%s: 1 to %u", text, ANALYZE_TOP_MAX);
    options->top = (unsigned)top;
}

static void finish_options(struct options *options, int argc, char **argv)
{
    if (optind + 1 != argc)
        cli_die_usage(optind == argc ? "no tape given" : "one tape at a time");
    options->tape = argv[optind];
    if (!options->parts)
        options->parts = parts_default(options->format);
    if (options->format == EMIT_CSV && (options->parts & (options->parts - 1)))
        cli_die_usage("--format=csv prints one table: name one --part");
}

static struct options parse(int argc, char **argv)
{
    static const struct option longs[] = {
        {"format", required_argument, NULL, 'f'},
        {"part", required_argument, NULL, 'p'},
        {"top", required_argument, NULL, 't'},
        {"series", required_argument, NULL, 's'},
        {"packing", no_argument, NULL, 'P'},
        {"quiet", no_argument, NULL, 'q'},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    struct options options = {.format = EMIT_TABLE, .top = TOP_DEFAULT};
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, ":qh", longs, NULL)) != -1) {
        switch (option) {
        case 'f':
            if (!emit_parse_format(optarg, &options.format))
                cli_die_usage("--format=%s: table, json or csv", optarg);
            break;
        case 'p':
            take_part(&options, optarg);
            break;
        case 't':
            take_top(&options, optarg);
            break;
        case 's':
            options.series = optarg;
            break;
        case 'P':
            options.packing = true;
            break;
        case 'q':
            options.quiet = true;
            break;
        case 'V':
            cli_version();
        case 'h':
            cli_help(usage);
        case ':':
            cli_die_usage("%s needs a value", argv[optind - 1]);
        default:
            cli_die_usage("no option %s", argv[optind - 1]);
        }
    }
    finish_options(&options, argc, argv);
    return options;
}

/* One changing line on a terminal, nothing elsewhere. */
static void progress(const struct options *options, uint64_t done, uint64_t all)
{
    static uint64_t next = PROGRESS_EVENTS;

    if (options->quiet || done < next || !isatty(STDERR_FILENO))
        return;
    next = done + PROGRESS_EVENTS;
    if (all >= done)
        fprintf(stderr, "\r\033[Kheaptape analyze: %.0f %%", 100.0 * (double)done / (double)all);
    else
        fprintf(stderr, "\r\033[Kheaptape analyze: %.0f million events", (double)done / 1e6);
}

/* Reads the whole tape; returns the number of damaged places. */
static uint64_t read_tape(struct tape_reader *reader, const struct options *options,
                          struct statistics *statistics, struct packing *packing)
{
    const struct tape_event *events;
    struct tape_error error;
    uint64_t damaged = 0, all = tape_reader_totals(reader).events;
    size_t count;

    for (;;) {
        enum tape_status status = tape_reader_next(reader, &events, &count, &error);
        if (status == TAPE_END)
            break;
        if (status == TAPE_DAMAGED) {
            if (!damaged++)
                cli_warn("%s", error.message);
            continue;
        }
        if (status != TAPE_OK)
            cli_die_error(&error);
        for (size_t i = 0; i < count; i++) {
            if (i + STATISTICS_AHEAD < count)
                statistics_expect(statistics, &events[i + STATISTICS_AHEAD]);
            if (!statistics_event(statistics, &events[i]) ||
                (options->packing && !packing_event(packing, &events[i])))
                cli_die(HEAPTAPE_EXIT_ENVIRONMENT,
                        "out of memory at event %llu: %s: free some, or raise ulimit -v",
                        (unsigned long long)statistics->events, options->tape);
        }
        progress(options, statistics->events, all);
    }
    if (!options->quiet && isatty(STDERR_FILENO) && statistics->events >= PROGRESS_EVENTS)
        fputs("\r\033[K", stderr);
    return damaged;
}

static void write_series(const char *path, const struct statistics *statistics)
{
    FILE *out = fopen(path, "w");

    if (!out)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "cannot write the series: %s: %s", path,
                strerror(errno));
    live_series_write(&statistics->series, out);
    if (ferror(out) | fclose(out))
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "cannot write the series: %s: %s", path,
                strerror(errno));
}

int main(int argc, char **argv)
{
    static struct statistics statistics; /* large: off the stack */
    struct analyze_output output;
    struct tape_reader *reader;
    struct tape_error error;
    struct options options;
    struct packing packing;
    int failed;

    cli_begin("analyze");
    options = parse(argc, argv);
    if (tape_reader_open(options.tape, &reader, &error) != TAPE_OK)
        cli_die_error(&error);
    if (!statistics_init(&statistics))
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "out of memory: free some, or raise ulimit -v");
    packing_init(&packing);
    output.damaged_blocks = read_tape(reader, &options, &statistics, &packing);
    statistics_finish(&statistics);
    output.path = options.tape;
    output.totals = tape_reader_totals(reader);
    output.program = tape_reader_meta(reader, "program");
    output.parts = options.parts;
    output.top = options.top;
    output.packed = options.packing;
    output.packing_bytes = packing.peak;
    packing_end(&packing);
    if (options.series)
        write_series(options.series, &statistics);
    failed = analyze_emit(&output, &statistics, options.format);
    statistics_end(&statistics);
    tape_reader_close(reader);
    if (failed)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "cannot write to stdout: %s", strerror(errno));
    return cli_end(HEAPTAPE_EXIT_OK);
}
