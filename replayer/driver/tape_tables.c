#include "replayer/driver/tape_tables.h"

#include <unistd.h>

#include "replayer/driver/output.h"
#include "replayer/driver/process.h"
#include "replayer/driver/results.h"
#include "traces/cli.h"

static const struct table {
    const char *part, *word, *key; /* option of analyze; in the file's name; in results.json */
} tables[TAPE_TABLE_LIMIT] = {
    [TAPE_TABLE_LIFETIMES] = {"--part=size-lifetimes", "lifetimes", "lifetimes_csv"},
    [TAPE_TABLE_CLASSES] = {"--part=classes", "classes", "classes_csv"},
};

static void name_of(const struct table *table, const char *tape, char *text, size_t bytes)
{
    snprintf(text, bytes, "%s/%s.%s.csv", RESULTS_SERIES, tape, table->word);
}

static bool write_one(const struct results_tape *tape, const struct table *table,
                      const char *folder)
{
    char program[PATH_MAX], name[RESULTS_NAME_MAX + 32], path[PATH_MAX];
    const char *arguments[] = {cli_libexec_path("heaptape-analyze", program, sizeof program),
                               "--quiet",
                               "--format=csv",
                               "--top=1000",
                               table->part,
                               "--",
                               tape->replayed.path,
                               NULL};
    struct process_result result;
    struct output output;
    name_of(table, tape->name, name, sizeof name);
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

void tape_tables_write(struct results *results, const char *folder)
{
    for (unsigned i = 0; i < results->tape_count; i++)
        for (unsigned table = 0; table < TAPE_TABLE_LIMIT; table++)
            results->tapes[i].tables_known[table] =
                write_one(&results->tapes[i], &tables[table], folder);
}

void tape_tables_emit(const struct results_tape *tape, struct emit *emit)
{
    for (unsigned i = 0; i < TAPE_TABLE_LIMIT; i++) {
        char name[RESULTS_NAME_MAX + 32];
        name_of(&tables[i], tape->name, name, sizeof name);
        emit_string(emit, tables[i].key, tape->tables_known[i] ? name : NULL);
    }
}
