#include "replayer/driver/process.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "replayer/driver/interrupt.h"

#define WATCH_NS        UINT64_C(20000000) /* between two looks at the child's memory */
#define TAIL_PIPE_BYTES (1 << 20)
#define UNWATCHED_NS    UINT64_C(200000000) /* between two looks where only time is limited */

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int process_tail_open(struct process_tail *tail)
{
    int ends[2];
    memset(tail, 0, sizeof *tail);
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    tail->read_fd = ends[0];
    tail->write_fd = ends[1];
    fcntl(tail->read_fd, F_SETFL, O_NONBLOCK); /* the child's end goes on to block */
    fcntl(tail->read_fd, F_SETPIPE_SZ, TAIL_PIPE_BYTES);
    return 0;
}

void process_tail_close(struct process_tail *tail)
{
    close(tail->read_fd);
    close(tail->write_fd);
}

/* Empties the pipe. Bounded, for something that the child left behind may go on printing. */
static void drain(struct process_tail *tail)
{
    char text[32768];
    for (unsigned i = 0; tail && i < 2 * TAIL_PIPE_BYTES / sizeof text; i++) {
        ssize_t got = read(tail->read_fd, text, sizeof text);
        if (got <= 0)
            return;
        unsigned bytes = got > PROCESS_TAIL_BYTES ? PROCESS_TAIL_BYTES : (unsigned)got;
        unsigned stay =
            PROCESS_TAIL_BYTES - bytes < tail->length ? PROCESS_TAIL_BYTES - bytes : tail->length;
        memmove(tail->text, tail->text + tail->length - stay, stay);
        memcpy(tail->text + stay, text + got - bytes, bytes);
        tail->length = stay + bytes;
        tail->text[tail->length] = 0;
    }
}

static void child_descriptor(int fd, int target, int null_flags)
{
    if (fd == PROCESS_INHERIT)
        return;
    if (fd == PROCESS_NULL)
        fd = open("/dev/null", null_flags);
    if (fd >= 0)
        dup2(fd, target);
}

static void child_environment(const struct process_request *request)
{
    if (request->preload && *request->preload)
        setenv("LD_PRELOAD", request->preload, 1);
    else if (request->preload)
        unsetenv("LD_PRELOAD");
    for (const char *const *entry = request->environment; entry && *entry; entry++)
        putenv((char *)*entry);
}

/* Between fork and exec. `report` takes errno where exec fails. */
static _Noreturn void child(const struct process_request *request, pid_t parent, int report)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    child_descriptor(request->input, STDIN_FILENO, O_RDONLY);
    child_descriptor(request->tail ? request->tail->write_fd : request->output, STDOUT_FILENO,
                     O_WRONLY);
    child_descriptor(request->tail ? request->tail->write_fd : request->error, STDERR_FILENO,
                     O_WRONLY);
    for (unsigned i = 0; i < PROCESS_KEEP; i++)
        if (request->keep[i] > 0)
            fcntl(request->keep[i], F_SETFD, 0);
    child_environment(request);
    interrupt_release_child();
    execvp(request->arguments[0], (char *const *)request->arguments);
    int error = errno;
    if (write(report, &error, sizeof error) < 0)
        _exit(126);
    _exit(127);
}

/* 0 and the child, or an errno. */
static int start(const struct process_request *request, pid_t *ret_pid)
{
    int report[2], error = 0;
    pid_t parent = getpid();
    fflush(NULL);
    if (pipe2(report, O_CLOEXEC) < 0)
        return errno;
    pid_t pid = fork();
    if (pid == 0)
        child(request, parent, report[1]);
    if (pid < 0)
        error = errno;
    close(report[1]);
    if (pid > 0 && read(report[0], &error, sizeof error) == sizeof error)
        waitpid(pid, NULL, 0);
    close(report[0]);
    *ret_pid = pid;
    return error;
}

static uint64_t resident_bytes(pid_t pid)
{
    char path[48];
    uint64_t pages = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    if (fscanf(file, "%*u %" SCNu64, &pages) != 1)
        pages = 0;
    fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Why the child must be killed now; PROCESS_EXITED where it need not. */
static enum process_end watch(const struct process_request *request, pid_t pid, uint64_t ran_ns,
                              struct process_result *result)
{
    if (request->timeout_ns && ran_ns >= request->timeout_ns)
        return PROCESS_TIMEOUT;
    if (!request->memory_bytes)
        return PROCESS_EXITED;
    result->resident_bytes = resident_bytes(pid);
    return result->resident_bytes > request->memory_bytes ? PROCESS_MEMORY : PROCESS_EXITED;
}

void process_run(const struct process_request *request, struct process_result *ret_result)
{
    struct process_result result = {.end = PROCESS_NOT_STARTED};
    pid_t pid = 0;
    int status;
    uint64_t began = now_ns();
    result.error = start(request, &pid);
    while (!result.error) {
        pid_t got = wait4(pid, &status, WNOHANG, &result.usage);
        result.wall_ns = now_ns() - began;
        drain(request->tail);
        if (got == pid)
            break;
        uint64_t pause_ns = request->memory_bytes ? WATCH_NS : UNWATCHED_NS;
        if (request->timeout_ns && result.wall_ns < request->timeout_ns &&
            request->timeout_ns - result.wall_ns < pause_ns)
            pause_ns = request->timeout_ns - result.wall_ns;
        enum process_end end = PROCESS_EXITED;
        if (interrupt_wait(pause_ns))
            end = PROCESS_INTERRUPTED;
        else
            end = watch(request, pid, now_ns() - began, &result);
        if (end == PROCESS_EXITED)
            continue;
        kill(-pid, SIGKILL);
        kill(pid, SIGKILL);
        wait4(pid, &status, 0, &result.usage);
        drain(request->tail);
        result.wall_ns = now_ns() - began;
        result.end = end;
        *ret_result = result;
        return;
    }
    if (!result.error) {
        kill(-pid, SIGKILL); /* what it may have left behind */
        result.end = WIFSIGNALED(status) ? PROCESS_SIGNALED : PROCESS_EXITED;
        result.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
        result.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    }
    *ret_result = result;
}

int process_scratch(const char *name)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd >= 0 && (ftruncate(fd, PROCESS_SCRATCH_BYTES) < 0 ||
                    fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) < 0)) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* The child's writes have moved the offset that we share with it. */
static off_t written(int fd)
{
    off_t end = fd >= 0 ? lseek(fd, 0, SEEK_CUR) : 0;
    return end > 0 ? end : 0;
}

void process_scratch_text(int fd, char *text, unsigned bytes)
{
    off_t end = written(fd);
    ssize_t got = pread(fd, text, end < bytes ? (size_t)end : bytes - 1, 0);
    text[got > 0 ? got : 0] = 0;
}

void process_scratch_tail(int fd, char *text, unsigned bytes)
{
    off_t end = written(fd), from = end < bytes ? 0 : end - (bytes - 1);
    ssize_t got = pread(fd, text, (size_t)(end - from), from);
    text[got > 0 ? got : 0] = 0;
}

const char *process_signal_name(int signal_number)
{
    static char text[32];
    const char *name = sigabbrev_np(signal_number);
    if (name)
        snprintf(text, sizeof text, "SIG%s", name);
    else
        snprintf(text, sizeof text, "signal %d", signal_number);
    return text;
}
