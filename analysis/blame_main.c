/* heaptape blame: who keeps nearly empty pages resident, and how much would fall without them. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/births.h"
#include "analysis/blame_emit.h"
#include "analysis/blame_take.h"
#include "traces/cli.h"

#define COUNT_DEFAULT   10
#define PERCENT_DEFAULT 25
#define REQUEST_DEFAULT (UINT64_C(1) << 20)

static const char usage[] =
    "Examples:\n"
    "  heaptape record --sites=8 -o app.tape -- ./app && heaptape blame app.tape -a jemalloc\n"
    "  heaptape blame app.tape --at=end --by=site --flame=blame.svg\n"
    "  heaptape blame app.tape --heap=results/snapshots/app.libc.heap --format=json\n"
    "\n"
    "Usage: heaptape blame TAPE [OPTIONS]\n"
    "\n"
    "Replays TAPE on an allocator, stops where resident memory is highest, and tells which call "
    "sites,\n"
    "sizes, threads and ages own the live blocks on nearly empty pages, and how much resident "
    "memory would\n"
    "fall if each had died sooner or lay elsewhere.\n"
    "\n"
    "  -a ALLOCATOR      as for heaptape replay (default libc)\n"
    "  --at=WHEN         peak (the highest resident of the snapshots, to 1 %; the default), live\n"
    "                    (where live bytes peak), end, an event of the tape, or a percentage of "
    "its\n"
    "                    events (50%)\n"
    "  --by=WHAT         site (of tapes recorded with --sites), size, lane or age; again for more\n"
    "                    (default: all)\n"
    "  --under=PERCENT   a page less full than this is nearly empty (default 25)\n"
    "  --sort=WORD       gone (what would fall without the group, the default) or share (of the "
    "pages)\n"
    "  --depth=FRAMES    call sites with the same so many innermost frames are one (default all)\n"
    "  --count=N         groups in each list (default 10)\n"
    "  --request=SIZE    size for the unusable index (default 1M)\n"
    "  --heap=FILE       use these snapshots of a replay of TAPE instead of taking new ones\n"
    "  --flame=FILE.svg  a flame graph of the first --by (default: sites, else sizes)\n"
    "  --folded=FILE     the same as folded stacks, in bytes; - for stdout, instead of the table\n"
    "  --format=FORMAT   table (default), json or csv\n"
    "  --touch, --order, --pace, --timeout, --memory-limit, --allocators   as for heaptape replay\n"
    "  --help, --version\n"
    "\n"
    "Every figure is explained in analysis/METRICS.md. Exit status: 0 ok, 1 the replay failed, 2 "
    "usage,\n"
    "3 not a tape, or snapshots that are not of it, 4 environment.\n";

struct options {
    struct blame_take take;
    unsigned take_options;
    char names[BLAME_TAKE_OPTIONS / 2][32]; /* of those options, with their dashes */
    const char *heap, *flame, *folded;
    enum blame_by first; /* the first that was asked for; BLAME_BY_LIMIT: none was */
    enum blame_order order;
    enum emit_format format;
    uint64_t depth;
};

/* ---- options -----------------------------------------------------------------------------------
 */

static const struct option longs[] = {
    {"allocator", required_argument, NULL, 'a'},
    {"at", required_argument, NULL, 'A'},
    {"by", required_argument, NULL, 'b'},
    {"under", required_argument, NULL, 'u'},
    {"sort", required_argument, NULL, 's'},
    {"depth", required_argument, NULL, 'd'},
    {"count", required_argument, NULL, 'c'},
    {"request", required_argument, NULL, 'r'},
    {"heap", required_argument, NULL, 'H'},
    {"flame", required_argument, NULL, 'F'},
    {"folded", required_argument, NULL, 'f'},
    {"format", required_argument, NULL, 'o'},
    {"touch", required_argument, NULL, 'T'},
    {"order", required_argument, NULL, 'T'},
    {"pace", required_argument, NULL, 'T'},
    {"timeout", required_argument, NULL, 'T'},
    {"memory-limit", required_argument, NULL, 'T'},
    {"allocators", required_argument, NULL, 'T'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {0},
};

/* An option of replay's, handed on with its value as it is. */
static void hand_on(struct options *options, const char *name, const char *value)
{
    if (options->take_options + 3 > BLAME_TAKE_OPTIONS)
        cli_die_usage("--%s: too many options for the replay", name);
    char *dashed = options->names[options->take_options / 2];
    snprintf(dashed, sizeof options->names[0], "--%s", name);
    options->take.options[options->take_options++] = dashed;
    options->take.options[options->take_options++] = value;
}

static void take_by(struct options *options, struct blame_output *output, const char *word)
{
    enum blame_by by = blame_by_named(word);
    if (by == BLAME_BY_LIMIT)
        cli_die_usage("--by=%s: site, size, lane or age", word);
    output->wanted[by] = true;
    if (options->first == BLAME_BY_LIMIT)
        options->first = by;
}

static double percent_of(const char *option, const char *text)
{
    char bare[32];
    double value;
    size_t length = strlen(text);
    if (length && text[length - 1] == '%')
        length--;
    snprintf(bare, sizeof bare, "%.*s", (int)(length < 31 ? length : 31), text);
    if (!cli_parse_double(bare, &value) || !(value >= 0 && value <= 100))
        cli_die_usage("%s=%s: a percentage from 0 to 100", option, text);
    return value;
}

static void take_option(struct options *options, struct blame_output *output, int option,
                        const char *name, const char *text)
{
    if (option == 'a')
        output->allocator = text;
    else if (option == 'A')
        output->at = text;
    else if (option == 'b')
        take_by(options, output, text);
    else if (option == 'u')
        output->percent = percent_of("--under", text);
    else if (option == 's' && (!strcmp(text, "gone") || !strcmp(text, "share")))
        options->order = *text == 'g' ? BLAME_BY_ALONE : BLAME_BY_SHARE;
    else if (option == 's')
        cli_die_usage("--sort=%s: gone or share", text);
    else if (option == 'd')
        options->depth = cli_count("--depth", text);
    else if (option == 'c')
        output->count = cli_count("--count", text);
    else if (option == 'r')
        output->request = cli_size("--request", text);
    else if (option == 'H')
        options->heap = text;
    else if (option == 'F')
        options->flame = text;
    else if (option == 'f')
        options->folded = text;
    else if (option == 'o' && !emit_parse_format(text, &options->format))
        cli_die_usage("--format=%s: table, json or csv", text);
    else if (option == 'T')
        hand_on(options, name, text);
}

static void parse(int argc, char **argv, struct options *options, struct blame_output *output)
{
    int at = 0;
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":a:h", longs, &at)) != -1;) {
        if (option == 'h')
            cli_help(usage);
        if (option == 'V')
            cli_version();
        if (option == ':')
            cli_die_usage("%s needs a value", argv[optind - 1]);
        if (option == '?')
            cli_die_usage("no option %s", argv[optind - 1]);
        take_option(options, output, option, longs[at].name, optarg);
    }
    if (argc - optind != 1)
        cli_die_usage(argc == optind ? "no tape given" : "one tape at a time");
    output->tape = options->take.tape = argv[optind];
    if (options->heap && options->take_options)
        cli_die_usage("--heap: there is no replay that %s could go to", options->take.options[0]);
    if (!options->heap && !output->allocator)
        output->allocator = "libc";
    if (!options->heap)
        hand_on(options, "allocator", output->allocator);
}

/* ---- the moment --------------------------------------------------------------------------------
 */

/* The event that --at names, HEAP_NO_EVENT for a word; checks it. */
static uint64_t event_asked(const char *at, uint64_t events)
{
    uint64_t event;
    if (!strcmp(at, "peak") || !strcmp(at, "live") || !strcmp(at, "end"))
        return HEAP_NO_EVENT;
    if (!events)
        cli_die(HEAPTAPE_EXIT_BAD_INPUT,
                "--at=%s: the tape does not tell how many events it has; use peak, live or end",
                at);
    if (*at && at[strlen(at) - 1] == '%') {
        double percent = percent_of("--at", at);
        event = (uint64_t)(percent / 100 * (double)events);
        return event < events ? event : events - 1;
    }
    if (!cli_parse_count(at, &event))
        cli_die_usage("--at=%s: peak, live, end, an event or a percentage such as 50%%", at);
    if (event >= events)
        cli_die_usage("--at=%s: the tape has %llu events", at, (unsigned long long)events);
    return event;
}

static uint64_t distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

/* The first whose resident memory is within 1 % of the highest: where nothing is given back the
 * highest may be the end, long after. */
static uint32_t choose_peak(const struct heap_file *file)
{
    uint64_t highest = 0;
    uint32_t first = 0;
    for (uint32_t i = 0; i < file->count; i++) {
        uint64_t resident = heap_file_head(file, i).resident_bytes;
        highest = resident > highest ? resident : highest;
    }
    while ((double)heap_file_head(file, first).resident_bytes < 0.99 * (double)highest)
        first++;
    return first;
}

/* The snapshot of that kind, or the nearest to the event. */
static uint32_t choose(const struct heap_file *file, const char *at, uint64_t event,
                       uint64_t events)
{
    unsigned kind = !strcmp(at, "live") ? HEAP_PEAK_REQUESTED : HEAP_END;
    uint32_t best = 0;
    uint64_t least = UINT64_MAX;
    if (!strcmp(at, "peak"))
        return choose_peak(file);
    for (uint32_t i = 0; i < file->count; i++) {
        struct heap_head head = heap_file_head(file, i);
        if (event == HEAP_NO_EVENT && (head.kinds & kind))
            return i;
        uint64_t there = head.event == HEAP_NO_EVENT ? events : head.event;
        if (distance(there, event) < least) {
            least = distance(there, event);
            best = i;
        }
    }
    if (event == HEAP_NO_EVENT)
        cli_die(HEAPTAPE_EXIT_BAD_INPUT, "no snapshot of --at=%s was taken; try another moment",
                at);
    if (least > events / 100)
        cli_warn("the nearest snapshot is %llu events away from --at=%s; without --heap one is "
                 "taken there",
                 (unsigned long long)least, at);
    return best;
}

static void read_snapshot(const struct options *options, struct blame_output *output,
                          struct heap_snapshot *snapshot)
{
    struct heap_file file;
    struct tape_error error;
    uint64_t event = options->take.event;
    const char *path = options->heap ? options->heap : blame_take(&options->take);
    if (!heap_file_open(&file, path, &error))
        cli_die_error(&error);
    if (!file.count)
        cli_die(HEAPTAPE_EXIT_BAD_INPUT, "%s: no snapshots in it; take them again", path);
    if (!heap_file_read(&file, choose(&file, output->at, event, output->events), snapshot, &error))
        cli_die_error(&error);
    heap_file_close(&file);
    if (snapshot->head.kinds & HEAP_NO_PAGES)
        cli_warn("of some of the memory it is not known which pages are resident; it is left out");
    output->event = snapshot->head.event;
    if (output->event == HEAP_NO_EVENT)
        output->event = output->events ? output->events - 1 : 0;
    output->snapshot = snapshot;
}

/* ---- the groups --------------------------------------------------------------------------------
 */

static void blame_by(const struct options *options, struct blame_output *output, enum blame_by by)
{
    size_t blocks = (size_t)output->snapshot->head.blocks;
    uint64_t limit = (uint64_t)(output->percent / 100 * (double)HEAP_PAGE + 0.5);
    uint64_t *keys = malloc((blocks + 1) * sizeof *keys);
    for (size_t i = 0; keys && i < blocks; i++)
        keys[i] = blame_key(&output->keys, by, &output->snapshot->blocks[i], i);
    if (!keys || !blame_groups(output->snapshot, limit, keys, options->order, &output->lists[by]))
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "no memory for %zu blocks", blocks);
    free(keys);
    output->pages = blame_pages(output->snapshot, limit);
}

/* The sites of the snapshot's blocks; sites are left out where the tape has none. */
static uint32_t *find_sites(const struct options *options, struct blame_output *output,
                            struct site_names *names, struct tape_reader *reader)
{
    struct tape_error error;
    if (!output->wanted[BLAME_SITE])
        return NULL;
    if (site_names_read(names, reader, options->depth, &error) != TAPE_OK)
        cli_die_error(&error);
    if (!names->highest && options->first == BLAME_SITE)
        cli_die(HEAPTAPE_EXIT_BAD_INPUT,
                "%s: no call sites on this tape; record it with heaptape record --sites, or use "
                "--by=size",
                output->tape);
    output->wanted[BLAME_SITE] = names->highest > 0;
    if (!names->highest)
        return NULL;
    uint32_t *sites = calloc((size_t)output->snapshot->head.blocks + 1, sizeof *sites);
    if (!sites)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "no memory");
    tape_reader_rewind(reader);
    if (births_sites(reader, output->snapshot, sites, &error) != TAPE_OK)
        cli_die_error(&error);
    output->keys.names = names;
    output->keys.sites = sites;
    return sites;
}

/* ---- output ------------------------------------------------------------------------------------
 */

static void write_stacks(const struct blame_output *output, enum blame_by by, const char *path,
                         bool svg)
{
    struct flame flame;
    char title[512], subtitle[512];
    FILE *out = strcmp(path, "-") ? fopen(path, "we") : stdout;
    if (!out)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "%s: %s; choose another file", path, strerror(errno));
    if (!blame_flame(output, by, &flame))
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "no memory for the flame graph");
    blame_flame_title(output, by, title, subtitle, sizeof title);
    if (svg)
        flame_write_svg(&flame, out, title, subtitle);
    else
        flame_write_folded(&flame, out);
    flame_end(&flame);
    if (ferror(out) | (out != stdout && fclose(out)))
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "%s: %s; choose another file", path, strerror(errno));
}

static void write_all(const struct options *options, const struct blame_output *output)
{
    enum blame_by by = options->first;
    if (by == BLAME_BY_LIMIT)
        by = output->wanted[BLAME_SITE] ? BLAME_SITE : BLAME_SIZE;
    bool to_stdout = (options->flame && !strcmp(options->flame, "-")) ||
                     (options->folded && !strcmp(options->folded, "-"));
    if (options->flame)
        write_stacks(output, by, options->flame, true);
    if (options->folded)
        write_stacks(output, by, options->folded, false);
    if (to_stdout)
        return;
    if (options->format == EMIT_TABLE)
        blame_print(output, stdout);
    else if (blame_emit(output, stdout, options->format))
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "cannot write to stdout: %s", strerror(errno));
}

int main(int argc, char **argv)
{
    struct options options = {.first = BLAME_BY_LIMIT, .depth = UINT64_MAX};
    struct blame_output output = {.at = "peak",
                                  .percent = PERCENT_DEFAULT,
                                  .request = REQUEST_DEFAULT,
                                  .count = COUNT_DEFAULT};
    struct site_names names = {0};
    struct heap_snapshot snapshot;
    struct tape_reader *reader;
    struct tape_error error;
    cli_begin("blame");
    parse(argc, argv, &options, &output);
    for (unsigned by = 0; options.first == BLAME_BY_LIMIT && by < BLAME_BY_LIMIT; by++)
        output.wanted[by] = true;
    if (tape_reader_open(output.tape, &reader, &error) != TAPE_OK)
        cli_die_error(&error);
    output.events = tape_reader_totals(reader).events;
    options.take.event = event_asked(output.at, output.events);
    read_snapshot(&options, &output, &snapshot);
    output.keys.event = output.event;
    uint32_t *sites = find_sites(&options, &output, &names, reader);
    output.free = heap_free_runs(&snapshot, output.request);
    for (unsigned by = 0; by < BLAME_BY_LIMIT; by++)
        if (output.wanted[by])
            blame_by(&options, &output, by);
    write_all(&options, &output);
    for (unsigned by = 0; by < BLAME_BY_LIMIT; by++)
        blame_list_free(&output.lists[by]);
    free(sites);
    site_names_end(&names);
    heap_snapshot_free(&snapshot);
    tape_reader_close(reader);
    return cli_end(HEAPTAPE_EXIT_OK);
}
