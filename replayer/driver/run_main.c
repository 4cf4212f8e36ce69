/* heaptape run: a program on an allocator. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
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
    "\n"
    "Usage: heaptape run -a ALLOCATOR -- PROGRAM ARGS\n"
    "\n"
    "Runs PROGRAM with ALLOCATOR preloaded, before whatever LD_PRELOAD holds already, and is "
    "PROGRAM from\n"
    "then on: same process, input, output and exit status. Programs that it starts get it too.\n"
    "\n"
    "  -a ALLOCATOR      a name of heaptape allocators, NAME=PATH or NAME=PATH,ENV=VALUE\n"
    "  --help, --version\n"
    "\n"
    "Exit status: PROGRAM's own; 2 usage; 4 where nothing can be preloaded (a static or setuid "
    "program)\n"
    "or the allocator does not load; 126 PROGRAM cannot be run; 127 it is not there.\n";

int main(int argc, char **argv)
{
    static const struct option options[] = {{"allocator", required_argument, NULL, 'a'},
                                            OPTIONS_COMMON};
    struct target target;
    struct allocator allocator;
    const char *spec = NULL;
    cli_begin("run");
    for (int option; (option = options_next(argc, argv, "+:a:h", options, usage)) != -1;)
        if (option == 'a')
            spec = optarg;
    if (!spec)
        cli_die_usage("no allocator given; try -a jemalloc");
    if (optind == argc)
        cli_die_usage("no program given; put it after --");
    allocator = preload_choose(spec);
    if (target_check(argv[optind], &target) != TARGET_OK)
        preload_refuse(&target);
    preload_environment(&allocator);
    execvp(argv[optind], argv + optind);
    int error = errno;
    cli_warn("%s: %s", argv[optind], strerror(error));
    return error == ENOENT ? 127 : 126;
}
