/* heaptape run: a program on an allocator. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "replayer/driver/allocators.h"
#include "replayer/driver/interrupt.h"
#include "replayer/driver/options.h"
#include "replayer/driver/preload.h"
#include "traces/cli.h"
#include "traces/target.h"

static const char usage[] =
    "Examples:\n"
    "  heaptape run -a jemalloc -- python3 script.py\n"
    "  heaptape run -a htmalloc -- ./server --port 8080\n"
    "  heaptape run -a mine=./libmine.so,MINE_OPTIONS=trace -- ./app\n"
    "  heaptape run -a first-fit --gdb -- ./app --once\n"
    "\n"
    "Usage: heaptape run -a ALLOCATOR [--gdb] -- PROGRAM ARGS\n"
    "\n"
    "Runs PROGRAM with ALLOCATOR preloaded, before whatever LD_PRELOAD holds already, and is "
    "PROGRAM from\n"
    "then on: same process, input, output and exit status. Programs that it starts get it too.\n"
    "\n"
    "  -a ALLOCATOR      a name of heaptape allocators, NAME=PATH or NAME=PATH,ENV=VALUE\n"
    "  --gdb             under gdb: the allocator is in PROGRAM alone; type run. Of a script it is "
    "the\n"
    "                    interpreter that is debugged\n"
    "  --help, --version\n"
    "\n"
    "Exit status: PROGRAM's own; 2 usage; 4 where nothing can be preloaded (a static or setuid "
    "program)\n"
    "or the allocator does not load; 126 PROGRAM cannot be run; 127 it is not there.\n";

enum { OPTION_GDB = 400 };

static void append(FILE *text, const char *word)
{
    fputs(" '", text);
    for (; *word; word++)
        if (*word == '\'')
            fputs("'\\''", text);
        else
            fputc(*word, text);
    fputc('\'', text);
}

/* gdb itself keeps its allocator: env(1) sets the variables between it and the program. */
static char *wrapper(const struct allocator *allocator)
{
    static char variable[2 * PATH_MAX + 16];
    char value[2 * PATH_MAX], *text = NULL;
    size_t bytes;
    FILE *words = open_memstream(&text, &bytes);
    if (!words)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "out of memory");
    fputs("set exec-wrapper env", words);
    for (const char *const *entry = allocator->environment; *entry; entry++)
        append(words, *entry);
    snprintf(variable, sizeof variable, "LD_PRELOAD=%s",
             preload_value(allocator, value, sizeof value));
    if (variable[strlen("LD_PRELOAD=")])
        append(words, variable);
    fclose(words);
    return text;
}

/* Becomes gdb. A script is its interpreter's argument. */
static _Noreturn void run_gdb(const struct allocator *allocator, const struct target *target,
                              char **arguments)
{
    bool script = strcmp(target->binary, target->path) != 0;
    size_t count = 0, at = 0;
    while (arguments[count])
        count++;
    const char **words = calloc(count + 9, sizeof *words);
    if (!words)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "out of memory");
    words[at++] = "gdb";
    words[at++] = "-q";
    if (allocator->path[0] || allocator->environment[0] || getenv("LD_PRELOAD")) {
        words[at++] = "-ex";
        words[at++] = wrapper(allocator);
    }
    words[at++] = "--args";
    words[at++] = script ? target->binary : target->path;
    if (script)
        words[at++] = target->path;
    memcpy(words + at, arguments + 1, count * sizeof *words); /* with the NULL */
    unsetenv("LD_PRELOAD");
    execvp("gdb", (char *const *)words);
    int error = errno;
    cli_warn("gdb: %s; install it (apt-get install gdb)", strerror(error));
    exit(HEAPTAPE_EXIT_ENVIRONMENT);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"allocator", required_argument, NULL, 'a'},
                                            {"gdb", no_argument, NULL, OPTION_GDB},
                                            OPTIONS_COMMON};
    struct target target;
    struct allocator allocator;
    const char *spec = NULL;
    bool debug = false;
    cli_begin("run");
    for (int option; (option = options_next(argc, argv, "+:a:h", options, usage)) != -1;)
        if (option == 'a')
            spec = optarg;
        else
            debug = true;
    if (!spec)
        cli_die_usage("no allocator given; try -a jemalloc");
    if (optind == argc)
        cli_die_usage("no program given; put it after --");
    allocator = preload_choose(spec);
    if (target_check(argv[optind], &target) != TARGET_OK)
        preload_refuse(&target);
    if (debug)
        run_gdb(&allocator, &target, argv + optind);
    preload_environment(&allocator);
    execvp(argv[optind], argv + optind);
    int error = errno;
    cli_warn("%s: %s", argv[optind], strerror(error));
    return error == ENOENT ? 127 : 126;
}
