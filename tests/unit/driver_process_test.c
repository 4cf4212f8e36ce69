/* A child from start to end, and every way to end it. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "replayer/driver/interrupt.h"
#include "replayer/driver/process.h"
#include "tests/unit/check.h"

static struct process_result run(const char *script, uint64_t timeout_ns, uint64_t memory_bytes,
                                 int output)
{
    const char *arguments[] = {"sh", "-c", script, NULL};
    struct process_result result;
    struct process_request request = {.arguments = arguments,
                                      .input = PROCESS_NULL,
                                      .output = output,
                                      .error = PROCESS_NULL,
                                      .timeout_ns = timeout_ns,
                                      .memory_bytes = memory_bytes};
    process_run(&request, &result);
    return result;
}

static void test_ends(void)
{
    struct process_result result = run("exit 7", 0, 0, PROCESS_NULL);
    CHECK_EQ_INT(result.end, PROCESS_EXITED);
    CHECK_EQ_INT(result.exit_status, 7);
    result = run("kill -SEGV $$", 0, 0, PROCESS_NULL);
    CHECK_EQ_INT(result.end, PROCESS_SIGNALED);
    CHECK_EQ_INT(result.signal, SIGSEGV);
    CHECK_STR(process_signal_name(result.signal), "SIGSEGV");
}

static void test_not_there(void)
{
    const char *arguments[] = {"/nowhere/at/all", NULL};
    struct process_result result;
    struct process_request request = {
        .arguments = arguments,
        .input = PROCESS_NULL,
        .output = PROCESS_NULL,
        .error = PROCESS_NULL,
    };
    process_run(&request, &result);
    CHECK_EQ_INT(result.end, PROCESS_NOT_STARTED);
    CHECK_EQ_INT(result.error, ENOENT);
}

static void test_a_hang_is_killed_with_what_it_started(void)
{
    int words = process_scratch("words");
    char text[64];
    struct process_result result =
        run("sleep 1000 & echo $!; sleep 1000", UINT64_C(200000000), 0, words);
    CHECK_EQ_INT(result.end, PROCESS_TIMEOUT);
    CHECK(result.wall_ns >= UINT64_C(200000000) && result.wall_ns < UINT64_C(5000000000));
    process_scratch_text(words, text, sizeof text);
    close(words);
    pid_t grandchild = atoi(text);
    CHECK(grandchild > 0);
    struct timespec pause = {0, 10000000};
    char path[64], state = 0;
    for (unsigned i = 0; i < 500; i++) { /* dead at once, reaped by whom it may concern */
        snprintf(path, sizeof path, "/proc/%d/stat", (int)grandchild);
        FILE *file = fopen(path, "re");
        state = 'X';
        if (file && fscanf(file, "%*d %*s %c", &state) != 1)
            state = 'X';
        if (file)
            fclose(file);
        if (state == 'X' || state == 'Z')
            break;
        nanosleep(&pause, NULL);
    }
    CHECK(state == 'X' || state == 'Z');
}

static void test_too_much_memory(void)
{
    struct process_result result = run("x=$(head -c 100000000 /dev/zero | tr '\\0' x); sleep 20",
                                       UINT64_C(20000000000), 50 << 20, PROCESS_NULL);
    CHECK_EQ_INT(result.end, PROCESS_MEMORY);
    CHECK(result.resident_bytes > 50 << 20);
}

static void test_output_is_kept_and_bounded(void)
{
    int words = process_scratch("words");
    char text[64];
    struct process_result result =
        run("echo hello; head -c 100000 /dev/zero | tr '\\0' x 2>/dev/null; echo lost; exit 3",
            UINT64_C(20000000000), 0, words);
    process_scratch_text(words, text, sizeof text);
    CHECK(!strncmp(text, "hello\n", 6));
    CHECK_EQ_U64(strlen(text), sizeof text - 1);
    process_scratch_tail(words, text, sizeof text);
    CHECK_EQ_U64(strspn(text, "x"), sizeof text - 1);
    CHECK_EQ_U64(lseek(words, 0, SEEK_END), PROCESS_SCRATCH_BYTES);
    CHECK_EQ_INT(result.end, PROCESS_EXITED);
    CHECK_EQ_INT(result.exit_status, 3);
    close(words);
}

static void test_environment_and_preload(void)
{
    const char *arguments[] = {"sh", "-c", "echo \"$NEW:$LD_PRELOAD\"", NULL};
    const char *environment[] = {"NEW=1", NULL};
    char text[64];
    struct process_result result;
    struct process_request request = {
        .arguments = arguments,
        .preload = "",
        .environment = environment,
        .input = PROCESS_NULL,
        .output = process_scratch("words"),
        .error = PROCESS_NULL,
    };
    setenv("LD_PRELOAD", "libdoes-not-exist.so", 1);
    process_run(&request, &result);
    unsetenv("LD_PRELOAD");
    process_scratch_text(request.output, text, sizeof text);
    CHECK_STR(text, "1:\n");
    CHECK(!getenv("NEW"));
    close(request.output);
}

/* In a child of ours, so that the signal stays there. */
static void test_an_interrupt_ends_the_child(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        raise(SIGINT); /* held back until someone waits */
        struct process_result result = run("sleep 1000", 0, 0, PROCESS_NULL);
        _exit(result.end == PROCESS_INTERRUPTED && interrupt_seen() ? interrupt_exit_status() : 1);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    CHECK(WIFEXITED(status));
    CHECK_EQ_INT(WEXITSTATUS(status), 130);
}

int main(void)
{
    interrupt_begin();
    RUN(test_ends);
    RUN(test_not_there);
    RUN(test_a_hang_is_killed_with_what_it_started);
    RUN(test_too_much_memory);
    RUN(test_output_is_kept_and_bounded);
    RUN(test_environment_and_preload);
    RUN(test_an_interrupt_ends_the_child);
    check_unused();
    return CHECK_MAIN_END();
}
