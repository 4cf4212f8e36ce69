#include "replayer/driver/blame_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "replayer/driver/interrupt.h"
#include "replayer/driver/output.h"
#include "replayer/driver/process.h"
#include "replayer/driver/series.h"
#include "traces/cli.h"

#define TIMEOUT_NS UINT64_C(1800000000000)

/* The snapshots' file with another ending. */
static void name_with(const char *heap, const char *ending, char *text, size_t bytes)
{
    size_t stem = strlen(heap) - strlen(".heap");
    snprintf(text, bytes, "%.*s%s", (int)stem, heap, ending);
}

/* What is asked of the snapshots, and the ending of the file that it is written to. */
static const struct question {
    const char *at, *page, *ending;
} questions[] = {
    {"--at=peak", "--page=4k", ".peak.json"},
    {"--at=end", "--page=4k", ".end.json"},
    {"--at=peak", "--page=2M", ".peak-2M.json"},
    {"--at=end", "--page=2M", ".end-2M.json"},
};

static bool run(const char *tape, const char *allocator, const char *heap,
                const struct question *question, int out)
{
    char program[PATH_MAX], from[PATH_MAX + 8], on[RESULTS_NAME_MAX + 16];
    snprintf(from, sizeof from, "--heap=%s", heap);
    snprintf(on, sizeof on, "--allocator=%s", allocator);
    const char *arguments[] = {cli_libexec_path("heaptape-blame", program, sizeof program),
                               from,
                               question->at,
                               question->page,
                               on,
                               "--format=json",
                               "--count=20",
                               "--",
                               tape,
                               NULL};
    struct process_request request = {.arguments = arguments,
                                      .preload = "",
                                      .input = PROCESS_NULL,
                                      .output = out,
                                      .error = PROCESS_NULL,
                                      .timeout_ns = TIMEOUT_NS};
    struct process_result result;
    process_run(&request, &result);
    return result.end == PROCESS_EXITED && result.exit_status == 0;
}

/* False: it failed, and a line says so. */
static bool write_one(const char *tape, const char *allocator, const char *heap,
                      const struct question *question)
{
    char path[PATH_MAX], draft[PATH_MAX];
    name_with(heap, question->ending, path, sizeof path);
    name_with(heap, ".tmp", draft, sizeof draft);
    int out = open(draft, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0666);
    if (out < 0)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "cannot write %s: %s; choose another with -o", draft,
                strerror(errno));
    bool done = run(tape, allocator, heap, question, out);
    close(out);
    if (done && rename(draft, path) == 0)
        return true;
    unlink(draft);
    if (!interrupt_seen())
        cli_warn("%s: heaptape blame failed on these snapshots; the report goes without it", heap);
    return false;
}

void blame_files_write(const struct results *results, const char *folder)
{
    for (size_t i = 0; i < results->run_count; i++) {
        const struct results_run *row = &results->runs[i];
        if (!row->snapshots || interrupt_seen())
            continue;
        const struct results_tape *tape = &results->tapes[row->tape];
        const char *allocator = results->allocators.items[row->allocator].name;
        char name[2 * RESULTS_NAME_MAX + 32], heap[PATH_MAX];
        series_snapshots_name(tape->name, allocator, name, sizeof name);
        output_path(folder, name, heap);
        bool done = true;
        for (unsigned at = 0; done && at < sizeof questions / sizeof *questions; at++)
            done = write_one(tape->replayed.path, allocator, heap, &questions[at]);
    }
}
