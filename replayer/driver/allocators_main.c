/* heaptape allocators: what is found on this machine. */
#include <string.h>
#include "replayer/driver/allocator_file.h"
#include "replayer/driver/allocators.h"
#include "replayer/driver/interrupt.h"
#include "replayer/driver/options.h"
#include "replayer/driver/probe.h"
#include "traces/cli.h"
#include "traces/emit.h"

static const char usage[] = "Examples:\n"
                            "  heaptape allocators\n"
                            "  heaptape allocators --format=json\n"
                            "  heaptape allocators -a mine=./libmine.so,MINE_DEBUG=1 "
                            "--allocators=my.allocators\n"
                            "\n"
                            "Usage: heaptape allocators [OPTIONS]\n"
                            "\n"
                            "The allocators that a program can be run on here: libc's own, "
                            "htmalloc, those of Debian's packages\n"
                            "that are installed, those named with -a, and the null allocator, "
                            "which only measures what replaying\n"
                            "itself costs (floor). Each was loaded and its malloc was reached.\n"
                            "The textbook policies (first-fit to bump; -a textbook means all of "
                            "them) run only when they are named.\n"
                            "\n"
                            "  -a ALLOCATOR      also this one, described as below\n"
                            "  --allocators=FILE also those that FILE describes, a line each\n"
                            "  --format=WORD     table (default), json or csv\n"
                            "  --help, --version\n"
                            "\n"
                            "Allocators are described by\n"
                            "  NAME                      one of those above\n"
                            "  NAME,ENV=VALUE            the same with environment variables, "
                            "called NAME+ENV\n"
                            "  NAME=PATH,ENV=VALUE       a shared object under a name of your own; "
                            "for PATH one of the\n"
                            "                            names above will do; variables as many "
                            "as you like, or none\n"
                            "  PATH                      with a slash in it: called after the "
                            "file\n"
                            "FILE has NAME=PATH or NAME=PATH,ENV=VALUE on each line, # before "
                            "remarks, and paths relative to\n"
                            "its folder. ~/.config/heaptape/allocators is read always "
                            "($XDG_CONFIG_HOME). A part after a comma\n"
                            "that begins no variable belongs to the value before it; \\, is a "
                            "comma in any case.\n"
                            "\n"
                            "Exit status: 0 ok, 2 usage, 4 a path that does not load.\n";

static int print(const struct allocator_list *list, enum emit_format format)
{
    struct emit emit;
    emit_begin(&emit, stdout, format);
    emit_object(&emit, NULL);
    if (format == EMIT_JSON)
        emit_u64(&emit, "schema_version", 1);
    emit_array(&emit, format == EMIT_TABLE ? NULL : "allocators");
    for (size_t i = 0; i < list->count; i++) {
        emit_object(&emit, NULL);
        emit_string(&emit, "name", list->items[i].name);
        emit_string(&emit, "path", list->items[i].path);
        emit_string(&emit, "version", list->items[i].version);
        emit_string(&emit, "package", list->items[i].package);
        if (format != EMIT_TABLE)
            emit_string(&emit, "build_id", list->items[i].build_id);
        emit_bool(&emit, "is_floor", list->items[i].is_floor);
        emit_array(&emit, "environment");
        for (size_t j = 0; list->items[i].environment[j]; j++)
            emit_string(&emit, NULL, list->items[i].environment[j]);
        emit_end(&emit);
        emit_end(&emit);
    }
    emit_end(&emit);
    emit_end(&emit);
    emit_finish(&emit);
    return cli_end(HEAPTAPE_EXIT_OK);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], PROBE_ARGUMENT))
        return probe_self();
    static const struct option options[] = {
        {"allocator", required_argument, NULL, 'a'},
        {"allocators", required_argument, NULL, OPTION_ALLOCATORS},
        {"format", required_argument, NULL, OPTION_FORMAT},
        OPTIONS_COMMON};
    enum emit_format format = EMIT_TABLE;
    struct allocator_list list;
    struct options_texts added = {.count = 0};
    cli_begin("allocators");
    for (int option; (option = options_next(argc, argv, ":a:h", options, usage)) != -1;) {
        if (option == 'a')
            options_collect(&added, "-a", optarg);
        else if (option == OPTION_ALLOCATORS)
            allocator_file_read(optarg);
        else if (option == OPTION_FORMAT)
            format = options_format(optarg);
    }
    if (optind < argc)
        cli_die_usage("%s: takes no arguments", argv[optind]);
    interrupt_begin();
    allocators_find(&list, true);
    for (size_t i = 0; i < added.count; i++)
        allocators_add(&list, added.items[i]);
    allocators_packages(&list);
    return print(&list, format);
}
