#include "recorder/collector/recorded.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "recorder/collector/finish.h"
#include "recorder/collector/samples.h"
#include "traces/cli.h"

void recorded_list_init(struct recorded_list *list, const char *output)
{
    *list = (struct recorded_list){.output = output};
    list->last = &list->first;
}

struct recorded *recorded_find(struct recorded_list *list, uint32_t pid)
{
    for (struct recorded *process = list->first; process; process = process->next)
        if (process->pid == pid && !process->closed)
            return process;
    return NULL;
}

/* ---- names -----------------------------------------------------------------------------------
 */

void recorded_name(char *path, size_t bytes, const char *output, uint32_t pid, unsigned number)
{
    char middle[32];
    size_t stem = strlen(output);
    if (stem > 5 && strcmp(output + stem - 5, ".tape") == 0)
        stem -= 5;
    snprintf(middle, sizeof middle, number ? ".%u.%u" : ".%u", pid, number);
    snprintf(path, bytes, "%.*s%s.tape", (int)stem, output, middle);
}

static void set_paths(struct recorded *process, const char *tape_path)
{
    snprintf(process->tape_path, sizeof process->tape_path, "%s", tape_path);
    snprintf(process->raw_path, sizeof process->raw_path, "%.*s.raw", PATH_MAX - 5, tape_path);
}

/*
 * A process that becomes another program by exec leaves its name to that: the plain name is for
 * what the process is when it ends, since wrappers (env, nice, shell scripts) come before the
 * program that is meant. What it was before is numbered from 1.
 */
static void make_way(struct recorded_list *list, struct recorded *before)
{
    char path[PATH_MAX], old[PATH_MAX];
    unsigned number = 1;
    recorded_name(path, sizeof path, list->output, before->pid, number);
    for (struct recorded *other = list->first; other; other = other->next)
        if (other->pid == before->pid && strcmp(other->tape_path, path) == 0) {
            recorded_name(path, sizeof path, list->output, before->pid, ++number);
            other = list->first;
        }
    snprintf(old, sizeof old, "%s", before->raw_path);
    set_paths(before, path);
    if (rename(old, before->raw_path) && before->writer)
        cli_warn("%s: cannot be renamed to %s: %s", old, before->raw_path, strerror(errno));
}

static void choose_paths(struct recorded_list *list, struct recorded *process)
{
    char path[PATH_MAX];
    unsigned older = 0; /* processes that had this pid: a number that was given out again */
    for (struct recorded *other = list->first; other; other = other->next) {
        if (other->pid != process->pid)
            continue;
        if (!other->closed) {
            snprintf(path, sizeof path, "%s", other->tape_path);
            make_way(list, other);
            set_paths(process, path);
            return;
        }
        older++;
    }
    if (process->order == 0) {
        set_paths(process, list->output);
        return;
    }
    recorded_name(path, sizeof path, list->output, process->pid, older ? older + 1 : 0);
    set_paths(process, path);
}

/* ---- metadata --------------------------------------------------------------------------------
 */

struct meta_list {
    struct tape_meta pair[24];
    size_t count;
};

static void add_meta(struct meta_list *meta, const char *key, const char *value)
{
    meta->pair[meta->count++] = (struct tape_meta){key, value};
}

/* The arguments as one text, as a person would type them without caring for quotes. */
static void join_arguments(const struct ring_chunk *chunk, char *text, size_t bytes)
{
    size_t length = chunk->arguments_bytes;
    if (length > sizeof chunk->arguments)
        length = sizeof chunk->arguments;
    size_t begin = strnlen(chunk->arguments, length); /* without the program's name */
    size_t used = 0;
    for (size_t i = begin + 1; i < length && used < bytes - 1; i++)
        text[used++] = chunk->arguments[i] ? chunk->arguments[i] : ' ';
    while (used && text[used - 1] == ' ')
        used--;
    text[used] = '\0';
}

static uint64_t unix_ns_of(uint64_t monotonic_ns)
{
    struct timespec now, monotonic;
    clock_gettime(CLOCK_REALTIME, &now);
    clock_gettime(CLOCK_MONOTONIC, &monotonic);
    uint64_t age =
        (uint64_t)monotonic.tv_sec * 1000000000 + (uint64_t)monotonic.tv_nsec - monotonic_ns;
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec - age;
}

static void open_raw_tape(struct recorded *process, const struct ring_chunk *chunk, bool attached)
{
    char pid[16], parent[16], order[16], depth[16], parent_order[16], started[24], arguments[16384];
    char program[sizeof chunk->program], allocator[sizeof chunk->allocator], kernel[160];
    struct utsname host;
    struct meta_list meta = {.count = 0};
    struct tape_error error;
    uname(&host);
    snprintf(program, sizeof program, "%s", chunk->program);
    snprintf(allocator, sizeof allocator, "%s", chunk->allocator);
    snprintf(pid, sizeof pid, "%u", process->pid);
    snprintf(parent, sizeof parent, "%u", process->parent_pid);
    snprintf(order, sizeof order, "%u", process->order);
    snprintf(parent_order, sizeof parent_order, "%u", process->parent_order);
    snprintf(started, sizeof started, "%llu", (unsigned long long)unix_ns_of(process->started_ns));
    snprintf(kernel, sizeof kernel, "%s %s", host.sysname, host.release);
    join_arguments(chunk, arguments, sizeof arguments);
    add_meta(&meta, "program", program);
    add_meta(&meta, "arguments", arguments);
    add_meta(&meta, "pid", pid);
    add_meta(&meta, "parent_pid", parent);
    add_meta(&meta, "start_order", order);
    if (process->parent_order != UINT32_MAX)
        add_meta(&meta, "parent_order", parent_order);
    add_meta(&meta, "began_by", attached ? "attach" : process->by_exec ? "exec" : "fork");
    if (attached)
        add_meta(&meta, "attached", "1"); /* it had blocks already */
    add_meta(&meta, "started_unix_ns", started);
    add_meta(&meta, "allocator", allocator);
    add_meta(&meta, "host", host.nodename);
    add_meta(&meta, "kernel", kernel);
    snprintf(depth, sizeof depth, "%u", process->site_depth);
    if (process->site_depth)
        add_meta(&meta, "site_depth", depth);
    add_meta(&meta, "tool", "heaptape record " HEAPTAPE_VERSION);
    if (raw_writer_open(process->raw_path, meta.pair, meta.count, &process->writer, &error) !=
        TAPE_OK)
        recorded_cut(process, error.message);
}

/* ---- life ------------------------------------------------------------------------------------
 */

bool recorded_add_chunk(struct recorded *process, struct session *session, uint32_t index)
{
    struct ring_chunk *shared = session_chunk(session, index);
    if (!shared)
        return false;
    size_t bytes = (process->chunk_count + 1) * sizeof *process->chunks;
    struct recorded_chunk *chunks = realloc(process->chunks, bytes);
    if (!chunks)
        return false;
    process->chunks = chunks;
    chunks[process->chunk_count] = (struct recorded_chunk){.index = index, .shared = shared};
    process->chunk_count++;
    return true;
}

struct recorded *recorded_begin(struct recorded_list *list, struct session *session, uint32_t index)
{
    struct recorded *process = calloc(1, sizeof *process);
    if (!process || !recorded_add_chunk(process, session, index)) {
        free(process);
        return NULL;
    }
    const struct ring_chunk *chunk = process->chunks[0].shared;
    process->pid = chunk->pid;
    process->parent_pid = chunk->parent_pid;
    process->order = chunk->order;
    process->parent_order = chunk->parent_order;
    process->by_exec = chunk->by_exec;
    process->site_depth = session->shared->site_depth;
    process->pooled_python = samples_is_pooled_python(process->pid);
    process->started_ns = chunk->started_ns;
    process->pidfd = (int)syscall(SYS_pidfd_open, process->pid, 0);
    choose_paths(list, process);
    open_raw_tape(process, chunk, list->attached && !process->order);
    *list->last = process;
    list->last = &process->next;
    list->count++;
    list->live++;
    return process;
}

void recorded_cut(struct recorded *process, const char *reason)
{
    if (!process->cut_reason[0])
        snprintf(process->cut_reason, sizeof process->cut_reason, "%s", reason);
    for (uint32_t i = 0; i < process->chunk_count; i++)
        atomic_store(&process->chunks[i].shared->stop, 1);
    struct tape_meta pair = {"cut_reason", process->cut_reason};
    struct raw_writer *writer = process->writer;
    process->writer = NULL;
    if (writer) /* what is on disk stays readable, whether or not this succeeds */
        raw_writer_close(writer, false, &pair, 1, NULL);
}

int recorded_shell_status(int wait_status)
{
    return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

static void close_raw_tape(struct recorded *process)
{
    char status[16], lost[96];
    struct meta_list meta = {.count = 0};
    struct tape_error error;
    if (process->end == RECORDED_EXECED) {
        add_meta(&meta, "ended_by", "exec");
    } else if (process->wait_known) {
        snprintf(status, sizeof status, "%d", recorded_shell_status(process->wait_status));
        add_meta(&meta, "exit_status", status);
    }
    bool complete = process->end != RECORDED_DETACHED;
    if (process->lost_events || process->lost_threads) {
        complete = false;
        snprintf(lost, sizeof lost, "%llu events and %llu threads could not be recorded",
                 (unsigned long long)process->lost_events,
                 (unsigned long long)process->lost_threads);
        add_meta(&meta, "cut_reason", lost);
    } else if (!complete) {
        add_meta(&meta, "cut_reason", "recording was ended while the process ran on");
    }
    struct raw_writer *writer = process->writer;
    process->writer = NULL;
    if (raw_writer_close(writer, complete, meta.pair, meta.count, &error) != TAPE_OK)
        snprintf(process->cut_reason, sizeof process->cut_reason, "%s", error.message);
}

void recorded_close(struct recorded_list *list, struct session *session, struct recorded *process)
{
    if (process->writer)
        close_raw_tape(process);
    if (process->cut_reason[0])
        cli_warn("%s: recording stopped early; the program was not disturbed", process->cut_reason);
    if (process->follower)
        finish_closed(process->follower, process->raw_path, process->tape_path);
    else if (access(process->raw_path, F_OK) == 0)
        finish_add(process->raw_path, process->tape_path);
    process->follower = NULL;
    bool gone = process->end == RECORDED_EXITED || process->end == RECORDED_EXECED;
    for (uint32_t i = 0; gone && i < process->chunk_count; i++)
        session_free_chunk(session, process->chunks[i].index);
    if (gone && process->sites.table)
        session_free_chunk(session, process->sites.chunk);
    process->sites.table = NULL;
    if (process->pidfd >= 0)
        close(process->pidfd);
    process->pidfd = -1;
    free(process->chunks);
    process->chunks = NULL;
    process->chunk_count = 0;
    process->closed = true;
    list->live--;
}
