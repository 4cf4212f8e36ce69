#include "replayer/driver/engine_run.h"
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "replayer/driver/machine.h"
#include "replayer/driver/process.h"
#include "traces/cli.h"

#define TIMEOUT_BASE_NS  UINT64_C(60000000000)
#define TIMEOUT_EVENT_NS 1000
#define LAST_WORDS       2048

const char *run_status_word(enum run_status status)
{
    static const char *const words[RUN_STATUS_LIMIT] = {
        "ok", "crashed", "timeout", "out_of_memory", "error", "interrupted"};
    return words[status];
}

uint64_t engine_timeout_ns(const struct engine_settings *settings, uint64_t events)
{
    if (settings->timeout_ns)
        return settings->timeout_ns;
    return TIMEOUT_BASE_NS + events * TIMEOUT_EVENT_NS;
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
static void last_words(int fd, char *line, size_t bytes)
{
    char text[LAST_WORDS], *start = text;
    process_scratch_tail(fd, text, sizeof text);
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

/* A file for the result, mapped. The engine gets its number. */
static struct engine_result *result_make(int *ret_fd)
{
    int fd = memfd_create("heaptape-result", MFD_CLOEXEC);
    void *mapped = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, sizeof(struct engine_result)) == 0)
        mapped =
            mmap(NULL, sizeof(struct engine_result), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
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

/* The plan's file for a run, or -1 where it is to go without. */
static int plan_open(struct engine_tape *tape, bool memory_mode)
{
    int *plan = &tape->plan[memory_mode];
    if (!*plan)
        *plan =
            plans_bytes < ENGINE_PLANS_MAX_BYTES ? memfd_create("heaptape-plan", MFD_CLOEXEC) : -1;
    return *plan;
}

/* A run that went wrong may have left half a plan. */
static void plan_close(int plan, uint64_t bytes_before, bool sound)
{
    if (plan > 0 && !sound && ftruncate(plan, 0) < 0) {
        /* Then the engine finds it unsound and plans anew. */
    }
    plans_bytes += file_bytes(plan) - bytes_before;
}

void engine_tape_end(struct engine_tape *tape)
{
    for (unsigned i = 0; i < 2; i++)
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

void engine_run(struct engine_tape *tape, const struct allocator *allocator, bool memory_mode,
                const struct engine_settings *settings, struct engine_run *ret_run)
{
    char program[PATH_MAX], touch[32], order[32], result_option[32], plan_option[32];
    char words[LAST_WORDS];
    int result_fd, plan = plan_open(tape, memory_mode);
    uint64_t plan_before = file_bytes(plan);
    struct engine_result *result = result_make(&result_fd);
    const char *arguments[] = {cli_libexec_path("heaptape-engine", program, sizeof program),
                               "--tape",
                               tape->path,
                               memory_mode ? "--mode=memory" : "--mode=time",
                               touch,
                               order,
                               result_option,
                               plan > 0 ? plan_option : NULL,
                               NULL};
    struct process_request request = {
        .arguments = arguments,
        .preload = allocator->path,
        .environment = allocator->environment,
        .input = PROCESS_NULL,
        .output = process_scratch("heaptape-words"),
        .keep = {result_fd, plan},
        .timeout_ns = settings->timeout_ns,
        .memory_bytes = settings->memory_bytes,
    };
    struct process_result process;
    request.error = request.output;
    const char *by_mode = memory_mode ? "page" : "first";
    snprintf(touch, sizeof touch, "--touch=%s", settings->touch ? settings->touch : by_mode);
    snprintf(order, sizeof order, "--order=%s", settings->order);
    snprintf(result_option, sizeof result_option, "--result-fd=%d", result_fd);
    snprintf(plan_option, sizeof plan_option, "--plan-fd=%d", plan);
    process_run(&request, &process);
    take_result(ret_run, result, &process);
    last_words(request.output, words, sizeof words);
    judge(ret_run, &process, &request, words);
    plan_close(plan, plan_before, ret_run->status == RUN_OK);
    munmap(result, sizeof *result);
    close(result_fd);
    close(request.output);
}
