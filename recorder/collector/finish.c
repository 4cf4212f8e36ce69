#include "recorder/collector/finish.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
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

enum { FOLLOWED_MAX = 2, LOOK_AGAIN_NS = 20000000 };

struct finish_job {
    struct finish_job *next;
    char raw_path[PATH_MAX], tape_path[PATH_MAX];
    struct symbolizer *symbolizer; /* of its thread; made when first needed */
    /* Of a raw tape that is followed while it is written. */
    bool followed, closed;                           /* closed: under the lock */
    bool told;                                       /* its thread knows that it is closed */
    char early_path[PATH_MAX], early_tape[PATH_MAX]; /* the names at the beginning */
    pthread_t thread;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    bool started, ending;
    struct finish_options options;
    struct symbolizer *symbolizer; /* of `thread`, between its jobs */
    uint32_t followed;             /* jobs that have a thread of their own */
    struct finish_job *first, **last;
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

/* More may come as long as the raw tape is not closed, and once more after that. */
static bool wait_for_more(void *context)
{
    struct finish_job *job = context;
    struct timespec pause = {0, LOOK_AGAIN_NS};
    pthread_mutex_lock(&finish.lock);
    bool closed = job->closed;
    pthread_mutex_unlock(&finish.lock);
    if (closed)
        return job->told ? false : (job->told = true);
    nanosleep(&pause, NULL);
    return true;
}

static enum tape_status resolve_to(struct finish_job *job, const char *raw_path,
                                   const char *tape_path, struct resolve_stats *ret_stats,
                                   struct tape_error *error)
{
    const struct finish_options *asked = &finish.options;
    struct resolve_options how = {.progress = show_progress,
                                  .more = job->followed ? wait_for_more : NULL,
                                  .more_context = job,
                                  .start = asked->start,
                                  .stop = asked->stop,
                                  .start_text = asked->start_text,
                                  .stop_text = asked->stop_text};
    if (asked->with_sites && !job->symbolizer)
        job->symbolizer = symbolizer_new();
    if (job->symbolizer) {
        how.find_symbol = symbolizer_find;
        how.symbol_context = job->symbolizer;
    }
    return tape_resolve(raw_path, tape_path, &how, ret_stats, error);
}

/*
 * On a full disk the raw tape itself is in the way. The tape, a tenth of its size, is made in
 * memory, and takes the raw tape's place.
 */
static enum tape_status resolve_in_memory(struct finish_job *job, struct resolve_stats *ret_stats,
                                          struct tape_error *error)
{
    char path[48], buffer[65536];
    int memory = memfd_create("heaptape-tape", MFD_CLOEXEC);
    if (memory < 0)
        return error->status;
    snprintf(path, sizeof path, "/proc/self/fd/%d", memory);
    enum tape_status status = resolve_to(job, job->raw_path, path, ret_stats, error);
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

static void add_totals(const struct finish_job *job, const struct resolve_stats *stats)
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

/* What a job whose status is known leaves behind. */
static void conclude(struct finish_job *job, enum tape_status status, struct resolve_stats *stats,
                     struct tape_error *error)
{
    struct stat file;
    if (status == TAPE_SYSTEM && !finish.options.keep_raw)
        status = resolve_in_memory(job, stats, error);
    if (status != TAPE_OK) {
        pthread_mutex_lock(&finish.lock);
        finish.totals.failed++;
        pthread_mutex_unlock(&finish.lock);
        cli_warn("%s; what was recorded is in %s: make room, then heaptape trace resolve %s",
                 error->message, job->raw_path, job->raw_path);
        return;
    }
    pthread_mutex_lock(&finish.lock);
    add_totals(job, stats);
    if (stat(job->tape_path, &file) == 0)
        finish.totals.bytes += (uint64_t)file.st_size;
    pthread_mutex_unlock(&finish.lock);
    if (!finish.options.keep_raw)
        unlink(job->raw_path);
}

static void resolve(struct finish_job *job)
{
    struct resolve_stats stats = {0};
    struct tape_error error;
    enum tape_status status = resolve_to(job, job->raw_path, job->tape_path, &stats, &error);
    conclude(job, status, &stats, &error);
}

static void add_cpu_time(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_THREAD, &usage))
        return;
    pthread_mutex_lock(&finish.lock);
    finish.totals.cpu_seconds += (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                                 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    pthread_mutex_unlock(&finish.lock);
}

/* ---- one after the other -----------------------------------------------------------------------
 */

static void *work(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&finish.lock);
    for (;;) {
        while (!finish.first && !finish.ending)
            pthread_cond_wait(&finish.changed, &finish.lock);
        struct finish_job *job = finish.first;
        if (!job)
            break;
        finish.first = job->next;
        if (!finish.first)
            finish.last = &finish.first;
        pthread_mutex_unlock(&finish.lock);
        job->symbolizer = finish.symbolizer; /* it knows the libraries already */
        resolve(job);
        finish.symbolizer = job->symbolizer;
        free(job);
        pthread_mutex_lock(&finish.lock);
        finish.waiting--;
    }
    pthread_mutex_unlock(&finish.lock);
    symbolizer_free(finish.symbolizer);
    add_cpu_time();
    return NULL;
}

void finish_begin(struct finish_options options)
{
    finish.options = options;
    finish.last = &finish.first;
}

static bool start_thread(pthread_t *ret_thread, void *(*run)(void *), void *argument)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
    bool started = pthread_create(ret_thread, NULL, run, argument) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

void finish_add(const char *raw_path, const char *tape_path)
{
    struct finish_job *job = calloc(1, sizeof *job);
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
        finish.started = start_thread(&finish.thread, work, NULL);
    pthread_cond_signal(&finish.changed);
    pthread_mutex_unlock(&finish.lock);
}

/* ---- while it is being written -----------------------------------------------------------------
 */

/* The names at the end are those that count; whoever follows has the file open. */
static void *follow(void *context)
{
    struct finish_job *job = context;
    struct resolve_stats stats = {0};
    struct tape_error error;
    struct sched_param none = {0};
    sched_setscheduler(0, SCHED_IDLE, &none);
    enum tape_status status = resolve_to(job, job->early_path, job->early_tape, &stats, &error);
    while (wait_for_more(job)) /* it may have failed before the end */
        ;
    sched_setscheduler(0, SCHED_OTHER, &none);
    if (status == TAPE_OK && rename(job->early_tape, job->tape_path))
        status = tape_error_set(&error, TAPE_SYSTEM, UINT64_MAX, "%s: %s", job->tape_path,
                                strerror(errno));
    if (status != TAPE_OK)
        unlink(job->early_tape);
    job->followed = false;
    conclude(job, status, &stats, &error);
    symbolizer_free(job->symbolizer);
    add_cpu_time();
    pthread_mutex_lock(&finish.lock);
    finish.waiting--;
    finish.followed--;
    pthread_cond_broadcast(&finish.changed);
    pthread_mutex_unlock(&finish.lock);
    free(job);
    return NULL;
}

struct finish_job *finish_follow(const char *raw_path)
{
    struct finish_job *job = NULL;
    pthread_mutex_lock(&finish.lock);
    if (finish.followed < FOLLOWED_MAX && (job = calloc(1, sizeof *job))) {
        job->followed = true;
        snprintf(job->early_path, sizeof job->early_path, "%s", raw_path);
        snprintf(job->early_tape, sizeof job->early_tape, "%.*s.part", PATH_MAX - 6, raw_path);
        if (start_thread(&job->thread, follow, job)) {
            pthread_detach(job->thread);
            finish.followed++;
            finish.waiting++;
        } else {
            free(job);
            job = NULL;
        }
    }
    pthread_mutex_unlock(&finish.lock);
    return job;
}

void finish_closed(struct finish_job *job, const char *raw_path, const char *tape_path)
{
    snprintf(job->raw_path, sizeof job->raw_path, "%s", raw_path);
    snprintf(job->tape_path, sizeof job->tape_path, "%s", tape_path);
    struct sched_param none = {0};
    pthread_setschedparam(job->thread, SCHED_OTHER, &none); /* now somebody waits for it */
    pthread_mutex_lock(&finish.lock);
    job->closed = true;
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
    pthread_mutex_lock(&finish.lock);
    while (finish.followed)
        pthread_cond_wait(&finish.changed, &finish.lock);
    pthread_mutex_unlock(&finish.lock);
    return finish.totals;
}
