/*
 * heaptape-engine: replays one tape once, on the allocator that it was started with (LD_PRELOAD),
 * and leaves what it measured in the shared mapping of result.h. The driver starts it; by hand,
 * --print shows the result.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "replayer/engine/crash.h"
#include "replayer/engine/engine.h"
#include "replayer/engine/latency.h"
#include "replayer/engine/metadata.h"
#include "replayer/engine/pace.h"
#include "replayer/engine/pages.h"
#include "replayer/engine/plan.h"
#include "replayer/engine/plan_file.h"
#include "replayer/engine/print.h"
#include "replayer/engine/proc.h"
#include "replayer/engine/replay.h"
#include "replayer/engine/sampler.h"
#include "replayer/engine/snapshot.h"
#include "replayer/engine/system_calls.h"
#include "replayer/engine/threads.h"
#include "replayer/engine/verify.h"
#include "replayer/engine/violation.h"
#include "traces/cli.h"

#define PLAN_BYTES_DEFAULT ((uint64_t)16 << 20)
#define PLAN_BYTES_MIN     ((uint64_t)256 << 10)
#define PLAN_BYTES_MAX     ((uint64_t)8 << 30)

struct engine_result *engine_result;

static const char usage[] =
    "heaptape-engine --tape app.tape --print\n"
    "LD_PRELOAD=libjemalloc.so.2 heaptape-engine --tape app.tape --mode=memory --print\n"
    "\n"
    "Replays a tape once on the allocator that it is started with. `heaptape bench` and `heaptape\n"
    "replay` start it; it seldom needs to be run by hand.\n"
    "\n"
    "  --tape PATH           the tape\n"
    "  --mode=time|memory|latency|verify\n"
    "                        time the calls (default), sample memory while they run, time each "
    "call\n"
    "                        by itself, or check every answer of the allocator (exit status 1 "
    "where\n"
    "                        one is wrong)\n"
    "  --touch=none|first|page|full\n"
    "                        write to new memory: not at all, its first byte (default in time "
    "mode),\n"
    "                        a byte a page (default in memory mode), all of it\n"
    "  --order=causal|strict|serial\n"
    "                        an event waits for what it depends on (default), or for the one "
    "before;\n"
    "                        serial: one thread does what all threads did\n"
    "  --usable=write|skip   verify: use all that malloc_usable_size() says (default), or only "
    "what\n"
    "                        was asked for\n"
    "  --stop-at=EVENT       verify: SIGTRAP right before this event's call, for a debugger\n"
    "  --pace=asap|recorded|FACTOR\n"
    "                        as fast as it goes (default), or no operation before its recorded "
    "moment, which\n"
    "                        a FACTOR (0.5 to 1000) brings forward: 2 is twice as fast\n"
    "  --result-fd N         leave the result in this shared mapping (result.h)\n"
    "  --plan-fd N           keep the plan in this empty file for the next run, or use the one in "
    "it\n"
    "  --snapshots-fd N      memory mode: raw snapshots of the heap into this empty file "
    "(result.h)\n"
    "  --snapshot-at EVENT   one of them after this event of the tape in any case\n"
    "  --plan-only           with --plan-fd: plan and keep, replay nothing\n"
    "  --print, --series     show the result on stdout; with the memory series\n"
    "  --plan-memory SIZE    memory for planned operations (default 16M); a longer tape is "
    "replayed\n"
    "                        window by window\n"
    "  --help, --version\n";

static void result_message(enum heaptape_exit status, const char *message)
{
    if (engine_result) {
        engine_result->exit_status = status;
        snprintf(engine_result->message, sizeof(engine_result->message), "%s", message);
        atomic_store(&engine_result->phase, ENGINE_ERROR);
    }
    dprintf(STDERR_FILENO, "heaptape engine: %s\n", message);
}

void engine_fail(enum heaptape_exit status, const char *format, ...)
{
    char message[320];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    result_message(status, message);
    _exit((int)status);
}

void engine_fail_tape(const struct tape_error *error)
{
    engine_fail(tape_exit_status(error->status), "%s", error->message);
}

/* ---- options
 * ------------------------------------------------------------------------------------- */

struct options {
    struct engine_settings settings;
    bool touch_given, plan_only, print, series;
    int result_fd, plan_fd, snapshots_fd;
};

static int choice(const char *option, const char *text, const char *const *words, int count)
{
    for (int i = 0; i < count; i++)
        if (!strcmp(text, words[i]))
            return i;
    cli_die_usage("%s=%s: not one of its choices", option, text);
}

#define CHOICE(option, text, ...)                                                                  \
    choice(option, text, (const char *const[]){__VA_ARGS__},                                       \
           sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static int descriptor(const char *option, const char *text)
{
    uint64_t fd = cli_count(option, text);
    if (fd > INT32_MAX)
        cli_die_usage("%s %s: not a file descriptor", option, text);
    return (int)fd;
}

static void option_take(struct options *options, int option, const char *text)
{
    struct engine_settings *settings = &options->settings;
    switch (option) {
    case 't':
        settings->tape = text;
        break;
    case 'm':
        settings->mode =
            (enum engine_mode)CHOICE("--mode", text, "time", "memory", "latency", "verify");
        break;
    case 'u':
        settings->touch =
            (enum engine_touch)CHOICE("--touch", text, "none", "first", "page", "full");
        options->touch_given = true;
        break;
    case 'o':
        settings->order = (enum engine_order)CHOICE("--order", text, "causal", "strict", "serial");
        break;
    case 'U':
        settings->usable_skip = CHOICE("--usable", text, "write", "skip");
        break;
    case 'a':
        settings->stop_at = cli_count("--stop-at", text);
        break;
    case 'P':
        settings->speed = cli_speed("--pace", text);
        break;
    case 'f':
        options->result_fd = descriptor("--result-fd", text);
        break;
    case 'k':
        options->plan_fd = descriptor("--plan-fd", text);
        break;
    case 'w':
        settings->plan_bytes = cli_size("--plan-memory", text);
        if (settings->plan_bytes < PLAN_BYTES_MIN || settings->plan_bytes > PLAN_BYTES_MAX)
            cli_die_usage("--plan-memory %s: between 256k and 8G", text);
        break;
    case 'S':
        options->snapshots_fd = descriptor("--snapshots-fd", text);
        settings->snapshots = true;
        break;
    case 'A':
        settings->snapshot_at = cli_count("--snapshot-at", text);
        break;
    case 'n':
        options->plan_only = true;
        break;
    case 'p':
        options->print = true;
        break;
    case 's':
        options->print = options->series = true;
        break;
    case 'h':
        cli_help(usage);
    case 'V':
        cli_version();
    default:
        cli_die_usage("unknown option");
    }
}

static struct options options_parse(int argc, char **argv)
{
    static const struct option table[] = {
        {"tape", required_argument, NULL, 't'},
        {"mode", required_argument, NULL, 'm'},
        {"touch", required_argument, NULL, 'u'},
        {"order", required_argument, NULL, 'o'},
        {"usable", required_argument, NULL, 'U'},
        {"stop-at", required_argument, NULL, 'a'},
        {"pace", required_argument, NULL, 'P'},
        {"result-fd", required_argument, NULL, 'f'},
        {"plan-memory", required_argument, NULL, 'w'},
        {"plan-fd", required_argument, NULL, 'k'},
        {"snapshots-fd", required_argument, NULL, 'S'},
        {"snapshot-at", required_argument, NULL, 'A'},
        {"plan-only", no_argument, NULL, 'n'},
        {"print", no_argument, NULL, 'p'},
        {"series", no_argument, NULL, 's'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {0},
    };
    struct options options = {.settings = {.plan_bytes = PLAN_BYTES_DEFAULT,
                                           .stop_at = ENGINE_NO_EVENT,
                                           .snapshot_at = ENGINE_NO_EVENT},
                              .result_fd = -1,
                              .plan_fd = -1,
                              .snapshots_fd = -1};
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "", table, NULL)) != -1;)
        option_take(&options, option, optarg);
    if (optind < argc)
        cli_die_usage("%s: an argument too many", argv[optind]);
    if (!options.settings.tape)
        cli_die_usage("no --tape");
    if (options.settings.snapshots && options.settings.mode != ENGINE_MODE_MEMORY)
        cli_die_usage("--snapshots-fd: only with --mode=memory");
    if (!options.touch_given)
        options.settings.touch =
            options.settings.mode == ENGINE_MODE_MEMORY ? ENGINE_TOUCH_PAGE : ENGINE_TOUCH_FIRST;
    return options;
}

/* ---- the run
 * ------------------------------------------------------------------------------------- */

static void result_open(int fd, enum engine_mode mode)
{
    size_t bytes = mode == ENGINE_MODE_LATENCY ? ENGINE_LATENCY_AT + sizeof(struct engine_latency)
                                               : sizeof(struct engine_result);
    int flags = fd < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED;
    struct stat status;
    if (fd >= 0 && (fstat(fd, &status) || (uint64_t)status.st_size < bytes))
        cli_die(HEAPTAPE_EXIT_USAGE, "--result-fd %d: not %zu bytes of shared memory", fd, bytes);
    void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags | MAP_POPULATE, fd, 0);
    if (map == MAP_FAILED)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "the result cannot be mapped: %s", strerror(errno));
    engine_result = map;
    engine_result->magic = ENGINE_RESULT_MAGIC;
    engine_result->bytes = sizeof(struct engine_result);
    atomic_store(&engine_result->phase, ENGINE_STARTED);
}

static struct engine_latency *result_latency(void)
{
    return (struct engine_latency *)((char *)engine_result + ENGINE_LATENCY_AT);
}

static replay_loop *loop_for(const struct engine_settings *settings)
{
    static replay_loop *const time_loops[] = {replay_time_none, replay_time_first, replay_time_page,
                                              replay_time_full};
    if (settings->mode == ENGINE_MODE_VERIFY)
        return replay_verify;
    if (settings->mode == ENGINE_MODE_LATENCY)
        return replay_latency;
    return settings->mode == ENGINE_MODE_MEMORY ? replay_memory : time_loops[settings->touch];
}

/* The tables that the loop needs for the window. */
static void tables_grow(struct replay *replay, const struct plan *plan)
{
    static struct pages slots, blocks, births, verify_blocks;
    replay->slots = pages_reserve(&slots, plan->slots * sizeof(void *));
    if (plan->settings->mode == ENGINE_MODE_MEMORY)
        replay->blocks = pages_reserve(&blocks, plan->slots * sizeof(struct replay_block));
    if (plan->settings->snapshots)
        replay->births = pages_reserve(&births, plan->slots * sizeof(*replay->births));
    if (plan->settings->mode == ENGINE_MODE_VERIFY)
        replay->verify_blocks =
            pages_reserve(&verify_blocks, plan->slots * sizeof(struct verify_block));
    replay->slot_count = plan->slots;
}

static bool next_window(struct plan *plan, struct plan_file *file)
{
    if (plan->kept)
        return plan_file_window(file, plan);
    if (!plan_window(plan))
        return false;
    plan_file_keep(file, plan);
    return true;
}

/* What a mode does before and after each window, outside of what is timed. */
static void window_begins(struct plan *plan, struct replay *replay, struct proc_footprint startup,
                          bool first)
{
    switch (plan->settings->mode) {
    case ENGINE_MODE_TIME:
        break;
    case ENGINE_MODE_MEMORY:
        snapshot_resume(&plan->window);
        if (first)
            sampler_open(replay, plan->events_claimed, startup);
        sampler_resume();
        break;
    case ENGINE_MODE_LATENCY:
        if (first)
            latency_open(result_latency(), plan->events_claimed);
        latency_resume(&plan->window);
        break;
    case ENGINE_MODE_VERIFY:
        verify_resume(&plan->window);
        break;
    }
}

static void window_ends(struct plan *plan)
{
    switch (plan->settings->mode) {
    case ENGINE_MODE_TIME:
        break;
    case ENGINE_MODE_MEMORY:
        threads_settle();
        sampler_pause();
        snapshot_pause();
        break;
    case ENGINE_MODE_LATENCY:
        latency_pause(&plan->window, plan->calls - plan->window.calls);
        break;
    case ENGINE_MODE_VERIFY:
        threads_settle(); /* what the allocator maps at a thread's end is not the engine's */
        verify_pause();
        break;
    }
}

static void run_windows(struct plan *plan, struct plan_file *file, struct replay *replay,
                        struct proc_footprint startup)
{
    enum engine_mode mode = plan->settings->mode;
    bool first = true;
    while (next_window(plan, file)) {
        tables_grow(replay, plan);
        threads_prepare(&plan->window);
        window_begins(plan, replay, startup, first);
        atomic_store(&engine_result->phase, ENGINE_REPLAYING);
        crash_window(plan->calls - plan->window.calls);
        threads_run(&plan->window);
        atomic_store(&engine_result->progress, plan->calls);
        window_ends(plan);
        first = false;
    }
    if (first && mode == ENGINE_MODE_MEMORY) {
        sampler_open(replay, 0, startup);
        sampler_resume();
        sampler_pause();
    }
    if (first && mode == ENGINE_MODE_LATENCY)
        latency_open(result_latency(), 0);
}

/* Leaves the plan for the runs to come, so that none of them has to make it. */
static void plan_all(struct plan *plan, struct plan_file *file)
{
    while (next_window(plan, file))
        continue;
}

int main(int argc, char **argv)
{
    static struct plan plan;
    static struct replay replay;
    uint64_t began = engine_now_ns();
    cli_begin("engine");
    struct options options = options_parse(argc, argv);
    bool memory = options.settings.mode == ENGINE_MODE_MEMORY;
    bool verifies = options.settings.mode == ENGINE_MODE_VERIFY;
    if (verifies)
        verify_pause();
    if (memory)
        snapshot_open(options.snapshots_fd, &replay);
    struct proc_footprint startup = {0};
    if (memory)
        startup = proc_allocator_footprint();
    result_open(options.result_fd, options.settings.mode);
    if (memory || verifies)
        replay.usable_known = proc_same_file((void *)malloc, (void *)malloc_usable_size);
    replay.touch = options.settings.touch;
    replay.loop = loop_for(&options.settings);
    replay.paced = options.settings.speed > 0;
    if (replay.paced)
        pace_open();
    struct plan_file *file = plan_file_open(options.plan_fd, &options.settings);
    if (!plan_file_load(file, &plan))
        plan_open(&plan, &options.settings);
    threads_open(&replay, plan.several ? &plan.lanes : NULL, memory);
    if (memory)
        system_calls_open();
    crash_open(&replay);
    if (verifies)
        verify_open(&replay, &options.settings);
    atomic_store(&engine_result->phase, ENGINE_PLANNED);
    if (options.plan_only)
        plan_all(&plan, file);
    else
        run_windows(&plan, file, &replay, startup);
    if (verifies)
        verify_close();
    if (options.settings.mode == ENGINE_MODE_LATENCY && !options.plan_only)
        latency_close();
    threads_close();
    engine_result->operations = plan.calls;
    engine_result->skipped = plan.skipped;
    engine_result->peak_requested_bytes = plan.peak_bytes;
    engine_result->lanes = plan.several ? plan.lanes.count : 1;
    if (memory && !options.plan_only)
        sampler_close();
    engine_result->wall_ns = engine_now_ns() - began;
    engine_result->metadata_bytes = memory && !options.plan_only ? metadata_told() : ENGINE_UNKNOWN;
    atomic_store(&engine_result->phase, ENGINE_DONE);
    plan_file_close(file, &plan);
    if (options.print)
        print_result(engine_result, options.series);
    if (options.print && options.settings.mode == ENGINE_MODE_LATENCY)
        print_latency(result_latency());
    return violations_fail() ? HEAPTAPE_EXIT_CHECK_FAILED : HEAPTAPE_EXIT_OK;
}
