#include "replayer/driver/lifetimes.h"

#include <unistd.h>

#include "replayer/driver/output.h"
#include "replayer/driver/process.h"
#include "replayer/driver/series.h"
#include "traces/cli.h"

void lifetimes_name(const char *tape, char *text, size_t bytes)
{
    snprintf(text, bytes, "%s/%s.lifetimes.csv", RESULTS_SERIES, tape);
}

static bool write_one(const struct results_tape *tape, const char *folder)
{
    char program[PATH_MAX], name[RESULTS_NAME_MAX + 32], path[PATH_MAX];
    const char *arguments[] = {cli_libexec_path("heaptape-analyze", program, sizeof program),
                               "--quiet",
                               "--format=csv",
                               "--part=size-lifetimes",
                               "--",
                               tape->replayed.path,
                               NULL};
    struct process_result result;
    struct output output;
    lifetimes_name(tape->name, name, sizeof name);
    output_open(&output, folder, name);
    struct process_request request = {
        .arguments = arguments,
        .input = PROCESS_NULL,
        .output = fileno(output.file),
        .error = PROCESS_NULL,
    };
    process_run(&request, &result);
    output_close(&output);
    if (result.end == PROCESS_EXITED && result.exit_status == HEAPTAPE_EXIT_OK)
        return true;
    unlink(output_path(folder, name, path));
    return false;
}

void lifetimes_write(struct results *results, const char *folder)
{
    for (unsigned i = 0; i < results->tape_count; i++)
        results->tapes[i].lifetimes_known = write_one(&results->tapes[i], folder);
}
