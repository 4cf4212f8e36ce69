#include "recorder/collector/finish.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "traces/cli.h"
#include "traces/resolve.h"
#include "traces/symbolize.h"

struct job {
    struct job *next;
    char raw_path[PATH_MAX], tape_path[PATH_MAX];
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    bool started, ending;
    struct finish_options options;
    struct symbolizer *symbolizer; /* of the thread; made when first needed */
    struct job *first, **last;
    uint32_t waiting;
    uint64_t done_bytes, all_bytes; /* of the one at hand */
    struct finish_totals totals;
} finish = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void show_progress(void *context, uint64_t done_bytes, uint64_t all_bytes)
{
    (void)context;
    __atomic_store_n(&finish.done_bytes, done_bytes, __ATOMIC_RELAXED);
    __atomic_store_n(&finish.all_bytes, all_bytes, __ATOMIC_RELAXED);
}

static enum tape_status resolve_to(const struct job *job, const char *tape_path,
                                   struct resolve_stats *ret_stats, struct tape_error *error)
{
    const struct finish_options *asked = &finish.options;
    struct resolve_options how = {.progress = show_progress,
                                  .start = asked->start,
                                  .stop = asked->stop,
                                  .start_text = asked->start_text,
                                  .stop_text = asked->stop_text};
    if (asked->with_sites && !finish.symbolizer)
        finish.symbolizer = symbolizer_new();
    if (finish.symbolizer) {
        how.find_symbol = symbolizer_find;
        how.symbol_context = finish.symbolizer;
    }
    return tape_resolve(job->raw_path, tape_path, &how, ret_stats, error);
}

/*
 * On a full disk the raw tape itself is in the way. The tape, a tenth of its size, is made in
 * memory, and takes the raw tape's place.
 */
static enum tape_status resolve_in_memory(const struct job *job, struct resolve_stats *ret_stats,
                                          struct tape_error *error)
{
    char path[48], buffer[65536];
    int memory = memfd_create("heaptape-tape", MFD_CLOEXEC);
    if (memory < 0)
        return error->status;
    snprintf(path, sizeof path, "/proc/self/fd/%d", memory);
    enum tape_status status = resolve_to(job, path, ret_stats, error);
    int out = -1;
    if (status == TAPE_OK && unlink(job->raw_path) == 0)
        out = open(job->tape_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    ssize_t bytes = 0;
    for (off_t at = 0; out >= 0 && (bytes = pread(memory, buffer, sizeof buffer, at)) > 0;
         at += bytes)
        if (write(out, buffer, (size_t)bytes) != bytes) {
            bytes = -1;
            break;
        }
    if (status == TAPE_OK && (out < 0 || bytes < 0))
        status = tape_error_set(error, TAPE_SYSTEM, UINT64_MAX, "%s: %s", job->tape_path,
                                strerror(errno));
    if (out >= 0)
        close(out);
    close(memory);
    return status;
}

static void add_totals(const struct job *job, const struct resolve_stats *stats)
{
    struct finish_totals *totals = &finish.totals;
    totals->tapes++;
    totals->events += stats->written;
    totals->live_twice += stats->live_twice;
    totals->foreign_frees += stats->foreign_frees;
    if (stats->peak_resident < totals->largest.peak_resident)
        return;
    totals->largest.peak_resident = stats->peak_resident;
    totals->largest.peak_requested = stats->peak_requested;
    totals->largest.window_begun = stats->window_begun;
    snprintf(totals->largest.path, sizeof totals->largest.path, "%s", job->tape_path);
}

static void resolve(const struct job *job)
{
    struct resolve_stats stats = {0};
    struct tape_error error;
    struct stat file;
    enum tape_status status = resolve_to(job, job->tape_path, &stats, &error);
    if (status == TAPE_SYSTEM && !finish.options.keep_raw)
        status = resolve_in_memory(job, &stats, &error);
    if (status != TAPE_OK) {
        finish.totals.failed++;
        cli_warn("%s; what was recorded is in %s: make room, then heaptape trace resolve %s",
                 error.message, job->raw_path, job->raw_path);
        return;
    }
    add_totals(job, &stats);
    if (stat(job->tape_path, &file) == 0)
        finish.totals.bytes += (uint64_t)file.st_size;
    if (!finish.options.keep_raw)
        unlink(job->raw_path);
}

static void *work(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&finish.lock);
    for (;;) {
        while (!finish.first && !finish.ending)
            pthread_cond_wait(&finish.changed, &finish.lock);
        struct job *job = finish.first;
        if (!job)
            break;
        finish.first = job->next;
        if (!finish.first)
            finish.last = &finish.first;
        pthread_mutex_unlock(&finish.lock);
        resolve(job);
        free(job);
        pthread_mutex_lock(&finish.lock);
        finish.waiting--;
    }
    pthread_mutex_unlock(&finish.lock);
    struct rusage usage;
    if (getrusage(RUSAGE_THREAD, &usage) == 0)
        finish.totals.cpu_seconds = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                                    (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    return NULL;
}

void finish_begin(struct finish_options options)
{
    finish.options = options;
    finish.last = &finish.first;
}

static void start_thread(void)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
    finish.started = pthread_create(&finish.thread, NULL, work, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void finish_add(const char *raw_path, const char *tape_path)
{
    struct job *job = calloc(1, sizeof *job);
    if (!job) {
        cli_warn("%s: no memory; resolve it with heaptape trace resolve", raw_path);
        return;
    }
    snprintf(job->raw_path, sizeof job->raw_path, "%s", raw_path);
    snprintf(job->tape_path, sizeof job->tape_path, "%s", tape_path);
    pthread_mutex_lock(&finish.lock);
    *finish.last = job;
    finish.last = &job->next;
    finish.waiting++;
    if (!finish.started)
        start_thread();
    pthread_cond_signal(&finish.changed);
    pthread_mutex_unlock(&finish.lock);
}

uint32_t finish_waiting(void)
{
    pthread_mutex_lock(&finish.lock);
    uint32_t waiting = finish.waiting;
    pthread_mutex_unlock(&finish.lock);
    return waiting;
}

static void watch(void)
{
    struct timespec pause = {0, 100000000};
    bool shown = false;
    for (uint32_t waiting; (waiting = finish_waiting()) > 0;) {
        nanosleep(&pause, NULL);
        uint64_t done = __atomic_load_n(&finish.done_bytes, __ATOMIC_RELAXED);
        uint64_t all = __atomic_load_n(&finish.all_bytes, __ATOMIC_RELAXED);
        fprintf(stderr, "\rheaptape record: resolving, %u to go, %3u %% ", waiting,
                all ? (unsigned)(done * 100 / all) : 0);
        shown = true;
    }
    if (shown)
        fputs("\r\033[K", stderr);
}

struct finish_totals finish_end(bool progress)
{
    if (progress)
        watch();
    pthread_mutex_lock(&finish.lock);
    finish.ending = true;
    pthread_cond_signal(&finish.changed);
    bool started = finish.started;
    pthread_mutex_unlock(&finish.lock);
    if (started)
        pthread_join(finish.thread, NULL);
    else if (finish.first) /* no thread could be had */
        work(NULL);
    return finish.totals;
}
