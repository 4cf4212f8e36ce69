/* heaptape blame: who keeps nearly empty pages resident, and how much would fall without them. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/births.h"
#include "analysis/blame_emit.h"
#include "analysis/blame_moment.h"
#include "analysis/blame_take.h"
#include "traces/cli.h"

#define COUNT_DEFAULT   10
#define PERCENT_DEFAULT 25
#define REQUEST_DEFAULT (UINT64_C(1) << 20)

static const char usage[] =
    "Examples:\n"
    "  heaptape record --sites=8 -o app.tape -- ./app && heaptape blame app.tape -a jemalloc\n"
    "  heaptape blame app.tape --at=end --by=site --flame=blame.svg\n"
    "  heaptape blame app.tape --at=2.5s --page=2M             after 2.5 s, by huge pages\n"
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
    "  --at=WHEN         the moment to look at:\n"
    "                    peak      where resident memory is highest (of the snapshots, to 1 %; "
    "the\n"
    "                              default)\n"
    "                    live      where live bytes are highest\n"
    "                    end       after the last event\n"
    "                    1200000   after that event of the tape, from 0 (also 1.2M), as heaptape\n"
    "                              trace dump numbers them\n"
    "                    50%       after that share of its events\n"
    "                    2.5s      after what was recorded by then (also 10ms, 3m, 1h)\n"
    "  --by=WHAT         site (of tapes recorded with --sites), size, lane or age; again for more\n"
    "                    (default: all)\n"
    "  --page=SIZE       4k (default), 2M for huge pages, or what an allocator gives back at "
    "once:\n"
    "                    any power of two to 1G; of a page only what is resident counts\n"
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
    {"allocator", required_argument, NULL, 'a'},  {"at", required_argument, NULL, 'A'},
    {"by", required_argument, NULL, 'b'},         {"page", required_argument, NULL, 'p'},
    {"under", required_argument, NULL, 'u'},      {"sort", required_argument, NULL, 's'},
    {"depth", required_argument, NULL, 'd'},      {"count", required_argument, NULL, 'c'},
    {"request", required_argument, NULL, 'r'},    {"heap", required_argument, NULL, 'H'},
    {"flame", required_argument, NULL, 'F'},      {"folded", required_argument, NULL, 'f'},
    {"format", required_argument, NULL, 'o'},     {"touch", required_argument, NULL, 'T'},
    {"order", required_argument, NULL, 'T'},      {"pace", required_argument, NULL, 'T'},
    {"timeout", required_argument, NULL, 'T'},    {"memory-limit", required_argument, NULL, 'T'},
    {"allocators", required_argument, NULL, 'T'}, {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},          {0},
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

static uint64_t page_of(const char *text)
{
    uint64_t bytes = cli_size("--page", text);
    if (bytes < HEAP_PAGE || bytes > HEAP_PAGE_MAX || (bytes & (bytes - 1)))
        cli_die_usage("--page=%s: a power of two from 4k to 1G", text);
    return bytes;
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
    else if (option == 'p')
        output->page_bytes = page_of(text);
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

/* ---- the snapshot ------------------------------------------------------------------------------
 */

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
    if (!heap_file_read(&file, blame_moment_choose(&file, output->at, event, output->events),
                        snapshot, &error))
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
    struct blame_rule rule = {
        .page_bytes = output->page_bytes, .sparse = output->percent / 100, .order = options->order};
    uint64_t *keys = malloc((blocks + 1) * sizeof *keys);
    for (size_t i = 0; keys && i < blocks; i++)
        keys[i] = blame_key(&output->keys, by, &output->snapshot->blocks[i], i);
    if (!keys || !blame_groups(output->snapshot, &rule, keys, &output->lists[by]) ||
        !blame_pages(output->snapshot, &rule, &output->pages))
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "no memory for %zu blocks", blocks);
    free(keys);
}

/* Reads the call sites; they are left out where the tape has none. */
static void read_names(const struct options *options, struct blame_output *output,
                       struct site_names *names, struct tape_reader *reader)
{
    struct tape_error error;
    if (!output->wanted[BLAME_SITE])
        return;
    if (site_names_read(names, reader, options->depth, &error) != TAPE_OK)
        cli_die_error(&error);
    if (!names->highest && options->first == BLAME_SITE)
        cli_die(HEAPTAPE_EXIT_BAD_INPUT,
                "%s: no call sites on this tape; record it with heaptape record --sites, or use "
                "--by=size",
                output->tape);
    output->wanted[BLAME_SITE] = names->highest > 0;
    output->keys.names = names;
}

/* The sites of the snapshot's blocks; NULL where they are not wanted. Snapshots that were named are
 * looked up in any case: whether they are of this tape shows by that. */
static uint32_t *find_sites(const struct options *options, struct blame_output *output,
                            struct site_names *names, struct tape_reader *reader)
{
    struct tape_error error;
    read_names(options, output, names, reader);
    if (!output->wanted[BLAME_SITE] && !options->heap)
        return NULL;
    uint32_t *sites = calloc((size_t)output->snapshot->head.blocks + 1, sizeof *sites);
    if (!sites)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "no memory");
    tape_reader_rewind(reader);
    if (births_sites(reader, output->snapshot, sites, &error) != TAPE_OK)
        cli_die_error(&error);
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
                                  .page_bytes = HEAP_PAGE,
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
    options.take.event = blame_moment_event(output.at, reader);
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
