/* heaptape trace synth: a tape from a description. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "traces/cli.h"
#include "traces/synth/synth.h"
#include "traces/trace.h"
#include "traces/writer.h"

static const char usage[] =
    "Examples:\n"
    "  heaptape trace synth -o churn.tape\n"
    "  heaptape trace synth -o queue.tape --events=10M --lifetimes=fifo --sizes=log "
    "--size=16..64k\n"
    "  heaptape trace synth -o threads.tape --lanes=4 --cross-frees=20% --seed=7\n"
    "\n"
    "Usage: heaptape trace synth -o TAPE [OPTIONS]\n"
    "\n"
    "The same options give the same bytes. Random streams rank allocators other than real programs "
    "do:\n"
    "use them for corner cases and for measuring tools, not to choose an allocator.\n"
    "\n"
    "  -o, --output=TAPE     where to write\n"
    "  --events=N            how many (default 1M)\n"
    "  --seed=N              (default 1)\n"
    "  --live=N              live objects once it has filled up (default 10k)\n"
    "  --size=LEAST..MOST    bytes (default 16..1024)\n"
    "  --sizes=HOW           uniform (default), log (every doubling alike), classes (8 sizes)\n"
    "  --lifetimes=HOW       random (default), lifo, fifo, mixed (nine in ten die young)\n"
    "  --lanes=N             threads (default 1)\n"
    "  --lane-run=N          events of one lane in a row on average (default 32)\n"
    "  --cross-frees=SHARE   of frees by another lane than the allocating one: 20% or 0.2\n"
    "  --reallocs=SHARE      of events that change a live object's size\n"
    "  --callocs=SHARE, --aligned=SHARE   of allocations\n"
    "  --phases=N            stretches with sizes of their own, from small to large and back\n"
    "  --free-at-end         free what is live at the end\n"
    "  --help, --version\n"
    "\n"
    "Exit status: 0 ok, 2 usage, 4 environment.\n";

enum {
    OPTION_EVENTS = 256,
    OPTION_SEED,
    OPTION_LIVE,
    OPTION_SIZE,
    OPTION_SIZES,
    OPTION_LIFETIMES,
    OPTION_LANES,
    OPTION_LANE_RUN,
    OPTION_CROSS,
    OPTION_REALLOCS,
    OPTION_CALLOCS,
    OPTION_ALIGNED,
    OPTION_PHASES,
    OPTION_FREE,
    OPTION_HELP,
    OPTION_VERSION,
};

static const struct option options[] = {
    {"output", required_argument, NULL, 'o'},
    {"events", required_argument, NULL, OPTION_EVENTS},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"live", required_argument, NULL, OPTION_LIVE},
    {"size", required_argument, NULL, OPTION_SIZE},
    {"sizes", required_argument, NULL, OPTION_SIZES},
    {"lifetimes", required_argument, NULL, OPTION_LIFETIMES},
    {"lanes", required_argument, NULL, OPTION_LANES},
    {"lane-run", required_argument, NULL, OPTION_LANE_RUN},
    {"cross-frees", required_argument, NULL, OPTION_CROSS},
    {"reallocs", required_argument, NULL, OPTION_REALLOCS},
    {"callocs", required_argument, NULL, OPTION_CALLOCS},
    {"aligned", required_argument, NULL, OPTION_ALIGNED},
    {"phases", required_argument, NULL, OPTION_PHASES},
    {"free-at-end", no_argument, NULL, OPTION_FREE},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {0},
};

static double share(const char *option, const char *text)
{
    char number[32];
    size_t length = strlen(text);
    bool percent = length && text[length - 1] == '%';
    double value = -1;
    if (length < sizeof number) {
        memcpy(number, text, length + 1);
        if (percent)
            number[length - 1] = 0;
        if (!cli_parse_double(number, &value))
            value = -1;
    }
    value = percent ? value / 100 : value;
    if (!(value >= 0 && value <= 1))
        cli_die_usage("%s=%s: not a share (20%% or 0.2)", option, text);
    return value;
}

static int word(const char *option, const char *text, const char *const *words)
{
    for (int i = 0; words[i]; i++) {
        if (!strcmp(words[i], text))
            return i;
    }
    cli_die_usage("%s=%s: not known", option, text);
}

static void size_range(const char *text, struct synth_options *synth)
{
    char least[64];
    const char *dots = strstr(text, "..");
    if (dots && (size_t)(dots - text) < sizeof least) {
        memcpy(least, text, (size_t)(dots - text));
        least[dots - text] = 0;
        if (cli_parse_size(least, &synth->size_min) && cli_parse_size(dots + 2, &synth->size_max) &&
            synth->size_min <= synth->size_max && synth->size_max < UINT64_C(1) << 52)
            return;
    } else if (cli_parse_size(text, &synth->size_min)) {
        synth->size_max = synth->size_min;
        return;
    }
    cli_die_usage("--size=%s: not a range of sizes (16..1024, 1k..1M)", text);
}

static uint32_t small_count(const char *option, const char *text, uint64_t most)
{
    uint64_t value = cli_count(option, text);
    if (!value || value > most)
        cli_die_usage("%s=%s: 1 to %llu", option, text, (unsigned long long)most);
    return (uint32_t)value;
}

static void take_option(int option, struct synth_options *synth, const char **output)
{
    static const char *const sizes[] = {"uniform", "log", "classes", NULL};
    static const char *const lifetimes[] = {"random", "lifo", "fifo", "mixed", NULL};
    switch (option) {
    case 'o':
        *output = optarg;
        break;
    case OPTION_EVENTS:
        synth->events = cli_count("--events", optarg);
        break;
    case OPTION_SEED:
        synth->seed = cli_count("--seed", optarg);
        break;
    case OPTION_LIVE:
        synth->live = small_count("--live", optarg, UINT32_MAX - 2);
        break;
    case OPTION_SIZE:
        size_range(optarg, synth);
        break;
    case OPTION_SIZES:
        synth->sizes = (enum synth_sizes)word("--sizes", optarg, sizes);
        break;
    case OPTION_LIFETIMES:
        synth->lifetimes = (enum synth_lifetimes)word("--lifetimes", optarg, lifetimes);
        break;
    case OPTION_LANES:
        synth->lanes = small_count("--lanes", optarg, 65536);
        break;
    case OPTION_LANE_RUN:
        synth->lane_run = small_count("--lane-run", optarg, UINT32_MAX);
        break;
    case OPTION_CROSS:
        synth->cross_free_share = share("--cross-frees", optarg);
        break;
    case OPTION_REALLOCS:
        synth->realloc_share = share("--reallocs", optarg);
        break;
    case OPTION_CALLOCS:
        synth->calloc_share = share("--callocs", optarg);
        break;
    case OPTION_ALIGNED:
        synth->aligned_share = share("--aligned", optarg);
        break;
    case OPTION_PHASES:
        synth->phases = small_count("--phases", optarg, 10000);
        break;
    case OPTION_FREE:
        synth->free_at_end = true;
        break;
    case OPTION_HELP:
        cli_help(usage);
    case OPTION_VERSION:
        cli_version();
    default:
        cli_die_usage("bad option %s", "");
    }
}

struct output {
    struct tape_writer *writer;
    struct tape_error error;
};

static bool put(void *context, const struct tape_event *event)
{
    struct output *output = context;
    return tape_writer_put(output->writer, event, &output->error) == TAPE_OK;
}

/* The description, as metadata: how to make the same tape again. */
static void describe(int argc, char **argv, char *text, size_t bytes)
{
    size_t used = 0;
    text[0] = 0;
    for (int i = 1; i < argc && used < bytes; i++) {
        if (!strcmp(argv[i], "-o") && i + 1 < argc) {
            i++;
            continue;
        }
        if (strncmp(argv[i], "--o", 3) && strncmp(argv[i], "-o", 2))
            used += (size_t)snprintf(text + used, bytes - used, "%s%s", used ? " " : "", argv[i]);
    }
}

int trace_synth(int argc, char **argv)
{
    struct synth_options synth = synth_defaults();
    const char *path = NULL;
    char description[1024];
    cli_begin("trace synth");
    describe(argc, argv, description, sizeof description);
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":o:", options, NULL)) != -1;) {
        if (option == '?' || option == ':')
            cli_die_usage("bad option %s", argv[optind - 1]);
        take_option(option, &synth, &path);
    }
    if (!path || optind < argc)
        cli_die_usage(path ? "unexpected %s" : "no output given (-o TAPE)%s",
                      path ? argv[optind] : "");
    if (synth.calloc_share + synth.aligned_share > 1)
        cli_die_usage("--callocs and --aligned are more than all allocations");
    const struct tape_meta meta[] = {{"program", "heaptape trace synth"},
                                     {"arguments", description},
                                     {"tool", "heaptape " HEAPTAPE_VERSION}};
    struct output output;
    if (tape_writer_open(path, meta, 3, NULL, &output.writer, &output.error) != TAPE_OK)
        cli_die_error(&output.error);
    output.error = (struct tape_error){.status = TAPE_OK};
    bool good = synth_run(&synth, put, &output);
    struct tape_error closing;
    enum tape_status closed = tape_writer_close(output.writer, good, NULL, 0, &closing);
    if (output.error.status != TAPE_OK)
        cli_die_error(&output.error);
    if (closed != TAPE_OK)
        cli_die_error(&closing);
    if (!good)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "%s: no memory for the live set", path);
    return cli_end(HEAPTAPE_EXIT_OK);
}
