/* heaptape trace SUBCOMMAND: the tool that belongs to the tape. */
#include <signal.h>
#include <string.h>

#include "traces/cli.h"
#include "traces/trace.h"

static const char usage[] =
    "Examples:\n"
    "  heaptape trace info app.tape                 what is on a tape\n"
    "  heaptape trace dump --count=20 app.tape      its first events, one a line\n"
    "  heaptape trace check app.tape                is it whole, does it make sense?\n"
    "\n"
    "Usage: heaptape trace SUBCOMMAND [OPTIONS] FILE...   heaptape trace SUBCOMMAND --help\n"
    "\n"
    "  info TAPE           its figures: events, live bytes, lanes, program\n"
    "  dump TAPE           events, one a line (raw tapes too)\n"
    "  check TAPE          structure and sense; every damage with its byte offset\n"
    "  top TAPE            the call sites that its memory comes from (recorded with --sites)\n"
    "  slice TAPE          a stretch of events as a tape of its own\n"
    "  convert FILE        from .rep, Android memory_replay and glibc mtrace; to .rep\n"
    "  synth               a tape from a description: churn, sizes, lifetimes, lanes, phases\n"
    "  resolve RAW         a raw tape, left by a recording that was cut, to a tape\n"
    "\n"
    "Exit status: 0 ok, 1 a check failed, 2 usage, 3 bad input, 4 environment.\n";

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} subcommands[] = {
    {"info", trace_info},       {"dump", trace_dump},       {"check", trace_check},
    {"slice", trace_slice},     {"convert", trace_convert}, {"synth", trace_synth},
    {"resolve", trace_resolve}, {"top", trace_top},
};

int main(int argc, char **argv)
{
    cli_begin("trace");
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is seen as EPIPE */
    if (argc < 2)
        cli_die_usage("no subcommand given");
    const char *name = argv[1];
    if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help"))
        cli_help(usage);
    if (!strcmp(name, "--version"))
        cli_version();
    for (size_t i = 0; i < sizeof subcommands / sizeof *subcommands; i++) {
        if (!strcmp(name, subcommands[i].name))
            return subcommands[i].run(argc - 1, argv + 1);
    }
    cli_die_usage("no subcommand '%s'", name);
}
