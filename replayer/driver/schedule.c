#include "replayer/driver/schedule.h"
#include <math.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "replayer/driver/debugger.h"
#include "replayer/driver/interrupt.h"
#include "replayer/driver/latency_files.h"
#include "replayer/driver/output.h"
#include "replayer/driver/series.h"
#include "replayer/driver/significance.h"
#include "replayer/driver/verify.h"
#include "traces/cli.h"

_Static_assert(SCHEDULE_AUTO_MAX <= STATISTICS_VALUES, "rounds fit in the statistics");

struct schedule {
    struct results *results;
    const struct schedule_options *options;
    struct random_source random;
    struct progress progress;
    unsigned *failures; /* [tape * allocators + allocator] */
    unsigned *order;    /* of allocators */
    unsigned least;     /* rounds of everything before -n auto looks at widths */
    struct engine_run run;
};

static void keep_series(struct results_run *row, const struct engine_result *result)
{
    uint32_t count = result->series_count;
    if (count > ENGINE_SERIES_MAX)
        count = ENGINE_SERIES_MAX;
    row->series = malloc((count ? count : 1) * sizeof *row->series);
    if (!row->series)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "out of memory");
    memcpy(row->series, result->series, count * sizeof *row->series);
    row->series_count = count;
}

static void keep_result(struct results_run *row, const struct engine_run *run)
{
    const struct engine_result *result = &run->result;
    row->status = run->status;
    row->signal = run->signal;
    row->exit_code = run->exit_code;
    memcpy(row->detail, run->detail, sizeof row->detail);
    row->operations_done = run->status == RUN_OK ? result->operations : engine_run_progress(run);
    row->operations = result->operations;
    row->timed_seconds = (double)result->timed_ns / 1e9;
    row->wall_seconds = (double)result->wall_ns / 1e9;
    row->ns_per_operation =
        result->operations ? (double)result->timed_ns / (double)result->operations : 0;
    row->paced_seconds = (double)result->paced_ns / 1e9;
    row->max_lag_seconds = (double)result->pace_max_lag_ns / 1e9;
    row->late_share = engine_run_late_share(result);
    row->minor_faults = result->minor_faults;
    row->major_faults = result->major_faults;
    row->waits = result->waits;
    row->wait_spins = result->wait_spins;
    row->failed_calls = result->failed_calls;
    row->startup_resident_bytes = result->startup_resident_bytes;
    row->peak_requested_bytes = result->peak_requested_bytes;
    row->peak_usable_bytes = result->peak_usable_bytes;
    row->peak_held_bytes = result->peak_held_bytes;
    row->peak_resident_bytes = result->peak_resident_bytes;
    row->held_known = result->held_known != 0;
    row->damaged = result->damaged != 0;
    if (row->mode == RUN_MODE_MEMORY && row->status == RUN_OK) {
        run_memory_take(&row->memory, result);
        keep_series(row, result);
    }
}

static const char *snapshots_path(const struct schedule *schedule, const char *tape,
                                  const char *allocator, char path[PATH_MAX])
{
    char name[2 * RESULTS_NAME_MAX + 32];
    output_path(schedule->options->folder, RESULTS_SNAPSHOTS, path);
    if (mkdir(path, 0777) < 0 && errno != EEXIST)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "cannot make %s: %s; choose another with -o", path,
                strerror(errno));
    series_snapshots_name(tape, allocator, name, sizeof name);
    return output_path(schedule->options->folder, name, path);
}

/* What it printed, and how to see it happen. */
static void keep_failure(struct results *results, struct results_run *row,
                         const struct engine_run *run)
{
    char command[RESULTS_HINT_MAX], *path = realpath(results->tapes[row->tape].replayed.path, NULL);
    const struct allocator *with = &results->allocators.items[row->allocator];
    debugger_rerun(path ? path : results->tapes[row->tape].replayed.path, with, &results->settings,
                   row->mode, row->status, command, sizeof command);
    free(path);
    row->output = strdup(run->output);
    row->debugger = strdup(command);
    results_warn(results, "failed_run", command, "%.60s: %.40s: %s; to see it happen",
                 results->tapes[row->tape].name, with->name, run_status_word(row->status));
}

/* What a run that went wrong means for the allocator's others on the tape; a serial run nothing. */
static void count_failure(const struct results_run *row, unsigned *failures)
{
    if (row->status == RUN_OK || row->mode == RUN_MODE_SERIAL)
        return;
    if (row->status == RUN_TIMEOUT || row->status == RUN_OUT_OF_MEMORY ||
        row->mode == RUN_MODE_VERIFY)
        *failures = SCHEDULE_FAILURES_MAX;
    else
        ++*failures;
}

/* One run; false where it was interrupted, and then leaves no row. */
static bool run_one(struct schedule *schedule, unsigned tape, unsigned allocator,
                    enum run_mode mode, unsigned round, unsigned order_in_round)
{
    struct results *results = schedule->results;
    struct results_tape *on = &results->tapes[tape];
    const struct allocator *with = &results->allocators.items[allocator];
    unsigned *failures = &schedule->failures[tape * results->allocators.count + allocator];
    struct engine_settings settings = results->settings;
    char snapshots[PATH_MAX];
    if (mode == RUN_MODE_TIME && results->stops[tape * results->allocators.count + allocator])
        return true;
    if (*failures >= SCHEDULE_FAILURES_MAX) {
        progress_done(&schedule->progress);
        return true;
    }
    settings.timeout_ns = on->timeout_ns;
    if (schedule->options->snapshots && mode == RUN_MODE_MEMORY && round == 0 && !with->is_floor)
        settings.snapshots = snapshots_path(schedule, on->name, with->name, snapshots);
    progress_step(&schedule->progress, "%s: %s, %s %u of %s%u", on->name, with->name,
                  run_mode_word(mode), round + 1,
                  mode == RUN_MODE_TIME && results->rounds_are_auto ? "at least " : "",
                  mode == RUN_MODE_SERIAL    ? 1
                  : mode == RUN_MODE_MEMORY  ? on->memory_rounds
                  : mode == RUN_MODE_LATENCY ? results->latency_rounds
                                             : on->time_rounds);
    if (mode == RUN_MODE_VERIFY)
        verify_run(&on->replayed, with, &settings, &schedule->run);
    else
        engine_run(&on->replayed, with, mode, &settings, &schedule->run);
    if (schedule->run.status == RUN_INTERRUPTED || interrupt_seen())
        return false;
    struct results_run *row = results_add_run(results);
    row->tape = tape;
    row->allocator = allocator;
    row->mode = mode;
    row->round = round;
    row->order_in_round = order_in_round;
    row->snapshots = settings.snapshots && schedule->run.status == RUN_OK;
    keep_result(row, &schedule->run);
    if (row->status != RUN_OK && mode != RUN_MODE_VERIFY)
        keep_failure(results, row, &schedule->run);
    if (mode == RUN_MODE_LATENCY && row->status == RUN_OK) {
        latency_keep(results, tape, allocator, schedule->run.latency);
        latency_of_all(schedule->run.latency, row->latency_ns);
    }
    count_failure(row, failures);
    progress_done(&schedule->progress);
    return true;
}

static bool run_all_allocators(struct schedule *schedule, unsigned tape, enum run_mode mode,
                               unsigned round)
{
    unsigned count = (unsigned)schedule->results->allocators.count;
    random_order(&schedule->random, schedule->order, count);
    for (unsigned i = 0; i < count; i++)
        if (!run_one(schedule, tape, schedule->order[i], mode, round, i))
            return false;
    return true;
}

/* The tape of several threads once more by one thread, for the blow-up. */
static bool is_for_serial(const struct results *results, unsigned tape)
{
    return results->tapes[tape].memory_rounds && results->tapes[tape].summary.lanes > 1 &&
           strcmp(results->settings.order, ENGINE_SERIAL_ORDER) != 0;
}

static bool serial_all(struct schedule *schedule, unsigned tape)
{
    const struct allocator_list *allocators = &schedule->results->allocators;
    for (unsigned i = 0; i < allocators->count; i++)
        if (!allocators->items[i].is_floor && !run_one(schedule, tape, i, RUN_MODE_SERIAL, 0, i))
            return false;
    return true;
}

/* Whether each allocator keeps its promises. The null allocator makes none. */
static bool verify_all(struct schedule *schedule)
{
    const struct allocator_list *allocators = &schedule->results->allocators;
    for (unsigned tape = 0; tape < schedule->results->tape_count; tape++)
        for (unsigned i = 0; i < allocators->count; i++)
            if (!allocators->items[i].is_floor &&
                !run_one(schedule, tape, i, RUN_MODE_VERIFY, 0, i))
                return false;
    return true;
}

static double seconds_of(const struct results *results, unsigned tape, unsigned allocator)
{
    double seconds = 0;
    for (size_t i = 0; i < results->run_count; i++) {
        const struct results_run *run = &results->runs[i];
        if (run->tape == tape && run->allocator == allocator && run->mode == RUN_MODE_TIME)
            seconds += run->wall_seconds;
    }
    return seconds;
}

/* Whether this allocator's rounds on the tape end here. */
static enum results_stop stop_of(const struct schedule *schedule, unsigned tape, unsigned allocator)
{
    const struct results *results = schedule->results;
    const struct results_summary *summary = results_summary_of(results, tape, allocator);
    const struct interval *relative = &summary->relative_time.interval;
    if (schedule->failures[tape * results->allocators.count + allocator])
        return RESULTS_STOP_FAILED;
    /* Where libc itself failed there are no ratios, and the time alone must do. */
    if (statistics_width(isnan(relative->median) ? &summary->ns_per_operation : relative) <=
        results->precision)
        return RESULTS_STOP_PRECISE;
    if (summary->rounds >= SCHEDULE_AUTO_MAX)
        return RESULTS_STOP_MAX_ROUNDS;
    if (seconds_of(results, tape, allocator) * 1e9 >= (double)results->max_time_ns)
        return RESULTS_STOP_MAX_TIME;
    return RESULTS_STOP_NONE;
}

/* After a round of -n auto: which allocators go on on the tape, and so whether there is another
 * round. */
static void plan_round(struct schedule *schedule, unsigned tape)
{
    struct results *results = schedule->results;
    struct results_tape *on = &results->tapes[tape];
    unsigned count = (unsigned)results->allocators.count, going = 0;
    enum results_stop *stops = &results->stops[tape * count], *baseline = NULL;
    for (unsigned i = 0; i < count; i++) {
        if (results_summary_of(results, tape, i)->is_baseline) {
            baseline = &stops[i];
            continue;
        }
        if (!stops[i])
            stops[i] = stop_of(schedule, tape, i);
        going += !stops[i];
    }
    if (baseline && !going)
        *baseline = RESULTS_STOP_BASELINE;
    if (!going)
        return;
    on->time_rounds++;
    schedule->progress.all += going + (baseline != NULL);
    if (on->time_rounds > results->rounds)
        results->rounds = on->time_rounds;
}

/* The rounds were given: all that got through them have had theirs. */
static void stops_fixed(struct schedule *schedule)
{
    struct results *results = schedule->results;
    for (size_t i = 0; i < results->tape_count * results->allocators.count; i++)
        results->stops[i] = schedule->failures[i] ? RESULTS_STOP_FAILED : RESULTS_STOP_FIXED;
}

static bool run_round(struct schedule *schedule, unsigned round, bool *ret_any)
{
    struct results *results = schedule->results;
    *ret_any = false;
    for (unsigned tape = 0; tape < results->tape_count; tape++) {
        struct results_tape *on = &results->tapes[tape];
        bool time = round < on->time_rounds, memory = round < on->memory_rounds;
        if (time && !run_all_allocators(schedule, tape, RUN_MODE_TIME, round))
            return false;
        if (memory && !run_all_allocators(schedule, tape, RUN_MODE_MEMORY, round))
            return false;
        if (!round && is_for_serial(results, tape) && !serial_all(schedule, tape))
            return false;
        bool latency = round < results->latency_rounds;
        if (latency && !run_all_allocators(schedule, tape, RUN_MODE_LATENCY, round))
            return false;
        *ret_any |= time || memory || latency;
    }
    return true;
}

static void plan_next(struct schedule *schedule, unsigned round)
{
    struct results *results = schedule->results;
    if (!results->rounds_are_auto || round + 1 < schedule->least)
        return;
    results_summarize(results);
    for (unsigned tape = 0; tape < results->tape_count; tape++)
        if (round + 1 == results->tapes[tape].time_rounds)
            plan_round(schedule, tape);
}

static void save(struct schedule *schedule)
{
    results_summarize(schedule->results);
    results_write(schedule->results, schedule->options->folder);
}

/* Comparisons with libc on all tapes. */
static unsigned comparisons(const struct results *results)
{
    unsigned each = 0;
    for (size_t i = 0; i < results->allocators.count; i++)
        each += !results->allocators.items[i].is_floor &&
                strcmp(results->allocators.items[i].name, ALLOCATOR_LIBC) != 0;
    return each * results->tape_count;
}

unsigned schedule_least_rounds(const struct results *results)
{
    return significance_rounds_needed(comparisons(results));
}

static struct schedule *schedule_make(struct results *results,
                                      const struct schedule_options *options)
{
    struct schedule *schedule = calloc(1, sizeof *schedule);
    unsigned allocators = (unsigned)results->allocators.count, steps = 0;
    results->stops = calloc(results->tape_count * allocators, sizeof *results->stops);
    if (schedule) {
        schedule->failures = calloc(results->tape_count * allocators, sizeof(unsigned));
        schedule->order = calloc(allocators, sizeof(unsigned));
    }
    if (!schedule || !results->stops || !schedule->failures || !schedule->order)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "out of memory");
    schedule->results = results;
    schedule->options = options;
    schedule->random.state = results->seed;
    schedule->least = schedule_least_rounds(results);
    results->rounds_are_auto = !options->rounds;
    results->rounds = options->rounds ? options->rounds : schedule->least;
    for (unsigned i = 0; i < results->tape_count; i++) {
        results->tapes[i].time_rounds = results->rounds;
        results->tapes[i].memory_rounds = options->memory_rounds;
        steps += (results->rounds + options->memory_rounds + results->latency_rounds) * allocators;
        steps += options->verify ? allocators - 1 : 0;
        steps += is_for_serial(results, i) ? allocators - 1 : 0;
    }
    progress_begin(&schedule->progress, steps);
    return schedule;
}

bool schedule_run(struct results *results, const struct schedule_options *options,
                  struct noise *noise)
{
    struct schedule *schedule = schedule_make(results, options);
    bool any = true, going = true;
    save(schedule); /* a folder that cannot be written to is told before anything runs */
    if (options->verify)
        going = verify_all(schedule);
    for (unsigned round = 0; going && any; round++) {
        going = run_round(schedule, round, &any);
        noise_sample(noise, 4);
        if (going)
            plan_next(schedule, round);
        if (any || !going)
            save(schedule);
    }
    if (going && !results->rounds_are_auto)
        stops_fixed(schedule);
    progress_clear(&schedule->progress);
    free(schedule->failures);
    free(schedule->order);
    free(schedule);
    return going;
}
