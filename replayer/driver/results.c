/* results.json, and how its rows look. */
#include "replayer/driver/results.h"
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "replayer/driver/latency_files.h"
#include "replayer/driver/build_id.h"
#include "replayer/driver/output.h"
#include "replayer/driver/series.h"
#include "replayer/driver/significance.h"
#include "traces/cli.h"

struct results_run *results_add_run(struct results *results)
{
    if (results->run_count == results->run_capacity) {
        size_t capacity = results->run_capacity ? 2 * results->run_capacity : 64;
        struct results_run *runs = realloc(results->runs, capacity * sizeof *runs);
        if (!runs)
            cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "out of memory");
        results->runs = runs;
        results->run_capacity = capacity;
    }
    struct results_run *run = &results->runs[results->run_count++];
    memset(run, 0, sizeof *run);
    return run;
}

void results_warn(struct results *results, const char *code, const char *hint, const char *format,
                  ...)
{
    struct results_warning warning = {0};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(warning.message, sizeof warning.message, format, arguments);
    va_end(arguments);
    snprintf(warning.code, sizeof warning.code, "%s", code);
    snprintf(warning.hint, sizeof warning.hint, "%s", hint);
    for (unsigned i = 0; i < results->warning_count; i++)
        if (!strcmp(results->warnings[i].code, code) &&
            !strcmp(results->warnings[i].message, warning.message))
            return;
    if (results->warning_count < RESULTS_WARNINGS)
        results->warnings[results->warning_count++] = warning;
}

const char *results_stop_word(enum results_stop stop)
{
    static const char *const words[RESULTS_STOP_LIMIT] = {
        NULL, "fixed", "precise", "max_rounds", "max_time", "failed", "baseline"};
    return words[stop];
}

/* ---- pieces
 * ------------------------------------------------------------------------------------------- */

static void emit_known(struct emit *emit, const char *key, bool known, uint64_t value)
{
    if (known)
        emit_u64(emit, key, value);
    else
        emit_null(emit, key);
}

static void emit_interval(struct emit *emit, const char *key, const struct interval *interval,
                          int decimals, bool range)
{
    emit_object(emit, key);
    emit_fixed(emit, "median", interval->median, decimals);
    emit_fixed(emit, "ci_low", interval->ci_low, decimals);
    emit_fixed(emit, "ci_high", interval->ci_high, decimals);
    if (range) {
        emit_fixed(emit, "min", interval->min, decimals);
        emit_fixed(emit, "max", interval->max, decimals);
    }
    emit_end(emit);
}

static void emit_ratio(struct emit *emit, const char *key, const struct results_ratio *ratio,
                       const char *verdict)
{
    const struct interval *interval = &ratio->interval;
    emit_object(emit, key);
    emit_fixed(emit, "median", interval->median, 5);
    emit_fixed(emit, "ci_low", interval->ci_low, 5);
    emit_fixed(emit, "ci_high", interval->ci_high, 5);
    emit_double(emit, "p_value", ratio->p);
    emit_double(emit, "p_adjusted", ratio->p_adjusted);
    emit_string(emit, "verdict", verdict);
    emit_end(emit);
}

static void emit_machine(struct emit *emit, const struct machine *machine)
{
    emit_object(emit, "machine");
    emit_string(emit, "cpu_model", machine->cpu_model);
    emit_u64(emit, "cores", machine->cores);
    emit_u64(emit, "memory_bytes", machine->memory_bytes);
    emit_string(emit, "kernel", machine->kernel);
    emit_string(emit, "os", machine->os);
    emit_string(emit, "libc", machine->libc);
    emit_string(emit, "thp", machine->thp);
    emit_string(emit, "governor", machine->governor);
    emit_u64(emit, "page_bytes", machine->page_bytes);
    emit_end(emit);
}

static void emit_noise(struct emit *emit, const struct results *results)
{
    const struct load *load = &results->load;
    bool known = results->load_known;
    emit_object(emit, "noise");
    emit_fixed(emit, "before_percent", known ? results->noise_before_percent : NAN, 2);
    emit_fixed(emit, "during_percent", known ? results->noise_percent : NAN, 2);
    emit_fixed(emit, "load_average_before", known ? load->average_before : NAN, 2);
    emit_fixed(emit, "load_average_after", known ? load->average_after : NAN, 2);
    emit_fixed(emit, "others_busy_cores", known ? load->others_cores : NAN, 3);
    emit_fixed(emit, "steal_share", known ? load->steal_share : NAN, 5);
    emit_fixed(emit, "throttled_count", known ? load->throttled : NAN, 0);
    emit_fixed(emit, "cpu_mhz_low", known ? load->mhz_low : NAN, 0);
    emit_fixed(emit, "cpu_mhz_high", known ? load->mhz_high : NAN, 0);
    emit_end(emit);
}

static void emit_settings(struct emit *emit, const struct results *results)
{
    uint64_t timeout_ns = results->settings.timeout_ns;
    for (unsigned i = 0; i < results->tape_count; i++)
        if (results->tapes[i].timeout_ns > timeout_ns)
            timeout_ns = results->tapes[i].timeout_ns;
    emit_object(emit, "settings");
    emit_u64(emit, "rounds", results->rounds);
    emit_bool(emit, "rounds_auto", results->rounds_are_auto);
    emit_double(emit, "precision", results->rounds_are_auto ? results->precision : NAN);
    emit_double(emit, "max_time_seconds",
                results->rounds_are_auto ? (double)results->max_time_ns / 1e9 : NAN);
    emit_u64(emit, "latency_rounds", results->latency_rounds);
    emit_u64(emit, "seed", results->seed);
    emit_string(emit, "touch",
                results->settings.touch ? results->settings.touch : ENGINE_TOUCH_BY_MODE);
    emit_string(emit, "order", results->settings.order);
    emit_string(emit, "pace",
                results->settings.pace ? results->settings.pace : ENGINE_DEFAULT_PACE);
    emit_double(emit, "timeout_seconds", (double)timeout_ns / 1e9);
    emit_u64(emit, "memory_limit_bytes", results->settings.memory_bytes);
    emit_double(emit, "confidence", STATISTICS_CONFIDENCE);
    emit_string(emit, "interval_method", STATISTICS_METHOD);
    emit_double(emit, "significance_level", SIGNIFICANCE_LEVEL);
    emit_string(emit, "test_method", SIGNIFICANCE_METHOD);
    emit_end(emit);
}

static void emit_warnings(struct emit *emit, const struct results *results)
{
    emit_array(emit, "warnings");
    for (unsigned i = 0; i < results->warning_count; i++) {
        emit_object(emit, NULL);
        emit_string(emit, "code", results->warnings[i].code);
        emit_string(emit, "message", results->warnings[i].message);
        emit_string(emit, "hint", results->warnings[i].hint);
        emit_end(emit);
    }
    emit_end(emit);
}

static void emit_allocators(struct emit *emit, const struct results *results)
{
    emit_array(emit, "allocators");
    for (size_t i = 0; i < results->allocators.count; i++) {
        const struct allocator *allocator = &results->allocators.items[i];
        emit_object(emit, NULL);
        emit_string(emit, "name", allocator->name);
        emit_string(emit, "path", allocator->path);
        emit_string(emit, "version", allocator->version);
        emit_string(emit, "package", allocator->package);
        emit_string(emit, "build_id", allocator->build_id);
        emit_array(emit, "environment");
        for (size_t j = 0; allocator->environment[j]; j++)
            emit_string(emit, NULL, allocator->environment[j]);
        emit_end(emit);
        emit_bool(emit, "is_floor", allocator->is_floor);
        emit_end(emit);
    }
    emit_end(emit);
}

static void emit_tape(struct emit *emit, const struct results_tape *tape)
{
    const struct tape_summary *summary = &tape->summary;
    char sizes[RESULTS_NAME_MAX + 32];
    snprintf(sizes, sizeof sizes, "%s/%s.sizes.csv", RESULTS_SERIES, tape->name);
    emit_object(emit, NULL);
    emit_string(emit, "name", tape->name);
    emit_string(emit, "path", tape->replayed.path);
    emit_string(emit, "program", tape->program);
    emit_string(emit, "arguments", tape->arguments);
    emit_u64(emit, "events", summary->events);
    emit_u64(emit, "allocations", summary->allocations);
    emit_u64(emit, "frees", summary->frees);
    emit_u64(emit, "reallocs", summary->reallocs);
    emit_u64(emit, "failed", summary->failed);
    emit_u64(emit, "lanes", summary->lanes);
    emit_u64(emit, "peak_live_bytes", summary->peak_live_bytes);
    emit_u64(emit, "peak_live_blocks", summary->peak_live_objects);
    emit_u64(emit, "live_at_end_bytes", summary->live_at_end_bytes);
    emit_fixed(emit, "duration_seconds", (double)summary->duration_ns / 1e9, 6);
    emit_bool(emit, "complete", tape->complete);
    emit_u64(emit, "damaged_blocks", summary->damaged_blocks);
    emit_u64(emit, "file_bytes", tape->file_bytes);
    emit_string(emit, "sizes_csv", sizes);
    tape_tables_emit(tape, emit);
    bounds_emit(&tape->bounds, emit);
    emit_string(emit, "recorded_allocator", tape->recorded_allocator);
    emit_u64(emit, "recorded_peak_resident_bytes", summary->peak_sampled_resident_bytes);
    emit_end(emit);
}

static void emit_run(struct emit *emit, const struct results *results,
                     const struct results_run *run)
{
    bool ok = run->status == RUN_OK;
    bool memory = ok && (run->mode == RUN_MODE_MEMORY || run->mode == RUN_MODE_SERIAL);
    bool paced = ok && results->settings.pace;
    emit_object(emit, NULL);
    emit_string(emit, "tape", results->tapes[run->tape].name);
    emit_string(emit, "allocator", results->allocators.items[run->allocator].name);
    emit_string(emit, "mode", run_mode_word(run->mode));
    emit_u64(emit, "round", run->round);
    emit_u64(emit, "order_in_round", run->order_in_round);
    emit_string(emit, "status", run_status_word(run->status));
    emit_i64(emit, "signal", run->signal);
    emit_i64(emit, "exit_code", run->exit_code);
    emit_string(emit, "detail", run->detail);
    emit_string(emit, "output", run->output);
    emit_string(emit, "debugger", run->debugger);
    emit_u64(emit, "operations_done", run->operations_done);
    emit_known(emit, "operations", ok, run->operations);
    emit_fixed(emit, "timed_seconds", ok ? run->timed_seconds : NAN, 9);
    emit_fixed(emit, "wall_seconds", ok ? run->wall_seconds : NAN, 9);
    emit_fixed(emit, "ns_per_operation",
               ok && run->mode == RUN_MODE_TIME ? run->ns_per_operation : NAN, 4);
    emit_fixed(emit, "paced_seconds", paced ? run->paced_seconds : NAN, 9);
    emit_fixed(emit, "max_lag_seconds", paced ? run->max_lag_seconds : NAN, 9);
    emit_fixed(emit, "late_share", paced ? run->late_share : NAN, 6);
    for (unsigned i = 0; i < LATENCY_PERCENTILES; i++) {
        char key[32];
        snprintf(key, sizeof key, "latency_ns_%s", latency_share_words[i]);
        emit_fixed(emit, key, ok && run->mode == RUN_MODE_LATENCY ? run->latency_ns[i] : NAN, 2);
    }
    emit_known(emit, "minor_faults", ok, run->minor_faults);
    emit_known(emit, "major_faults", ok, run->major_faults);
    emit_known(emit, "waits", ok, run->waits);
    emit_known(emit, "wait_spins", ok, run->wait_spins);
    emit_known(emit, "startup_resident_bytes", memory, run->startup_resident_bytes);
    emit_known(emit, "peak_requested_bytes", memory, run->peak_requested_bytes);
    emit_known(emit, "peak_usable_bytes", memory, run->peak_usable_bytes);
    emit_known(emit, "peak_held_bytes", memory && run->held_known, run->peak_held_bytes);
    emit_known(emit, "peak_resident_bytes", memory, run->peak_resident_bytes);
    emit_bool(emit, "held_known", memory && run->held_known);
    if (run->mode == RUN_MODE_MEMORY)
        run_memory_emit(emit, memory ? &run->memory : NULL, true);
    emit_known(emit, "failed_calls", run->status == RUN_OK || run->failed_calls, run->failed_calls);
    emit_end(emit);
}

static void emit_fragmentation(struct emit *emit, const struct results_summary *row)
{
    emit_object(emit, "fragmentation");
    fragmentation_emit(emit, &row->fragmentation);
    emit_fixed(emit, "blow_up", row->blow_up, 5);
    emit_fixed(emit, "resident_blow_up", row->resident_blow_up, 5);
    emit_end(emit);
    emit_object(emit, "over_time");
    memory_over_time_emit(emit, &row->over_time);
    emit_end(emit);
}

/* Of the memory run whose series is kept. */
static void emit_memory_run(struct emit *emit, const struct results_run *run)
{
    emit_known(emit, "memory_minor_faults", run, run ? run->minor_faults : 0);
    emit_known(emit, "memory_major_faults", run, run ? run->major_faults : 0);
    run_memory_emit(emit, run ? &run->memory : NULL, true);
}

static bool has_snapshots(const struct results *results, unsigned tape, unsigned allocator)
{
    for (size_t i = 0; i < results->run_count; i++) {
        const struct results_run *run = &results->runs[i];
        if (run->snapshots && run->tape == tape && run->allocator == allocator)
            return true;
    }
    return false;
}

static void emit_summary_row(struct emit *emit, const struct results *results, unsigned tape,
                             unsigned allocator)
{
    const struct results_summary *row = results_summary_of(results, tape, allocator);
    const char *name = results->allocators.items[allocator].name;
    char series[2 * RESULTS_NAME_MAX + 32];
    series_name(results->tapes[tape].name, name, series, sizeof series);
    emit_object(emit, NULL);
    emit_string(emit, "tape", results->tapes[tape].name);
    emit_string(emit, "allocator", name);
    emit_bool(emit, "is_floor", results->allocators.items[allocator].is_floor);
    emit_string(emit, "status", run_status_word(row->status));
    emit_string(emit, "detail", row->detail);
    emit_u64(emit, "rounds_ok", row->rounds_ok);
    emit_u64(emit, "rounds", row->rounds);
    emit_string(emit, "stopped", results_stop_word(row->stopped));
    emit_interval(emit, "ns_per_operation", &row->ns_per_operation, 4, true);
    emit_fixed(emit, "floor_ns_per_operation", row->floor_ns_per_operation, 4);
    emit_interval(emit, "net_ns_per_operation", &row->net_ns_per_operation, 4, false);
    emit_ratio(emit, "relative_time", &row->relative_time, results_time_verdict(row));
    emit_fixed(emit, "peak_requested_bytes", row->peak_requested_bytes, 0);
    emit_fixed(emit, "peak_usable_bytes", row->peak_usable_bytes, 0);
    emit_fixed(emit, "peak_held_bytes", row->peak_held_bytes, 0);
    emit_interval(emit, "peak_resident_bytes", &row->peak_resident_bytes, 0, false);
    emit_fixed(emit, "startup_resident_bytes", row->startup_resident_bytes, 0);
    emit_bool(emit, "held_known", row->held_known);
    emit_ratio(emit, "relative_peak_resident", &row->relative_peak_resident,
               results_memory_verdict(row));
    emit_fragmentation(emit, row);
    emit_memory_run(emit, row->median_memory);
    emit_string(emit, "series_csv", row->median_memory ? series : NULL);
    series_snapshots_name(results->tapes[tape].name, name, series, sizeof series);
    emit_string(emit, "snapshots", has_snapshots(results, tape, allocator) ? series : NULL);
    emit_end(emit);
}

void results_emit_summary(struct emit *emit, const struct results *results)
{
    emit_array(emit, "summary");
    for (unsigned tape = 0; tape < results->tape_count; tape++)
        for (unsigned i = 0; i < results->allocators.count; i++)
            if (results_summary_of(results, tape, i)->status != RUN_INTERRUPTED)
                emit_summary_row(emit, results, tape, i);
    emit_end(emit);
}

/* ---- the whole
 * ---------------------------------------------------------------------------------------- */

static void emit_head(struct emit *emit, const struct results *results)
{
    char engine[PATH_MAX], id[BUILD_ID_BYTES];
    emit_u64(emit, "schema_version", RESULTS_SCHEMA_VERSION);
    emit_object(emit, "tool");
    emit_string(emit, "name", "heaptape");
    emit_string(emit, "version", HEAPTAPE_VERSION);
    cli_libexec_path("heaptape-engine", engine, sizeof engine);
    emit_string(emit, "engine_build_id", build_id(engine, id));
    emit_end(emit);
    emit_string(emit, "created_utc", results->created_utc);
    emit_array(emit, "command");
    for (size_t i = 0; results->command[i]; i++)
        emit_string(emit, NULL, results->command[i]);
    emit_end(emit);
    emit_bool(emit, "complete", results->complete);
}

void results_write(const struct results *results, const char *folder)
{
    struct emit emit;
    struct output output;
    series_write(results, folder);
    latency_files_write(results, folder);
    output_open(&output, folder, RESULTS_FILE);
    emit_begin(&emit, output.file, EMIT_JSON);
    emit_object(&emit, NULL);
    emit_head(&emit, results);
    emit_machine(&emit, &results->machine);
    emit_noise(&emit, results);
    emit_settings(&emit, results);
    emit_warnings(&emit, results);
    emit_allocators(&emit, results);
    emit_array(&emit, "tapes");
    for (unsigned i = 0; i < results->tape_count; i++)
        emit_tape(&emit, &results->tapes[i]);
    emit_end(&emit);
    emit_array(&emit, "runs");
    for (size_t i = 0; i < results->run_count; i++)
        emit_run(&emit, results, &results->runs[i]);
    emit_end(&emit);
    results_emit_summary(&emit, results);
    latency_emit_results(&emit, results);
    emit_end(&emit);
    emit_finish(&emit);
    output_close(&output);
}
