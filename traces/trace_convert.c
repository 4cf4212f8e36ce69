/* heaptape trace convert: other people's traces to tapes, and tapes to .rep. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "traces/cli.h"
#include "traces/convert/convert.h"
#include "traces/trace.h"

static const char usage[] =
    "Examples:\n"
    "  heaptape trace convert -o short.tape short1-bal.rep\n"
    "  heaptape trace convert -o app.tape app.mtrace\n"
    "  heaptape trace convert --to=rep -o app.rep app.tape\n"
    "\n"
    "Usage: heaptape trace convert -o OUTPUT [OPTIONS] FILE\n"
    "\n"
    "Reads .rep of the CMU malloc lab (any of its headers), Android memory_replay text, and glibc "
    "mtrace text;\n"
    "which one is told by the first line. The order of the lines is the order of the events. What "
    "a file\n"
    "claims of itself in its header is not used.\n"
    "\n"
    "  -o, --output=OUTPUT   where to write\n"
    "  --from=FORMAT         rep, android or mtrace, where the first line does not tell\n"
    "  --to=FORMAT           tape (default), or rep: from a tape; alignment, zeroing and threads "
    "are lost\n"
    "  --help, --version\n"
    "\n"
    "Exit status: 0 ok, 2 usage, 3 bad input (with the line number), 4 environment.\n";

static const struct convert_format *format_named(const char *name)
{
    static const struct convert_format *const formats[] = {&convert_rep, &convert_android,
                                                           &convert_mtrace};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (!strcmp(formats[i]->name, name))
            return formats[i];
    }
    cli_die_usage("--from=%s: rep, android or mtrace", name);
}

static void to_tape(const char *input, const char *output, const struct convert_format *format)
{
    struct tape_error error;
    FILE *in = fopen(input, "re");
    if (!in)
        cli_die(errno == ENOENT ? HEAPTAPE_EXIT_BAD_INPUT : HEAPTAPE_EXIT_ENVIRONMENT,
                "%s: cannot open: %s", input, strerror(errno));
    enum tape_status status = convert_file(in, input, format, output, &error);
    fclose(in);
    if (status != TAPE_OK)
        cli_die_error(&error);
}

static void to_rep(const char *input, const char *output)
{
    struct tape_error error;
    FILE *out = fopen(output, "we");
    if (!out)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "%s: cannot create: %s", output, strerror(errno));
    if (convert_to_rep(input, out, &error) != TAPE_OK) {
        fclose(out);
        cli_remove_output(output);
        cli_die_error(&error);
    }
    bool bad = ferror(out) != 0;
    if (fclose(out) || bad)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "%s: cannot write: %s", output, strerror(errno));
}

int trace_convert(int argc, char **argv)
{
    static const struct option options[] = {
        {"output", required_argument, NULL, 'o'}, {"from", required_argument, NULL, 'f'},
        {"to", required_argument, NULL, 't'},     {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},      {0}};
    const struct convert_format *format = NULL;
    const char *output = NULL;
    bool rep = false;
    cli_begin("trace convert");
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":o:h", options, NULL)) != -1;) {
        switch (option) {
        case 'h':
            cli_help(usage);
        case 'V':
            cli_version();
        case 'o':
            output = optarg;
            break;
        case 'f':
            format = format_named(optarg);
            break;
        case 't':
            rep = !strcmp(optarg, "rep");
            if (!rep && strcmp(optarg, "tape"))
                cli_die_usage("--to=%s: tape or rep", optarg);
            break;
        default:
            cli_die_usage("bad option %s", argv[optind - 1]);
        }
    }
    if (argc - optind != 1 || !output)
        cli_die_usage("one file and -o OUTPUT are needed");
    if (cli_same_file(argv[optind], output))
        cli_die_usage("%s: cannot be converted onto itself", output);
    if (rep)
        to_rep(argv[optind], output);
    else
        to_tape(argv[optind], output, format);
    return cli_end(HEAPTAPE_EXIT_OK);
}
