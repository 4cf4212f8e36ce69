#include "recorder/preload/process.h"

#include <errno.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>
#include "recorder/preload/bootstrap.h"
#include "recorder/preload/environment.h"
#include "recorder/preload/next.h"
#include "recorder/preload/sites.h"
#include "recorder/preload/syscalls.h"

union wiped_pages wiped_pages;

/* Chunks of one process: as many lanes as an owner's 16 bits can name. */
enum { CHUNKS_MAX = 65535 / RING_CHUNK_LANES };

static struct {
    struct ring_session *session;
    uint32_t pid;      /* 0: not set up yet */
    uint32_t seen_pid; /* as the collector sees it: differs in a pid namespace */
    uint32_t order;
    bool off;      /* for good, children too */
    bool threaded; /* a second thread has had a lane */
    bool cramped;  /* no further chunk could be had: nobody waits long for a lane again */
    uint32_t chunks;
    struct ring_chunk *chunk[CHUNKS_MAX];
    uint64_t mapped_bytes[CHUNKS_MAX];
} process;

static void lock(uint64_t *ret_signals)
{
    raw_signals_block(ret_signals);
    uint32_t unlocked = 0;
    while (!atomic_compare_exchange_weak(&wiped.locked, &unlocked, 1)) {
        unlocked = 0;
        raw_yield();
    }
}

static void unlock(const uint64_t *signals)
{
    atomic_store_explicit(&wiped.locked, 0, memory_order_release);
    raw_signals_restore(signals);
}

static void sleep_a_little(void)
{
    struct timespec pause = {0, 500000};
    raw_call(SYS_nanosleep, (long)&pause, 0, 0, 0, 0, 0);
}

bool process_collector_gone(void)
{
    const int *word = &process.session->alive.__data.__lock;
    return __atomic_load_n(word, __ATOMIC_ACQUIRE) & (int)FUTEX_OWNER_DIED ||
           atomic_load(&process.session->closed);
}

void process_ring_doorbell(void)
{
    struct ring_session *session = process.session;
    if (!atomic_exchange(&session->sleeping, 0))
        return;
    atomic_fetch_add(&session->doorbell, 1);
    raw_futex_wake(&session->doorbell);
}

bool process_follows_exec(void)
{
    return process.session && !process.off && process.session->follow >= RING_FOLLOW_EXEC;
}

void process_count_unrecordable(const char *path, bool is_static)
{
    struct ring_session *session = process.session;
    uint64_t before =
        atomic_fetch_add(is_static ? &session->static_programs : &session->foreign_programs, 1);
    if (!before && !session->unrecorded[0])
        strncpy(session->unrecorded, path, sizeof session->unrecorded - 1);
}

void process_count_lost_event(void)
{
    if (process.chunks)
        atomic_fetch_add(&process.chunk[0]->lost_events, 1);
}

void process_note_exit(int status)
{
    if (!wiped.recording || self.state == THREAD_VFORK || !process.chunks)
        return;
    process.chunk[0]->ended_status = (uint32_t)status & 0xff;
    process.chunk[0]->ended_how = RING_ENDED_EXIT;
}

/* Called with the lock held, or where nothing but the end of recording can be meant. */
static void choose_mode(void)
{
    enum record_mode mode = MODE_OFF;
    if (wiped.recording)
        mode = !next_is_libc() || bootstrap_mappings || wiped.sites ? MODE_GENERAL
               : wiped.many                                         ? MODE_MANY
                                                                    : MODE_ONE;
    atomic_store_explicit(&wiped.mode, mode, memory_order_relaxed);
}

void process_stop(void)
{
    process.off = true;
    wiped.recording = 0;
    choose_mode();
}

/* ---- mapping ---------------------------------------------------------------------------------
 */

static void *map_file(uint64_t offset, uint64_t bytes)
{
    const char *path = environment_session();
    long fd = path ? raw_open(path, O_RDWR) : -1;
    if (raw_failed(fd))
        return NULL;
    void *memory = raw_mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
    raw_close(fd);
    return memory;
}

/*
 * A part of the session file by way of the part that is mapped already: mremap() of length 0
 * doubles a shared mapping, and what is longer shows what follows in the file. It needs no
 * descriptor and no path, so it works after chroot(), setuid() and without /proc. For a moment it
 * takes address space up to the chunk; where a limit forbids that, the path is tried.
 */
static void *map_more(uint64_t offset, uint64_t bytes)
{
    long all = raw_call(SYS_mremap, (long)process.session, 0, (long)(offset + bytes),
                        MREMAP_MAYMOVE, 0, 0);
    if (raw_failed(all))
        return map_file(offset, bytes);
    raw_munmap((void *)all, offset);
    return (char *)all + offset;
}

static struct ring_chunk *map_chunk(uint32_t index, uint32_t *ret_lanes, uint64_t *ret_bytes)
{
    /*
     * RLIMIT_AS may be tight. The first chunk makes do with less; a further one comes whole or not
     * at all, or piece by piece we would take what the program itself needs.
     */
    uint32_t least = process.chunks ? RING_CHUNK_LANES : 1;
    for (uint32_t lanes = RING_CHUNK_LANES; lanes >= least; lanes /= 4) {
        uint64_t bytes = RING_CHUNK_HEADER_BYTES + lanes * RING_BYTES;
        void *memory = map_more(ring_chunk_offset(index), bytes);
        if (!memory)
            continue;
        raw_call(SYS_madvise, (long)memory, (long)bytes, MADV_DONTDUMP, 0, 0, 0);
        *ret_lanes = lanes;
        *ret_bytes = bytes;
        return memory;
    }
    return NULL;
}

/* ---- claiming --------------------------------------------------------------------------------
 */

static bool claim_free_chunk(uint32_t *ret_index)
{
    struct ring_session *session = process.session;
    for (uint32_t i = 0; i < RING_CHUNKS; i++) {
        uint64_t expected = RING_CHUNK_WORD(RING_CHUNK_FREE, 0);
        if (atomic_load_explicit(&session->chunk[i], memory_order_relaxed) != expected ||
            !atomic_compare_exchange_strong(&session->chunk[i], &expected,
                                            RING_CHUNK_WORD(RING_CHUNK_CLAIMED, process.seen_pid)))
            continue;
        uint32_t used = atomic_load(&session->chunks_used);
        while (used <= i && !atomic_compare_exchange_weak(&session->chunks_used, &used, i + 1))
            ;
        *ret_index = i;
        return true;
    }
    return false;
}

static bool claim_index(uint32_t *ret_index)
{
    for (int attempt = 0; !claim_free_chunk(ret_index); attempt++) {
        if (attempt == 2000 || process_collector_gone()) /* a second */
            return false;
        process_ring_doorbell();
        sleep_a_little();
    }
    return true;
}

/* A chunk of the session as this process's next one, not yet shown to the collector. */
static struct ring_chunk *claim_chunk(uint32_t *ret_index)
{
    uint32_t index = 0, number = process.chunks, lanes;
    if (number == CHUNKS_MAX || !claim_index(&index))
        return NULL;
    struct ring_chunk *chunk = map_chunk(index, &lanes, &process.mapped_bytes[number]);
    if (!chunk) {
        atomic_store(&process.session->chunk[index], RING_CHUNK_WORD(RING_CHUNK_FREE, 0));
        return NULL;
    }
    for (uint32_t i = 0; i < lanes; i++) {
        chunk->lane[i].words = ring_lane_words(chunk, i);
        chunk->lane[i].chunk = chunk;
        chunk->lane[i].owner = number * RING_CHUNK_LANES + i + 1;
    }
    chunk->lanes = lanes;
    chunk->pid = process.seen_pid;
    process.chunk[number] = chunk;
    process.chunks++;
    *ret_index = index;
    return chunk;
}

static void show_chunk(uint32_t index, enum ring_chunk_state state)
{
    atomic_store_explicit(&process.session->chunk[index], RING_CHUNK_WORD(state, process.seen_pid),
                          memory_order_release);
}

/* A table for call sites, where the session asks for them; without, recording goes on. */
static void begin_sites(uint32_t first)
{
    uint32_t index, depth = process.session->site_depth;
    if (!depth || !claim_index(&index))
        return;
    struct ring_sites *table = map_more(ring_chunk_offset(index), RING_CHUNK_BYTES);
    if (!table) {
        atomic_store(&process.session->chunk[index], RING_CHUNK_WORD(RING_CHUNK_FREE, 0));
        return;
    }
    raw_call(SYS_madvise, (long)table, RING_CHUNK_BYTES, MADV_DONTDUMP, 0, 0, 0);
    table->first = first;
    sites_begin(table, depth);
    show_chunk(index, RING_CHUNK_SITES);
    wiped.sites = 1;
}

/* ---- registering -----------------------------------------------------------------------------
 */

static void describe(struct ring_chunk *chunk)
{
    /*
     * As it was called: of a program that is a link to another (redis-server is one) or a script
     * people know that name, not the one behind it. A path that is not absolute means little later.
     */
    const char *called = (const char *)getauxval(AT_EXECFN);
    long bytes = 0;
    if (called && called[0] == '/' && strncmp(called, "/proc/", 6) != 0 &&
        strncmp(called, "/dev/", 5) != 0)
        strncpy(chunk->program, called, sizeof chunk->program - 1);
    else
        bytes = raw_readlink("/proc/self/exe", chunk->program, sizeof chunk->program - 1);
    if (raw_failed(bytes))
        strncpy(chunk->program, program_invocation_name, sizeof chunk->program - 1);
    strncpy(chunk->allocator, next_path(), sizeof chunk->allocator - 1);
    long fd = raw_open("/proc/self/cmdline", O_RDONLY);
    if (raw_failed(fd))
        return;
    bytes = raw_read(fd, chunk->arguments, sizeof chunk->arguments - 1);
    chunk->arguments_bytes = raw_failed(bytes) ? 0 : (uint32_t)bytes;
    raw_close(fd);
}

static bool register_process(uint32_t order, uint32_t parent_order, bool by_exec)
{
    uint32_t index;
    struct ring_chunk *chunk = claim_chunk(&index);
    if (!chunk) {
        atomic_fetch_add(&process.session->lost_processes, 1);
        return false;
    }
    chunk->first = index;
    chunk->order = order;
    chunk->parent_order = parent_order;
    chunk->parent_pid = raw_getppid();
    chunk->by_exec = by_exec;
    chunk->started_ns = raw_monotonic_ns();
    process.order = order;
    describe(chunk);
    show_chunk(index, RING_CHUNK_PROCESS);
    begin_sites(index);
    wiped.recording = 1;
    choose_mode();
    return true;
}

/* Our number in the namespace of /proc, which is the collector's in all but rare cases. */
static void find_pid(void)
{
    char text[16] = "";
    process.seen_pid = process.pid = raw_getpid();
    long bytes = raw_readlink("/proc/self", text, sizeof text);
    if (raw_failed(bytes))
        return;
    uint32_t pid = 0;
    for (long i = 0; i < bytes; i++) {
        if (text[i] < '0' || text[i] > '9')
            return;
        pid = pid * 10 + (uint32_t)(text[i] - '0');
    }
    process.seen_pid = pid;
}

/* The first image of the program itself is process 0; later images of its pid are others. */
static bool is_program_itself(struct ring_session *session)
{
    uint32_t expected = 0;
    return atomic_load(&session->root_pid) == process.seen_pid &&
           atomic_compare_exchange_strong(&session->root_registered, &expected, 1);
}

static bool use_session(struct ring_session *session)
{
    process.session = session;
    return session && session->magic == RING_MAGIC && session->version == RING_VERSION &&
           session->bytes == sizeof *session && !process_collector_gone();
}

static bool join_session(void)
{
    struct ring_session *session = map_file(0, RING_SESSION_BYTES);
    if (!use_session(session))
        return false;
    if (is_program_itself(session))
        return register_process(0, UINT32_MAX, true);
    return session->follow >= RING_FOLLOW_EXEC &&
           register_process(atomic_fetch_add(&session->next_order, 1), UINT32_MAX, true);
}

static bool wipe_in_children(void)
{
    return !raw_failed(
        raw_call(SYS_madvise, (long)&wiped_pages, sizeof wiped_pages, MADV_WIPEONFORK, 0, 0, 0));
}

static bool start(void)
{
    int saved_errno = errno;
    find_pid();
    bool on = next_find() && wipe_in_children() && join_session();
    errno = saved_errno;
    return on;
}

bool process_attach(int memory, uint32_t seen_pid)
{
    find_pid();
    process.seen_pid = seen_pid;
    bool on = wipe_in_children() &&
              use_session(raw_mmap(NULL, RING_SESSION_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
                                   memory, 0)) &&
              register_process(0, UINT32_MAX, true);
    process.off = !on;
    return on;
}

/*
 * A hook that already looked whether there was room writes to its ring once more; what it hits is
 * private and nobody's. That `chunk` is NULL tells such lanes.
 */
static void cover_chunk(struct ring_chunk *chunk, uint64_t bytes)
{
    if (!raw_mmap(chunk, bytes, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0))
        return;
    uint64_t lanes = (bytes - RING_CHUNK_HEADER_BYTES) / RING_BYTES;
    for (uint32_t i = 0; i < lanes; i++)
        chunk->lane[i].words = ring_lane_words(chunk, i);
}

/*
 * In a child that fork made. The parent's rings are covered with private memory, so that a hook
 * which a handler interrupted with the fork, and which now goes on in the child, hits nothing.
 */
static bool begin_child(void)
{
    if (!process.session) /* the parent was still setting up */
        return false;
    for (uint32_t i = 0; i < process.chunks; i++)
        cover_chunk(process.chunk[i], process.mapped_bytes[i]);
    uint32_t parent_order = process.order;
    find_pid();
    process.chunks = 0;
    process.threaded = false;
    self.lanes = NULL;
    self.lane = NULL;
    self.ready = NULL;
    struct ring_session *session = process.session;
    return session->follow >= RING_FOLLOW_CHILDREN && !process_collector_gone() &&
           register_process(atomic_fetch_add(&session->next_order, 1), parent_order, false);
}

bool process_ready(void)
{
    if (wiped.recording)
        return true;
    if (process.off)
        return false;
    uint64_t signals;
    lock(&signals);
    struct thread_self before = self;
    self.ready = NULL;
    self.state = THREAD_STARTING;
    if (!wiped.recording && !process.off) {
        bool on = false;
        if (!process.pid)
            on = start();
        else if (raw_getpid() != process.pid)
            on = begin_child();
        if (!on)
            process_stop();
    }
    self.state = before.state;
    self.ready = self.lane ? before.ready : NULL; /* a child has no lane yet */
    unlock(&signals);
    return wiped.recording;
}

/* ---- lanes -----------------------------------------------------------------------------------
 */

static struct ring_lane *find_free_lane(void)
{
    for (uint32_t c = 0; c < process.chunks; c++)
        for (uint32_t i = 0; i < process.chunk[c]->lanes; i++) {
            struct ring_lane *lane = &process.chunk[c]->lane[i];
            if (atomic_load_explicit(&lane->state, memory_order_acquire) == RING_LANE_FREE)
                return lane;
        }
    return NULL;
}

static bool is_own(const struct ring_lane *lane)
{
    for (const struct ring_lane *own = self.lanes; own; own = own->next)
        if (own == lane)
            return true;
    return false;
}

/* Ends the lanes whose threads are gone. A live thread with an ended one's number hides it until
 * that one ends, too. */
static uint32_t end_dead_lanes(uint32_t own_tid)
{
    uint32_t ended = 0;
    for (uint32_t c = 0; c < process.chunks; c++)
        for (uint32_t i = 0; i < process.chunk[c]->lanes; i++) {
            struct ring_lane *lane = &process.chunk[c]->lane[i];
            if (atomic_load(&lane->state) != RING_LANE_LIVE)
                continue;
            if (lane->tid == own_tid ? is_own(lane) : raw_thread_lives(process.pid, lane->tid))
                continue;
            atomic_store(&lane->state, RING_LANE_ENDED);
            ended++;
        }
    return ended;
}

static struct ring_lane *wait_for_lane(int rounds)
{
    struct ring_lane *lane = NULL;
    for (int i = 0; i < rounds && !lane && !process_collector_gone(); i++) {
        process_ring_doorbell();
        sleep_a_little();
        lane = find_free_lane();
    }
    return lane;
}

static bool add_chunk(void)
{
    uint32_t index;
    struct ring_chunk *chunk = process.cramped ? NULL : claim_chunk(&index);
    process.cramped = !chunk;
    if (!chunk)
        return false;
    chunk->first = process.chunk[0]->first;
    show_chunk(index, RING_CHUNK_MORE);
    return true;
}

static struct ring_lane *find_lane(uint32_t tid)
{
    struct ring_lane *lane = find_free_lane();
    if (lane)
        return lane;
    /* Many short threads: their lanes are free again once drained, so wait before taking more. */
    if (end_dead_lanes(tid) >= RING_CHUNK_LANES / 4)
        lane = wait_for_lane(40);
    int rounds = process.cramped ? 40 : 2000;
    if (!lane && add_chunk())
        lane = find_free_lane();
    return lane ? lane : wait_for_lane(rounds);
}

static void begin_lane(struct ring_lane *lane, uint32_t tid, bool spare)
{
    lane->tid = tid;
    atomic_store(&lane->limit,
                 0); /* the first record looks up, so every lane begins with a stamp */
    lane->busy = 0;
    lane->site = RING_SITE_NOT_SAID;
    atomic_fetch_add(&lane->use, 1);
    atomic_store_explicit(&lane->state, RING_LANE_LIVE, memory_order_release);
    if (process.threaded && !spare)
        wiped.many = 1;
    choose_mode();
    if (!spare)
        process.threaded = true;
    /* Other threads see `many` before our first stamp is taken: order.h counts on it. */
    atomic_thread_fence(memory_order_seq_cst);
}

struct ring_lane *process_take_lane(bool spare)
{
    uint64_t signals;
    lock(&signals);
    uint32_t tid = raw_gettid();
    struct ring_lane *lane = process.chunks ? find_lane(tid) : NULL;
    if (lane)
        begin_lane(lane, tid, spare);
    else if (process.chunks)
        atomic_fetch_add(&process.chunk[0]->lost_threads, 1);
    unlock(&signals);
    return lane;
}
