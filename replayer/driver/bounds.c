#include "replayer/driver/bounds.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>
#include "replayer/driver/interrupt.h"
#include "replayer/driver/json_file.h"
#include "replayer/driver/output.h"
#include "replayer/driver/process.h"
#include "replayer/driver/results.h"
#include "traces/cli.h"

#define DRAFT "bounds.tmp"

static bool run(const struct results_tape *tape, int out)
{
    char program[PATH_MAX];
    bool pack = tape->summary.events <= BOUNDS_PACKING_EVENTS;
    const char *arguments[] = {cli_libexec_path("heaptape-analyze", program, sizeof program),
                               "--quiet",
                               "--format=json",
                               "--part=summary",
                               pack ? "--packing" : "--no-packing",
                               "--",
                               tape->replayed.path,
                               NULL};
    struct process_request request = {
        .arguments = arguments, .input = PROCESS_NULL, .output = out, .error = PROCESS_NULL};
    struct process_result result;
    process_run(&request, &result);
    return result.end == PROCESS_EXITED && result.exit_status == HEAPTAPE_EXIT_OK;
}

static void read_bounds(const char *path, struct bounds *bounds)
{
    cJSON *json = json_file_read(path);
    const cJSON *method = cJSON_GetObjectItem(json, "packing_method");
    double lower = json_number(json, "lower_bound_bytes");
    double aligned = json_number(json, "aligned_lower_bound_bytes");
    double packing = json_number(json, "packing_bytes");
    bounds->known = isfinite(lower) && isfinite(aligned);
    bounds->packed = bounds->known && isfinite(packing) && cJSON_IsString(method);
    if (bounds->known) {
        bounds->lower_bytes = (uint64_t)lower;
        bounds->aligned_lower_bytes = (uint64_t)aligned;
    }
    if (bounds->packed) {
        bounds->packing_bytes = (uint64_t)packing;
        snprintf(bounds->packing_method, sizeof bounds->packing_method, "%s", method->valuestring);
    }
    cJSON_Delete(json);
}

void bounds_find(struct results *results, const char *folder)
{
    char path[PATH_MAX];
    output_path(folder, DRAFT, path);
    for (unsigned i = 0; i < results->tape_count && !interrupt_seen(); i++) {
        int out = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0666);
        if (out < 0)
            return;
        bool done = run(&results->tapes[i], out);
        close(out);
        if (done)
            read_bounds(path, &results->tapes[i].bounds);
    }
    unlink(path);
}

void bounds_emit(const struct bounds *bounds, struct emit *emit)
{
    const char *const keys[] = {"lower_bound_bytes", "aligned_lower_bound_bytes", "packing_bytes"};
    const uint64_t values[] = {bounds->lower_bytes, bounds->aligned_lower_bytes,
                               bounds->packing_bytes};
    for (unsigned i = 0; i < 3; i++) {
        if (i < 2 ? bounds->known : bounds->packed)
            emit_u64(emit, keys[i], values[i]);
        else
            emit_null(emit, keys[i]);
    }
    emit_string(emit, "packing_method", bounds->packed ? bounds->packing_method : NULL);
}
