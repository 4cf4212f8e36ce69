/* heaptape trace resolve: from a raw tape to a tape. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "traces/cli.h"
#include "traces/resolve.h"
#include "traces/symbolize.h"
#include "traces/trace.h"

static const char usage[] =
    "Examples:\n"
    "  heaptape trace resolve app.tape.raw            makes app.tape\n"
    "  heaptape trace resolve -o app.tape left.raw\n"
    "\n"
    "Usage: heaptape trace resolve [OPTIONS] RAW\n"
    "\n"
    "heaptape record does this by itself. Where its collector died a raw tape is left: this makes "
    "the tape\n"
    "from it, as far as it goes.\n"
    "\n"
    "  -o, --output=TAPE   where to write (default: RAW without .raw, with .tape if it has none)\n"
    "  --help, --version\n"
    "\n"
    "Exit status: 0 ok, 1 the recording was cut or damaged (the tape is there), 3 bad input, 4 "
    "environment.\n";

static void show_progress(void *context, uint64_t done, uint64_t all)
{
    unsigned *shown = context, percent = all ? (unsigned)(done * 100 / all) : 0;
    if (percent != *shown && isatty(STDERR_FILENO))
        fprintf(stderr, "\rresolving %u %%%s", percent, percent == 100 ? "\r\x1b[K" : "");
    *shown = percent;
}

static void default_output(const char *raw, char *path, size_t bytes)
{
    size_t length = strlen(raw);
    if (length > 4 && !strcmp(raw + length - 4, ".raw"))
        length -= 4;
    bool has = length > 5 && !strncmp(raw + length - 5, ".tape", 5);
    if ((size_t)snprintf(path, bytes, "%.*s%s", (int)length, raw, has ? "" : ".tape") >= bytes)
        cli_die(HEAPTAPE_EXIT_BAD_INPUT, "%s: the name is too long; give -o", raw);
}

int trace_resolve(int argc, char **argv)
{
    static const struct option options[] = {{"output", required_argument, NULL, 'o'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'V'},
                                            {0}};
    char path[4096] = "";
    cli_begin("trace resolve");
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":o:h", options, NULL)) != -1;) {
        if (option == 'h')
            cli_help(usage);
        if (option == 'V')
            cli_version();
        if (option != 'o')
            cli_die_usage("bad option %s", argv[optind - 1]);
        snprintf(path, sizeof path, "%s", optarg);
    }
    if (argc - optind != 1)
        cli_die_usage("exactly one raw tape is needed");
    if (!path[0])
        default_output(argv[optind], path, sizeof path);
    struct resolve_stats stats;
    struct tape_error error;
    unsigned shown = 0;
    struct symbolizer *symbolizer = symbolizer_new();
    struct resolve_options how = {.progress = show_progress,
                                  .progress_context = &shown,
                                  .find_symbol = symbolizer ? symbolizer_find : NULL,
                                  .symbol_context = symbolizer};
    if (tape_resolve(argv[optind], path, &how, &stats, &error) != TAPE_OK)
        cli_die_error(&error);
    symbolizer_free(symbolizer);
    printf("%s: %" PRIu64 " events\n", path, stats.events);
    if (stats.live_twice)
        cli_warn("%s: %" PRIu64 " addresses were live twice: the recording is not sound",
                 argv[optind], stats.live_twice);
    if (stats.damaged_blocks)
        cli_warn("%s: %" PRIu64 " damaged places were skipped", argv[optind], stats.damaged_blocks);
    if (!stats.complete)
        cli_warn("%s: the recording was cut; the tape holds what came before", argv[optind]);
    bool sound = stats.complete && !stats.damaged_blocks && !stats.live_twice;
    return cli_end(sound ? HEAPTAPE_EXIT_OK : HEAPTAPE_EXIT_CHECK_FAILED);
}
