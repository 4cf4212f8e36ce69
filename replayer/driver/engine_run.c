#include "replayer/driver/engine_run.h"
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "replayer/driver/machine.h"
#include "replayer/driver/process.h"
#include "replayer/driver/snapshots.h"
#include "replayer/driver/violations.h"
#include "traces/cli.h"

#define TIMEOUT_BASE_NS  UINT64_C(60000000000)
#define TIMEOUT_EVENT_NS 1000
#define LAST_WORDS       (PROCESS_TAIL_BYTES + 1)
#define VERIFY_SLOWDOWN  4 /* its time limit, in those of other modes */
#define PLAN_EVENT_BYTES                                                                           \
    12 /* an operation and its share of what does not fit in one, and waits                        \
        */

const char *run_status_word(enum run_status status)
{
    static const char *const words[RUN_STATUS_LIMIT] = {
        "ok", "crashed", "timeout", "out_of_memory", "error", "failed", "interrupted"};
    return words[status];
}

const char *run_mode_word(enum run_mode mode)
{
    static const char *const words[RUN_MODE_LIMIT] = {"time", "memory", "latency", "verify",
                                                      "serial"};
    return words[mode];
}

const char *run_mode_engine_word(enum run_mode mode)
{
    return run_mode_word(mode == RUN_MODE_SERIAL ? RUN_MODE_MEMORY : mode);
}

const char *run_mode_order(enum run_mode mode, const struct engine_settings *settings)
{
    return mode == RUN_MODE_SERIAL ? ENGINE_SERIAL_ORDER : settings->order;
}

uint64_t engine_timeout_ns(const struct engine_settings *settings, uint64_t events,
                           uint64_t recorded_ns)
{
    if (settings->timeout_ns)
        return settings->timeout_ns;
    double paced = settings->speed > 0 ? (double)recorded_ns / settings->speed : 0;
    uint64_t most = UINT64_C(1) << 62, paced_ns = paced < (double)most ? (uint64_t)paced : most;
    return TIMEOUT_BASE_NS + events * TIMEOUT_EVENT_NS + paced_ns;
}

double engine_run_late_share(const struct engine_result *result)
{
    return result->operations ? (double)result->pace_late / (double)result->operations : 0;
}

uint64_t engine_default_memory_bytes(void)
{
    return machine_available_bytes() / 5 * 4;
}

uint64_t engine_run_progress(const struct engine_run *run)
{
    return atomic_load_explicit(&run->result.progress, memory_order_relaxed);
}

/* The last line that the engine or the allocator printed, without control characters. */
static void last_words(const char *printed, char *line, size_t bytes)
{
    char text[LAST_WORDS], *start = text;
    snprintf(text, sizeof text, "%s", printed);
    for (size_t length = strlen(text); length && text[length - 1] == '\n';)
        text[--length] = 0;
    for (char *at = text; *at; at++)
        if (*at == '\n')
            start = at + 1;
    for (char *at = start; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            *at = '?';
    snprintf(line, bytes, "%s", start);
}

/* Where in its work the engine was: "at operation 123 of 456". */
static void where(const struct engine_run *run, char *text, size_t bytes)
{
    const struct engine_result *result = &run->result;
    uint32_t phase = atomic_load_explicit(&result->phase, memory_order_relaxed);
    if (!run->result_is_there)
        snprintf(text, bytes, "before the replay's main()");
    else if (phase < ENGINE_REPLAYING)
        snprintf(text, bytes, "before its first operation");
    else if (phase >= ENGINE_DONE)
        snprintf(text, bytes, "after its last operation");
    else if (!engine_run_progress(run)) /* timed loops mark their progress window by window */
        snprintf(text, bytes, "while replaying");
    else
        snprintf(text, bytes, "at about operation %" PRIu64, engine_run_progress(run));
}

static void judge_ended(struct engine_run *run, const char *place, const char *words)
{
    const struct engine_result *result = &run->result;
    uint32_t phase = atomic_load_explicit(&result->phase, memory_order_relaxed);
    run->status = RUN_ERROR;
    if (run->result_is_there && phase == ENGINE_ERROR)
        snprintf(run->detail, sizeof run->detail, "%.319s", result->message);
    else if (run->exit_code || !run->result_is_there || phase != ENGINE_DONE)
        snprintf(run->detail, sizeof run->detail, "ended early with status %d %s%s%.300s",
                 run->exit_code, place, *words ? ": " : "", words);
    else if (result->failed_calls) {
        run->status = RUN_OUT_OF_MEMORY;
        snprintf(run->detail, sizeof run->detail,
                 "%" PRIu64 " of %" PRIu64 " calls returned NULL that had not when recorded",
                 result->failed_calls, result->operations);
    } else
        run->status = RUN_OK;
}

/*
 * An allocator that broke a promise has failed, whatever became of the run then; but a crash and
 * nothing else is a crash.
 */
static void judge_verified(struct engine_run *run)
{
    const struct engine_result *result = &run->result;
    uint64_t crashes =
        atomic_load_explicit(&result->violations[ENGINE_VIOLATION_CRASHED], memory_order_relaxed);
    if (!run->result_is_there || run->status == RUN_INTERRUPTED ||
        violations_count(result) == (run->status == RUN_CRASHED ? crashes : 0))
        return;
    run->status = RUN_FAILED;
    violations_line(result, run->detail, sizeof run->detail);
}

static void judge(struct engine_run *run, const struct process_result *process,
                  const struct process_request *request, const char *words)
{
    char place[96], limit[16];
    where(run, place, sizeof place);
    switch (process->end) {
    case PROCESS_EXITED:
        judge_ended(run, place, words);
        return;
    case PROCESS_SIGNALED:
        run->status = RUN_CRASHED;
        snprintf(run->detail, sizeof run->detail, "%s %s%s%s%.300s",
                 process_signal_name(run->signal), place,
                 run->signal == SIGKILL ? ", perhaps by the kernel for lack of memory" : "",
                 *words ? ": " : "", words);
        return;
    case PROCESS_TIMEOUT:
        run->status = RUN_TIMEOUT;
        snprintf(run->detail, sizeof run->detail, "not done after %.4g s %s",
                 (double)request->timeout_ns / 1e9, place);
        return;
    case PROCESS_MEMORY:
        run->status = RUN_OUT_OF_MEMORY;
        snprintf(run->detail, sizeof run->detail, "over the memory limit of %s %s",
                 cli_format_bytes(request->memory_bytes, limit), place);
        return;
    case PROCESS_INTERRUPTED:
        run->status = RUN_INTERRUPTED;
        return;
    case PROCESS_NOT_STARTED:
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "cannot start %s: %s; run make again",
                request->arguments[0], strerror(process->error));
    }
}

static size_t result_bytes(enum run_mode mode)
{
    return mode == RUN_MODE_LATENCY ? ENGINE_LATENCY_AT + sizeof(struct engine_latency)
                                    : sizeof(struct engine_result);
}

/* A file for the result, mapped. The engine gets its number. */
static struct engine_result *result_make(enum run_mode mode, int *ret_fd)
{
    size_t bytes = result_bytes(mode);
    int fd = memfd_create("heaptape-result", MFD_CLOEXEC);
    void *mapped = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, (off_t)bytes) == 0)
        mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "cannot make a memory file for the result: %s",
                strerror(errno));
    *ret_fd = fd;
    return mapped;
}

/* ---- plans
 * --------------------------------------------------------------------------------------------- */

static uint64_t plans_bytes; /* of all tapes */

static uint64_t file_bytes(int fd)
{
    struct stat info;
    return fd > 0 && fstat(fd, &info) == 0 ? (uint64_t)info.st_size : 0;
}

/* Whether a plan of so many events may be kept beside those there are. */
static bool plan_affordable(uint64_t events)
{
    static uint64_t most;
    if (!most)
        most = machine_available_bytes() / ENGINE_PLANS_SHARE;
    return events && events < most / PLAN_EVENT_BYTES &&
           plans_bytes + events * PLAN_EVENT_BYTES <= most;
}

void engine_tape_end(struct engine_tape *tape)
{
    for (unsigned i = 0; i < RUN_MODE_LIMIT; i++)
        if (tape->plan[i] > 0) {
            plans_bytes -= file_bytes(tape->plan[i]);
            close(tape->plan[i]);
            tape->plan[i] = 0;
        }
}

/* ---- the run
 * ------------------------------------------------------------------------------------------- */

static void take_result(struct engine_run *run, const struct engine_result *result,
                        const struct process_result *process)
{
    memset(run, 0, sizeof *run);
    memcpy(&run->result, result, sizeof *result);
    run->result.message[sizeof run->result.message - 1] = 0;
    run->result_is_there = result->magic == ENGINE_RESULT_MAGIC && result->bytes == sizeof *result;
    run->signal = process->end == PROCESS_SIGNALED ? process->signal : 0;
    run->exit_code = process->exit_status;
    run->process_ns = process->wall_ns;
}

static void take_latency(struct engine_run *run, const struct engine_result *result)
{
    static struct engine_latency *latency;
    if (!latency)
        latency = malloc(sizeof *latency);
    if (!latency)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "out of memory");
    memcpy(latency, (const char *)result + ENGINE_LATENCY_AT, sizeof *latency);
    run->latency = latency;
}

/* The engine's command line for a run. */
struct engine_command {
    const char *arguments[14];
    char program[PATH_MAX], mode[32], touch[32], order[32], pace[32], result[32], plan[32];
    char snapshot_at[48];
};

static void command_make(struct engine_command *command, const struct engine_tape *tape,
                         enum run_mode mode, const struct engine_settings *settings)
{
    const char *by_mode = mode == RUN_MODE_TIME || mode == RUN_MODE_LATENCY ? "first" : "page";
    snprintf(command->mode, sizeof command->mode, "--mode=%s", run_mode_engine_word(mode));
    snprintf(command->touch, sizeof command->touch, "--touch=%s",
             settings->touch ? settings->touch : by_mode);
    snprintf(command->order, sizeof command->order, "--order=%s", run_mode_order(mode, settings));
    snprintf(command->pace, sizeof command->pace, "--pace=%.20s",
             settings->pace ? settings->pace : ENGINE_DEFAULT_PACE);
    const char *arguments[] = {
        cli_libexec_path("heaptape-engine", command->program, sizeof command->program),
        "--tape",
        tape->path,
        command->mode,
        command->touch,
        command->order,
        command->pace,
    };
    memset(command->arguments, 0, sizeof command->arguments);
    memcpy(command->arguments, arguments, sizeof arguments);
}

static void command_add(struct engine_command *command, const char *argument)
{
    unsigned at = 0;
    while (command->arguments[at])
        at++;
    command->arguments[at] = argument;
}

static struct process_request request_of(const struct engine_command *command,
                                         const struct engine_settings *settings)
{
    return (struct process_request){
        .arguments = command->arguments,
        .preload = "",
        .input = PROCESS_NULL,
        .output = PROCESS_NULL,
        .error = PROCESS_NULL,
        .timeout_ns = settings->timeout_ns,
        .memory_bytes = settings->memory_bytes,
    };
}

/* Has the tape planned, once, where its plan may be kept. What goes wrong here, the runs will tell.
 */
static int plan_get(struct engine_tape *tape, enum run_mode mode,
                    const struct engine_settings *settings)
{
    int *plan = &tape->plan[mode];
    if (mode == RUN_MODE_VERIFY) /* runs once, and its plan is never kept */
        return -1;
    if (*plan)
        return *plan;
    *plan = plan_affordable(tape->events) ? memfd_create("heaptape-plan", MFD_CLOEXEC) : -1;
    if (*plan < 0)
        return *plan = -1;
    struct engine_command command;
    struct process_result process;
    command_make(&command, tape, mode, settings);
    snprintf(command.plan, sizeof command.plan, "--plan-fd=%d", *plan);
    command_add(&command, command.plan);
    command_add(&command, "--plan-only");
    struct process_request request = request_of(&command, settings);
    request.keep[0] = *plan;
    process_run(&request, &process);
    if (process.end != PROCESS_EXITED || process.exit_status || !file_bytes(*plan)) {
        close(*plan);
        *plan = -1;
    }
    plans_bytes += file_bytes(*plan);
    return *plan;
}

void engine_run(struct engine_tape *tape, const struct allocator *allocator, enum run_mode mode,
                const struct engine_settings *settings, struct engine_run *ret_run)
{
    struct engine_command command;
    struct process_result process;
    struct process_tail tail;
    char words[LAST_WORDS];
    const char *snapshots = mode == RUN_MODE_MEMORY ? settings->snapshots : NULL;
    /* A plan that is kept does not tell the events that snapshots name. */
    int result_fd, raw = snapshots ? snapshots_raw(snapshots) : -1;
    int plan = snapshots ? -1 : plan_get(tape, mode, settings);
    struct engine_result *result = result_make(mode, &result_fd);
    command_make(&command, tape, mode, settings);
    snprintf(command.result, sizeof command.result, "--result-fd=%d", result_fd);
    if (snapshots)
        snprintf(command.plan, sizeof command.plan, "--snapshots-fd=%d", raw);
    else
        snprintf(command.plan, sizeof command.plan, "--plan-fd=%d", plan);
    command_add(&command, command.result);
    if (plan > 0 || snapshots)
        command_add(&command, command.plan);
    if (snapshots && settings->snapshot_at) {
        snprintf(command.snapshot_at, sizeof command.snapshot_at, "--snapshot-at=%.24s",
                 settings->snapshot_at);
        command_add(&command, command.snapshot_at);
    }
    if (mode == RUN_MODE_VERIFY && settings->usable_skip)
        command_add(&command, "--usable=skip");
    struct process_request request = request_of(&command, settings);
    if (mode == RUN_MODE_VERIFY)
        request.timeout_ns *= VERIFY_SLOWDOWN;
    request.preload = allocator->path;
    request.environment = allocator->environment;
    request.tail = &tail;
    if (process_tail_open(&tail) < 0)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "cannot make a pipe: %s", strerror(errno));
    request.keep[0] = result_fd;
    request.keep[1] = snapshots ? raw : plan;
    process_run(&request, &process);
    take_result(ret_run, result, &process);
    if (mode == RUN_MODE_LATENCY)
        take_latency(ret_run, result);
    last_words(tail.text, words, sizeof words);
    memcpy(ret_run->output, tail.text, sizeof ret_run->output);
    judge(ret_run, &process, &request, words);
    if (mode == RUN_MODE_VERIFY)
        judge_verified(ret_run);
    if (snapshots && ret_run->status == RUN_OK)
        snapshots_write(raw, snapshots);
    else if (snapshots)
        close(raw);
    munmap(result, result_bytes(mode));
    close(result_fd);
    process_tail_close(&tail);
}
