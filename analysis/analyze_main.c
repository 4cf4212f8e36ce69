/* heaptape analyze: what a tape alone tells, in one pass. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "analysis/analyze_print.h"
#include "analysis/packing.h"
#include "traces/cli.h"

#define TOP_DEFAULT     10
#define PROGRESS_EVENTS (UINT64_C(1) << 22)
#define PACKING_EVENTS  UINT64_C(4000000) /* tapes up to here are packed unasked */

static const char usage[] =
    "Examples:\n"
    "  heaptape analyze app.tape                              live bytes, sizes, lifetimes, lanes, "
    "waste\n"
    "  heaptape analyze app.tape --format=json                the same and more, for programs\n"
    "  heaptape analyze app.tape --part=sizes --format=csv    the size histogram for a "
    "spreadsheet\n"
    "  heaptape analyze app.tape --series=live.csv            live bytes over time as well\n"
    "\n"
    "Usage: heaptape analyze TAPE [OPTIONS]\n"
    "\n"
    "  --format=table|json|csv   how to print (default: table)\n"
    "  --part=PART               summary    live bytes, how low a heap could be, calls\n"
    "                            sizes, top what is asked for; exact sizes\n"
    "                            lifetimes, size-lifetimes\n"
    "                            lanes, lane-frees    threads, and who frees whose blocks\n"
    "                            waste, classes       what is lost inside blocks by each "
    "allocator's\n"
    "                                                 size classes; the classes that lose most\n"
    "                            or all; again for more (default: json all; table all but\n"
    "                            classes; csv summary, and one part only)\n"
    "  --top=N                   sizes, lanes and classes in each list (default: 10)\n"
    "  --packing, --no-packing   how low a heap could have been: places every block, at 1 to 5\n"
    "                            million events a second (default: for tapes of up to 4 million "
    "events)\n"
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
    enum { PACKING_AUTO, PACKING_YES, PACKING_NO } packing;
    bool quiet;
};

/* The two ways to place the blocks, side by side. */
struct packings {
    bool wanted;
    struct packing first, best;
};

static unsigned parts_default(enum emit_format format)
{
    switch (format) {
    case EMIT_JSON:
        return ANALYZE_ALL;
    case EMIT_CSV:
        return ANALYZE_SUMMARY;
    default:
        return ANALYZE_ALL & ~(unsigned)ANALYZE_CLASSES;
    }
}

static void take_part(struct options *options, const char *word)
{
    unsigned part = analyze_part_named(word);

    if (!part)
        cli_die_usage("--part=%s: summary, top, sizes, lifetimes, size-lifetimes, lanes, "
                      "lane-frees, waste, classes or all",
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
        {"format", required_argument, NULL, 'f'}, {"part", required_argument, NULL, 'p'},
        {"top", required_argument, NULL, 't'},    {"series", required_argument, NULL, 's'},
        {"packing", no_argument, NULL, 'P'},      {"no-packing", no_argument, NULL, 'N'},
        {"quiet", no_argument, NULL, 'q'},        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},         {0},
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
            options.packing = PACKING_YES;
            break;
        case 'N':
            options.packing = PACKING_NO;
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

static void expect(const struct statistics *statistics, const struct packings *packings,
                   const struct tape_event *event)
{
    statistics_expect(statistics, event);
    if (packings->wanted) {
        packing_expect(&packings->first, event);
        packing_expect(&packings->best, event);
    }
}

static bool pack(struct packings *packings, const struct tape_event *event)
{
    return !packings->wanted ||
           (packing_event(&packings->first, event) && packing_event(&packings->best, event));
}

/* Reads the whole tape; returns the number of damaged places. */
static uint64_t read_tape(struct tape_reader *reader, const struct options *options,
                          struct statistics *statistics, struct packings *packings)
{
    const struct tape_event *events;
    struct tape_error error;
    uint64_t damaged = 0, all = tape_reader_totals(reader).events;
    enum tape_status status;
    size_t count;

    while ((status = tape_reader_next(reader, &events, &count, &error)) != TAPE_END) {
        if (status == TAPE_DAMAGED) {
            if (!damaged++)
                cli_warn("%s", error.message);
            continue;
        }
        if (status != TAPE_OK)
            cli_die_error(&error);
        for (size_t i = 0; i < count; i++) {
            if (i + STATISTICS_AHEAD < count)
                expect(statistics, packings, &events[i + STATISTICS_AHEAD]);
            if (!statistics_event(statistics, &events[i]) || !pack(packings, &events[i]))
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

/* A tape that was cut does not tell its length: it may be long. */
static void begin_packings(struct packings *packings, const struct options *options,
                           uint64_t events)
{
    packings->wanted = options->packing == PACKING_YES ||
                       (options->packing == PACKING_AUTO && (options->parts & ANALYZE_SUMMARY) &&
                        events > 0 && events <= PACKING_EVENTS);
    if (!packing_init(&packings->first, SPACE_FIRST_FIT) ||
        !packing_init(&packings->best, SPACE_BEST_FIT))
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "out of memory: free some, or raise ulimit -v");
}

static void end_packings(struct packings *packings, struct analyze_output *output)
{
    output->packed = packings->wanted;
    output->first_fit_bytes = packings->first.peak;
    output->best_fit_bytes = packings->best.peak;
    packing_end(&packings->first);
    packing_end(&packings->best);
}

int main(int argc, char **argv)
{
    static struct statistics statistics; /* large: off the stack */
    struct analyze_output output;
    struct tape_reader *reader;
    struct tape_error error;
    struct options options;
    struct packings packings;
    int failed;

    cli_begin("analyze");
    options = parse(argc, argv);
    if (tape_reader_open(options.tape, &reader, &error) != TAPE_OK)
        cli_die_error(&error);
    if (!statistics_init(&statistics))
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "out of memory: free some, or raise ulimit -v");
    begin_packings(&packings, &options, tape_reader_totals(reader).events);
    output.damaged_blocks = read_tape(reader, &options, &statistics, &packings);
    statistics_finish(&statistics);
    output.path = options.tape;
    output.totals = tape_reader_totals(reader);
    output.program = tape_reader_meta(reader, "program");
    output.parts = options.parts;
    output.top = options.top;
    end_packings(&packings, &output);
    if (options.series)
        write_series(options.series, &statistics);
    failed = options.format == EMIT_TABLE
                 ? !analyze_print(&output, &statistics, stdout) || fflush(stdout) || ferror(stdout)
                 : analyze_emit(&output, &statistics, options.format);
    statistics_end(&statistics);
    tape_reader_close(reader);
    if (failed)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "cannot write to stdout: %s", strerror(errno));
    return cli_end(HEAPTAPE_EXIT_OK);
}
