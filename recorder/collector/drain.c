#include "recorder/collector/drain.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <x86intrin.h>

#include "recorder/collector/finish.h"
#include "recorder/collector/samples.h"

/* A pass ends after so many records, or so much time. */
#define PASS_WORDS (UINT64_C(256) << 10)
#define PASS_NS    UINT64_C(100000000)
/* Samples of a process are at least so far apart; see sample(). */
#define SAMPLE_NS      UINT64_C(100000000)
#define SAMPLE_SOON_NS UINT64_C(10000000)

/* A raw tape with so many words is long enough to be resolved while it is written. */
#define FOLLOW_WORDS (UINT64_C(4) << 20)

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* What this thread has worked, so that a busy machine does not make a sample look dear. */
static uint64_t worked_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t stamp(void)
{
    _mm_lfence();
    uint64_t tsc = __rdtsc();
    _mm_lfence();
    return tsc;
}

/* ---- endings ---------------------------------------------------------------------------------
 */

static void look_for_root(struct drain *drain)
{
    int status;
    if (drain->root_ended || waitpid(drain->root, &status, WNOHANG) != drain->root)
        return;
    drain->root_ended = true;
    drain->root_wait_status = status;
}

static bool has_ended(const struct drain *drain, const struct recorded *process)
{
    if (process->pid == (uint32_t)drain->root)
        return drain->root_ended;
    struct pollfd poll_end = {process->pidfd, POLLIN, 0};
    if (process->pidfd >= 0)
        return poll(&poll_end, 1, 0) > 0;
    return kill((pid_t)process->pid, 0) && errno == ESRCH;
}

/*
 * How a process ended that is not our child: a zombie shows it until its parent has waited, newer
 * kernels keep it for whoever has a pidfd, and an exit that the preload saw is told by itself.
 */
static bool find_wait_status(struct recorded *process)
{
    const struct ring_chunk *chunk = process->chunks[0].shared;
    if (samples_exit_status(process->pid, &process->wait_status) ||
        samples_pidfd_status(process->pidfd, &process->wait_status))
        return true;
    process->wait_status = (int)(chunk->ended_status & 0xff) << 8;
    return chunk->ended_how == RING_ENDED_EXIT;
}

static void look_for_endings(struct drain *drain)
{
    look_for_root(drain);
    for (struct recorded *process = drain->list->first; process; process = process->next) {
        if (process->closed || process->end != RECORDED_LIVES || !has_ended(drain, process))
            continue;
        process->end = RECORDED_EXITED;
        process->wait_status = drain->root_wait_status;
        process->wait_known = process->pid == (uint32_t)drain->root || find_wait_status(process);
    }
}

/* ---- beginnings ------------------------------------------------------------------------------
 */

static void begin_process(struct drain *drain, uint32_t index)
{
    struct ring_chunk *chunk = session_chunk(drain->session, index);
    if (!chunk)
        return;
    struct recorded *before = recorded_find(drain->list, chunk->pid);
    if (before && before->end == RECORDED_LIVES)
        before->end = RECORDED_EXECED;
    if (recorded_begin(drain->list, drain->session, index))
        drain->seen[index] = 1;
}

static struct recorded *owner_of(struct recorded_list *list, uint32_t first)
{
    for (struct recorded *process = list->first; process; process = process->next)
        if (!process->closed && process->chunk_count && process->chunks[0].index == first)
            return process;
    return NULL;
}

static void add_chunk(struct drain *drain, uint32_t index)
{
    struct ring_chunk *chunk = session_chunk(drain->session, index);
    struct recorded *process = chunk ? owner_of(drain->list, chunk->first) : NULL;
    drain->seen[index] = process && recorded_add_chunk(process, drain->session, index);
}

static void add_sites(struct drain *drain, uint32_t index)
{
    struct ring_sites *table = (struct ring_sites *)(void *)session_chunk(drain->session, index);
    struct recorded *process = table ? owner_of(drain->list, table->first) : NULL;
    if (process)
        process->sites = (struct call_sites){.table = table, .chunk = index};
    drain->seen[index] = process != NULL;
}

static bool is_new(const struct drain *drain, uint32_t index, enum ring_chunk_state wanted)
{
    const struct ring_session *shared = drain->session->shared;
    uint64_t word = atomic_load_explicit(&shared->chunk[index], memory_order_acquire);
    return !drain->seen[index] && RING_CHUNK_STATE(word) == wanted;
}

static uint32_t chunks_used(const struct drain *drain)
{
    uint32_t used = atomic_load(&drain->session->shared->chunks_used);
    return used < drain->session->chunks_limit ? used : drain->session->chunks_limit;
}

static void look_for_chunks(struct drain *drain, enum ring_chunk_state wanted)
{
    struct ring_session *shared = drain->session->shared;
    for (uint32_t i = 0; i < chunks_used(drain); i++) {
        if (!is_new(drain, i, wanted))
            continue;
        uint64_t word = atomic_load_explicit(&shared->chunk[i], memory_order_acquire);
        if (wanted == RING_CHUNK_MORE)
            add_chunk(drain, i);
        else if (wanted == RING_CHUNK_SITES)
            add_sites(drain, i);
        else if (kill((pid_t)RING_CHUNK_PID(word), 0) && errno == ESRCH && is_new(drain, i, wanted))
            session_free_chunk(drain->session, i); /* killed while it filled it in */
    }
}

/* The chunk of the new process of the lowest order; UINT32_MAX: there is none. */
static uint32_t find_first_process(struct drain *drain)
{
    uint32_t used = chunks_used(drain), first = UINT32_MAX, first_order = UINT32_MAX;
    for (uint32_t i = 0; i < used; i++) {
        if (!is_new(drain, i, RING_CHUNK_PROCESS))
            continue;
        struct ring_chunk *chunk = session_chunk(drain->session, i);
        if (chunk && chunk->order <= first_order) {
            first = i;
            first_order = chunk->order;
        }
    }
    return first;
}

/*
 * In the order of their beginning, whatever chunks they got: of a process that has called exec
 * since the last round both images are new, and the earlier one is the one that has ended. A
 * second look finds the earlier image of whatever the first one found, since that was shown
 * before the later one was given its order.
 */
static void look_for_processes(struct drain *drain)
{
    while (find_first_process(drain) != UINT32_MAX) {
        uint32_t index = find_first_process(drain);
        begin_process(drain, index);
        if (!drain->seen[index]) /* no memory for it: tried again in the next round */
            return;
    }
}

static void look_for_beginnings(struct drain *drain)
{
    look_for_chunks(drain, RING_CHUNK_CLAIMED);
    look_for_processes(drain); /* before the chunks that belong to them */
    look_for_chunks(drain, RING_CHUNK_MORE);
    look_for_chunks(drain, RING_CHUNK_SITES);
}

/* ---- draining --------------------------------------------------------------------------------
 */

/* What the lane published between tail and head, in two pieces where it wraps around. */
static void put_range(const struct drain *drain, struct recorded *process, uint32_t number,
                      const uint64_t *ring, uint64_t tail, uint64_t head)
{
    uint64_t at = tail & (RING_WORDS - 1), count = head - tail;
    uint64_t first = RING_WORDS - at < count ? RING_WORDS - at : count;
    struct tape_error error;
    if (drain->stop.unit != WINDOW_NEVER)
        raw_words_tally(&process->tally, ring + at, first, ring, count - first);
    if (process->writer && raw_writer_put_words(process->writer, number, ring + at, first, ring,
                                                count - first, &error) != TAPE_OK)
        recorded_cut(process, error.message);
}

static uint64_t drain_lane(const struct drain *drain, struct recorded *process,
                           struct recorded_chunk *chunk, uint32_t i)
{
    struct ring_lane *lane = &chunk->shared->lane[i];
    uint32_t state = atomic_load_explicit(&lane->state, memory_order_acquire);
    if (state == RING_LANE_FREE)
        return 0;
    uint32_t use = atomic_load_explicit(&lane->use, memory_order_relaxed);
    if (use != chunk->lane[i].use)
        chunk->lane[i] = (struct recorded_lane){use, process->lane_count++};
    uint64_t head = atomic_load_explicit(&lane->head, memory_order_acquire);
    uint64_t tail = atomic_load_explicit(&lane->tail, memory_order_relaxed);
    if (head - tail > RING_WORDS) {
        recorded_cut(process, "the program wrote over the recorder's memory");
        return 0;
    }
    if (head != tail) {
        put_range(drain, process, chunk->lane[i].number, ring_lane_words(chunk->shared, i), tail,
                  head);
        atomic_store(&lane->tail, head);
        if (atomic_exchange(&lane->waiting, 0))
            session_wake(&lane->waiting);
    }
    if (state == RING_LANE_ENDED) {
        atomic_store(&lane->head, 0);
        atomic_store(&lane->tail, 0);
        atomic_store_explicit(&lane->state, RING_LANE_FREE, memory_order_release);
    }
    return head - tail;
}

static void drain_process(const struct drain *drain, struct recorded *process,
                          struct drain_round *round)
{
    uint64_t words = 0, lost_events = 0, lost_threads = 0;
    for (uint32_t c = 0; c < process->chunk_count; c++) {
        struct recorded_chunk *chunk = &process->chunks[c];
        uint32_t lanes = chunk->shared->lanes;
        for (uint32_t i = 0; i < lanes && i < RING_CHUNK_LANES; i++) {
            uint64_t drained = drain_lane(drain, process, chunk, i);
            words += drained;
            if (drained > round->fullest)
                round->fullest = drained;
        }
        lost_events += atomic_load_explicit(&chunk->shared->lost_events, memory_order_relaxed);
        lost_threads += atomic_load_explicit(&chunk->shared->lost_threads, memory_order_relaxed);
    }
    process->lost_events = lost_events;
    process->lost_threads = lost_threads;
    process->words += words;
    process->pass_words += words;
    round->words += words;
}

/* ---- passes and samples ----------------------------------------------------------------------
 */

/*
 * A pass says: whatever is keyed before T stands before its mark. Records without a stamp carry the
 * key of an older one, so a record could be published after its lane was read, and one that depends
 * on it get onto another lane which is read a moment later with a key before T. Hence, after T is
 * taken and before any head is read, every lane's limit becomes 0: what is recorded after that
 * moment looks up first and gets a stamp later than T, and what depends on a record that we missed
 * is recorded after that moment. (A producer that sets its limit itself meanwhile takes its stamp
 * behind a full fence after that, so that stamp is later than T too.)
 */
static uint64_t begin_pass(const struct recorded *process)
{
    uint64_t tsc = stamp();
    for (uint32_t c = 0; c < process->chunk_count; c++)
        for (uint32_t i = 0; i < RING_CHUNK_LANES; i++) {
            struct ring_lane *lane = &process->chunks[c].shared->lane[i];
            if (atomic_load_explicit(&lane->state, memory_order_acquire) == RING_LANE_LIVE)
                atomic_store_explicit(&lane->limit, 0, memory_order_relaxed);
        }
    atomic_thread_fence(memory_order_seq_cst);
    return tsc;
}

static bool pass_is_due(const struct recorded *process, uint64_t now)
{
    return process->pass_words >= PASS_WORDS ||
           (process->pass_words && now - process->pass_ns >= PASS_NS);
}

static void put_sites(struct recorded *process, bool last)
{
    struct tape_error error;
    if (process->writer &&
        call_sites_write(&process->sites, process->writer, last, &error) != TAPE_OK)
        recorded_cut(process, error.message);
}

static void end_pass(struct recorded *process, uint64_t now)
{
    struct tape_error error;
    process->pass_words = 0;
    process->pass_ns = now;
    put_sites(process, false);
    if (process->writer && raw_writer_pass(process->writer, process->pass_tsc, &error) != TAPE_OK)
        recorded_cut(process, error.message);
}

/* Our own rings are in the process's resident size; they are taken out by what was touched. */
static uint64_t ring_bytes_touched(const struct recorded *process)
{
    uint64_t bytes = 0;
    for (uint32_t c = 0; c < process->chunk_count; c++)
        for (uint32_t i = 0; i < RING_CHUNK_LANES; i++) {
            uint64_t head = atomic_load_explicit(&process->chunks[c].shared->lane[i].head,
                                                 memory_order_relaxed);
            uint64_t words = head < RING_WORDS ? head : RING_WORDS;
            bytes += (words * sizeof(uint64_t) + 4095) / 4096 * 4096;
        }
    return bytes;
}

/* `tsc`: the moment at which resident was read, which places the sample among the events. */
static void put_sample(struct recorded *process, uint64_t now, uint64_t tsc)
{
    struct tape_sample taken = {
        .time_ns = now - process->started_ns,
        .resident_bytes = process->sample_resident,
        .held_bytes = process->sample_held,
    };
    struct tape_error error;
    if (process->writer && raw_writer_sample(process->writer, tsc, &taken, &error) != TAPE_OK)
        recorded_cut(process, error.message);
    process->sample_ns = now;
}

/*
 * Ten times a second; at once when resident has changed by 3 % since the last, but not within
 * 10 ms of it nor so that samples would take more than a fiftieth of the time.
 */
static void sample(struct recorded *process)
{
    uint64_t resident, now = now_ns(), age = now - process->sample_ns;
    if (process->sample_ns && (age < SAMPLE_SOON_NS || age < 50 * process->sample_cost_ns))
        return;
    uint64_t begin = worked_ns();
    if (!samples_resident(process->pid, &resident) || !resident)
        return; /* it is ending; the last sample will be what was seen before */
    uint64_t tsc = stamp();
    uint64_t own = ring_bytes_touched(process), before = process->sample_resident;
    resident = resident > own ? resident - own : 0;
    uint64_t change = resident > before ? resident - before : before - resident;
    if (process->sample_ns && age < SAMPLE_NS && change <= before / 32)
        return;
    process->sample_resident = resident;
    process->sample_held = samples_held(process->pid);
    put_sample(process, now, tsc);
    process->sample_cost_ns = worked_ns() - begin;
}

/* ---- the round -------------------------------------------------------------------------------
 */

static bool is_reached(const struct recorded *process, struct window_limit limit, uint64_t now)
{
    switch (limit.unit) {
    case WINDOW_EVENTS:
        return process->tally.events >= limit.value;
    case WINDOW_BYTES:
        return process->tally.bytes >= limit.value;
    case WINDOW_NS:
        return now - process->started_ns >= limit.value;
    default:
        return false;
    }
}

/* The exact end is found when the raw tape is resolved. */
static void heed_limit(struct recorded *process, struct window_limit limit, uint64_t now)
{
    if (process->stopped || !is_reached(process, limit, now))
        return;
    process->stopped = true;
    for (uint32_t c = 0; c < process->chunk_count; c++)
        atomic_store(&process->chunks[c].shared->stop, 1);
}

bool drain_has_stopped(const struct drain *drain)
{
    for (const struct recorded *process = drain->list->first; process; process = process->next)
        if (!process->closed && process->end == RECORDED_LIVES && !process->stopped)
            return false;
    return true;
}

static void close_process(struct drain *drain, struct recorded *process)
{
    put_sample(process, now_ns(), stamp()); /* as last seen; its time is the end */
    put_sites(process, true);
    for (uint32_t c = 0; c < process->chunk_count; c++)
        drain->seen[process->chunks[c].index] = 0;
    if (process->sites.table)
        drain->seen[process->sites.chunk] = 0;
    recorded_close(drain->list, drain->session, process);
}

struct drain_round drain_round(struct drain *drain)
{
    struct drain_round round = {0, 0};
    look_for_endings(drain);
    uint64_t now = now_ns();
    for (struct recorded *process = drain->list->first; process; process = process->next)
        process->pass_tsc = !process->closed && pass_is_due(process, now) ? begin_pass(process) : 0;
    look_for_beginnings(drain); /* new processes, and further chunks of those we have */
    for (struct recorded *process = drain->list->first; process; process = process->next) {
        if (process->closed)
            continue;
        drain_process(drain, process, &round);
        heed_limit(process, drain->stop, now);
        if (process->pass_tsc)
            end_pass(process, now);
        if (process->end == RECORDED_LIVES && process->words >= FOLLOW_WORDS &&
            !process->follower && process->writer)
            process->follower = finish_follow(process->raw_path);
        if (process->end == RECORDED_LIVES)
            sample(process);
        else
            close_process(drain, process);
    }
    return round;
}

void drain_detach(struct drain *drain)
{
    session_close(drain->session);
    for (struct recorded *process = drain->list->first; process; process = process->next)
        if (!process->closed && process->end == RECORDED_LIVES)
            process->end = RECORDED_DETACHED;
    drain_round(drain);
}
