/* heaptape diff: what changed from one bench to another. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "replayer/driver/changes.h"
#include "replayer/driver/changes_print.h"
#include "replayer/driver/options.h"
#include "replayer/driver/saved.h"
#include "traces/cli.h"

static const char usage[] =
    "Examples:\n"
    "  heaptape diff before after\n"
    "  heaptape diff before after --fail-if 'time>3%,peak_resident>1%'\n"
    "  heaptape diff before after --format=csv > changes.csv\n"
    "\n"
    "Usage: heaptape diff [OPTIONS] OLD NEW\n"
    "\n"
    "Compares two results folders of heaptape bench: each metric of each allocator on each tape "
    "that both\n"
    "have, by name. A change is the ratio of the medians with its 95 % interval; it counts as "
    "worse only\n"
    "where the whole interval is. libc is what times are relative to and is not judged.\n"
    "\n"
    "  --fail-if=LIST    exit 1 where one of these is worse by more: METRIC>PERCENT%, with commas "
    "between.\n"
    "                    Without it time, peak_resident and peak_held are shown and nothing fails\n"
    "  --fail-missing    exit 1 also where NEW lacks a tape or an allocator that OLD has\n"
    "  --format=WORD     table (default), json or csv\n"
    "  --help, --version\n"
    "\n"
    "Metrics: time (relative to libc in the same round), net_time (the same without the replay's "
    "own),\n"
    "absolute_time, faults, peak_resident, peak_held, peak_usable, startup_resident; p50, "
    "p90,\n"
    "p99, p99_9, p99_99 (of all calls, relative to libc's in the same round).\n"
    "\n"
    "Exit status: 0 ok, 1 something is worse, 2 usage, 3 not results or nothing in common, 4 "
    "unreadable.\n";

int main(int argc, char **argv)
{
    static const struct option table[] = {{"fail-if", required_argument, NULL, OPTION_FAIL_IF},
                                          {"fail-missing", no_argument, NULL, OPTION_FAIL_MISSING},
                                          {"format", required_argument, NULL, OPTION_FORMAT},
                                          OPTIONS_COMMON};
    enum emit_format format = EMIT_TABLE;
    struct metric_limit limits[METRIC_LIMITS_MAX];
    const char *fail_if = NULL;
    bool fail_missing = false;
    struct saved old, new;
    struct changes changes;
    cli_begin("diff");
    for (int option; (option = options_next(argc, argv, ":h", table, usage)) != -1;) {
        if (option == OPTION_FAIL_IF)
            fail_if = optarg;
        else if (option == OPTION_FAIL_MISSING)
            fail_missing = true;
        else
            format = options_format(optarg);
    }
    if (argc - optind != 2)
        cli_die_usage("two results folders are needed, OLD and NEW; %d given", argc - optind);
    size_t count = metric_limits("--fail-if", fail_if, limits);
    saved_read(&old, argv[optind]);
    saved_read(&new, argv[optind + 1]);
    changes_find(&changes, &old, &new, limits, count);
    bool failed = changes_fail(&changes, fail_if, fail_missing);
    if (format == EMIT_TABLE) {
        changes_print_table(stdout, &changes, failed, options_colour());
    } else {
        struct emit emit;
        emit_begin(&emit, stdout, format);
        emit_object(&emit, NULL);
        if (format == EMIT_JSON)
            emit_u64(&emit, "schema_version", 1);
        changes_emit(&emit, &changes, failed);
        emit_end(&emit);
        emit_finish(&emit);
    }
    fflush(stdout);
    changes_warn(&changes);
    return cli_end(failed ? HEAPTAPE_EXIT_CHECK_FAILED : HEAPTAPE_EXIT_OK);
}
