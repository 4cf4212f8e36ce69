/* heaptape trace check: is a tape whole, and does it make sense? */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

#include "traces/check.h"
#include "traces/cli.h"
#include "traces/trace.h"

static const char usage[] =
    "Examples:\n"
    "  heaptape trace check app.tape\n"
    "  heaptape trace check *.tape && echo all sound\n"
    "\n"
    "Usage: heaptape trace check [OPTIONS] TAPE...\n"
    "\n"
    "Reads each tape to its end. Structure: checksums, order of blocks, the end block. Sense: "
    "every free and\n"
    "realloc finds its object live, no object begins twice. Findings go to stdout, one a line, "
    "with the byte\n"
    "offset or the index of the event. A recording that was cut but is sound up to there passes, "
    "and is\n"
    "said to be cut.\n"
    "\n"
    "  -q, --quiet   findings only\n"
    "  --help, --version\n"
    "\n"
    "Exit status: 0 all sound, 1 something was found, 3 not a tape, 4 environment.\n";

static void tell(void *context, const char *finding)
{
    printf("%s: %s\n", (const char *)context, finding);
}

static bool check_one(const char *path, bool quiet)
{
    struct tape_check check;
    struct tape_error error;
    if (tape_check(path, tell, (void *)path, &check, &error) != TAPE_OK)
        cli_die_error(&error);
    uint64_t own = check.nonsense - check.behind_damage;
    if (own > TAPE_CHECK_TOLD_MAX)
        printf("%s: %" PRIu64 " more events make no sense\n", path, own - TAPE_CHECK_TOLD_MAX);
    if (check.behind_damage)
        printf("%s: %" PRIu64 " events behind the damage miss an object that was lost with it\n",
               path, check.behind_damage);
    bool sound = !check.damage && !check.nonsense;
    if (sound && !quiet)
        printf("%s: sound, %" PRIu64 " events%s\n", path, check.events,
               check.complete ? "" : ", the recording was cut");
    return sound;
}

int trace_check(int argc, char **argv)
{
    static const struct option options[] = {{"quiet", no_argument, NULL, 'q'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'V'},
                                            {0}};
    bool quiet = false, sound = true;
    cli_begin("trace check");
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "qh", options, NULL)) != -1;) {
        if (option == 'h')
            cli_help(usage);
        if (option == 'V')
            cli_version();
        if (option != 'q')
            cli_die_usage("bad option %s", argv[optind - 1]);
        quiet = true;
    }
    if (optind == argc)
        cli_die_usage("no tape given");
    for (int i = optind; i < argc; i++)
        sound &= check_one(argv[i], quiet);
    return cli_end(sound ? HEAPTAPE_EXIT_OK : HEAPTAPE_EXIT_CHECK_FAILED);
}
