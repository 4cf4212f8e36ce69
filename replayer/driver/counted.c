#include "replayer/driver/counted.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "replayer/driver/own_stats.h"
#include "replayer/driver/preload.h"
#include "traces/cli.h"

#define WATCH_NS 5000000 /* between two looks where there is a limit */

static int file = -1;
static struct counts_process *records[COUNTS_PROCESSES];

/* ---- the file ---- */

static void open_file(void)
{
    if (file >= 0)
        close(file);
    for (unsigned i = 0; i < COUNTS_PROCESSES && records[i]; i++) {
        munmap(records[i], COUNTS_RECORD_BYTES);
        records[i] = NULL;
    }
    struct counts_header header = {.magic = COUNTS_MAGIC};
    file = memfd_create("heaptape-stats", MFD_CLOEXEC);
    if (file < 0 || ftruncate(file, (off_t)COUNTS_FILE_BYTES) < 0 ||
        pwrite(file, &header, sizeof header, 0) != sizeof header)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "no shared memory for the counts: %s", strerror(errno));
}

static unsigned asked_for(void)
{
    struct counts_header header = {0};
    if (pread(file, &header, sizeof header, 0) != sizeof header)
        return 0;
    return header.processes;
}

const struct counts_process *counted_record(unsigned index)
{
    if (index >= COUNTS_PROCESSES || records[index])
        return index < COUNTS_PROCESSES ? records[index] : NULL;
    void *record =
        mmap(NULL, COUNTS_RECORD_BYTES, PROT_READ, MAP_SHARED, file, (off_t)COUNTS_OFFSET(index));
    if (record == MAP_FAILED)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "cannot read the counts: %s", strerror(errno));
    return records[index] = record;
}

/* ---- the program ---- */

static void prepare_environment(const struct counted_request *request)
{
    static char preload[3 * PATH_MAX], variable[64];
    char library[PATH_MAX], behind[2 * PATH_MAX];
    if (request->allocator)
        preload_environment(request->allocator);
    if (request->own)
        own_stats_environment();
    if (!request->count)
        return;
    const char *had = getenv("LD_PRELOAD");
    snprintf(behind, sizeof behind, "%s", had ? had : "");
    cli_lib_path("libheaptape-stats.so", library, sizeof library);
    snprintf(preload, sizeof preload, "%s%s%s", library, *behind ? ":" : "", behind);
    setenv("LD_PRELOAD", preload, 1);
    snprintf(variable, sizeof variable, "/proc/%d/fd/%d", (int)getppid(), file);
    setenv(COUNTS_VARIABLE, variable, 1);
}

static _Noreturn void become(const struct counted_request *request)
{
    prepare_environment(request);
    signal(SIGINT, SIG_DFL);
    signal(SIGQUIT, SIG_DFL);
    if (request->input >= 0)
        dup2(request->input, STDIN_FILENO);
    int error, complaints = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    if (request->output >= 0) {
        dup2(request->output, STDOUT_FILENO);
        dup2(request->output, STDERR_FILENO);
    }
    execvp(request->arguments[0], request->arguments);
    error = errno;
    if (complaints >= 0)
        dup2(complaints, STDERR_FILENO);
    cli_warn("%s: %s", request->arguments[0], strerror(error));
    _exit(error == ENOENT ? 127 : 126);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* ---- limits ---- */

static uint64_t resident_bytes(pid_t pid)
{
    char path[48], text[64] = "";
    unsigned long pages = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    int statm = open(path, O_RDONLY | O_CLOEXEC);
    if (statm < 0)
        return 0;
    ssize_t got = read(statm, text, sizeof text - 1);
    close(statm);
    if (got <= 0 || sscanf(text, "%*u %lu", &pages) != 1)
        return 0;
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static enum counted_end over(const struct counted_request *request, pid_t pid, uint64_t ran_ns)
{
    if (request->limit_ns && ran_ns >= request->limit_ns)
        return COUNTED_OVER_TIME;
    if (!request->limit_bytes)
        return COUNTED_ENDED;
    if (resident_bytes(pid) > request->limit_bytes)
        return COUNTED_OVER_MEMORY;
    unsigned used = request->count ? asked_for() : 0;
    for (unsigned i = 0; i < used && i < COUNTS_PROCESSES; i++)
        if (counted_record(i)->pid > 0 &&
            resident_bytes(counted_record(i)->pid) > request->limit_bytes)
            return COUNTED_OVER_MEMORY;
    return COUNTED_ENDED;
}

/* The processes that the killed one leaves become our children (PR_SET_CHILD_SUBREAPER). */
static void kill_orphans(void)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    for (int child = 1, rounds = 0; child > 0 && rounds < 100000; rounds++) {
        FILE *children = fopen(path, "re");
        if (!children || fscanf(children, "%d", &child) != 1)
            child = 0;
        if (children)
            fclose(children);
        if (child > 0 && kill(child, SIGKILL) == 0)
            waitpid(child, NULL, 0);
    }
}

static void wait_for(const struct counted_request *request, pid_t pid, uint64_t began,
                     struct counted *counted)
{
    const struct timespec pause = {.tv_nsec = WATCH_NS};
    bool limited = request->limit_ns || request->limit_bytes;
    for (;;) {
        pid_t got = wait4(pid, &counted->status, limited ? WNOHANG : 0, &counted->usage);
        if (got == pid || (got < 0 && errno != EINTR))
            return;
        if (!limited)
            continue;
        counted->end = over(request, pid, now_ns() - began);
        if (counted->end == COUNTED_ENDED) {
            nanosleep(&pause, NULL);
            continue;
        }
        kill(pid, SIGKILL);
        while (wait4(pid, &counted->status, 0, &counted->usage) < 0 && errno == EINTR)
            ;
        kill_orphans();
        return;
    }
}

/* ---- the sums ---- */

void counted_sum(const struct counts_process *process, struct counts_thread *ret_sum)
{
    *ret_sum = (struct counts_thread){0};
    for (unsigned i = 0; i <= COUNTS_THREADS && i < process->threads; i++) {
        const struct counts_thread *thread = &process->thread[i];
        uint64_t low = ret_sum->heap_sum_low;
        ret_sum->allocations += thread->allocations;
        ret_sum->frees += thread->frees;
        ret_sum->reallocs += thread->reallocs;
        ret_sum->failed += thread->failed;
        ret_sum->bytes_in += thread->bytes_in;
        ret_sum->bytes_out += thread->bytes_out;
        ret_sum->heap_sum_low += thread->heap_sum_low;
        ret_sum->heap_sum_high += thread->heap_sum_high + (ret_sum->heap_sum_low < low);
    }
}

double counted_calls(const struct counts_thread *sum)
{
    return (double)(sum->allocations + sum->frees + sum->reallocs + sum->failed);
}

double counted_heap_sum(const struct counts_thread *sum)
{
    return (double)sum->heap_sum_high * 0x1p64 + (double)sum->heap_sum_low;
}

static void add_up(struct counted *counted, pid_t pid)
{
    struct counted_heap *heap = &counted->heap;
    double calls = 0, total = 0;
    unsigned used = asked_for(), unknown = 0, sampled = 0;
    counted->records = used < COUNTS_PROCESSES ? used : COUNTS_PROCESSES;
    heap->uncounted = used - counted->records;
    for (unsigned i = 0; i < counted->records; i++) {
        const struct counts_process *process = counted_record(i);
        struct counts_thread sum;
        counted_sum(process, &sum);
        heap->processes++;
        heap->threads += process->threads;
        unknown += process->heap == COUNTS_HEAP_UNKNOWN;
        sampled += process->heap == COUNTS_HEAP_SAMPLED;
        heap->known = (enum counts_heap)process->heap;
        heap->allocations += sum.allocations;
        heap->frees += sum.frees;
        heap->reallocs += sum.reallocs;
        heap->failed += sum.failed;
        heap->break_moves += process->break_moves;
        heap->mappings += process->mappings;
        heap->splits += process->splits;
        heap->coalesces += process->coalesces;
        if (process->held_most > 0 && (uint64_t)process->held_most > heap->largest_bytes)
            heap->largest_bytes = (uint64_t)process->held_most;
        total += counted_heap_sum(&sum);
        calls += counted_calls(&sum);
        if (process->pid != pid)
            continue;
        heap->found = true;
        heap->left_early = !process->end;
        heap->live_blocks = (int64_t)(process->inherited_blocks + sum.allocations - sum.frees);
        heap->live_bytes = (int64_t)(process->inherited_bytes + sum.bytes_in - sum.bytes_out);
    }
    if (unknown || sampled)
        heap->known = unknown ? COUNTS_HEAP_UNKNOWN : COUNTS_HEAP_SAMPLED;
    heap->mean_bytes = calls > 0 ? total / calls : NAN;
}

void counted_run(const struct counted_request *request, struct counted *ret_counted)
{
    *ret_counted = (struct counted){0};
    if (request->count)
        open_file();
    if (request->own)
        own_stats_open(request->allocator);
    void (*interrupt)(int) = signal(SIGINT, SIG_IGN); /* the program's; what it cost is told */
    void (*quit)(int) = signal(SIGQUIT, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    if (request->limit_ns || request->limit_bytes)
        prctl(PR_SET_CHILD_SUBREAPER, 1);
    fflush(NULL);
    uint64_t began = now_ns();
    pid_t pid = fork();
    if (pid == 0)
        become(request);
    if (pid < 0)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "cannot start %s: %s", request->arguments[0],
                strerror(errno));
    wait_for(request, pid, began, ret_counted);
    ret_counted->wall_seconds = (double)(now_ns() - began) / 1e9;
    signal(SIGINT, interrupt);
    signal(SIGQUIT, quit);
    ret_counted->heap.mean_bytes = NAN;
    if (request->count)
        add_up(ret_counted, pid);
}

int counted_exit_status(const struct counted *counted)
{
    if (counted->end != COUNTED_ENDED)
        return counted->end == COUNTED_OVER_TIME ? COUNTED_EXIT_TIME : COUNTED_EXIT_MEMORY;
    return WIFSIGNALED(counted->status) ? 128 + WTERMSIG(counted->status)
                                        : WEXITSTATUS(counted->status);
}

const char *counted_known_word(const struct counted_heap *heap)
{
    switch (heap->known) {
    case COUNTS_HEAP_LIBC:
    case COUNTS_HEAP_TOLD:
        return "exact";
    case COUNTS_HEAP_SAMPLED:
        return "sampled";
    default:
        return "unknown";
    }
}
