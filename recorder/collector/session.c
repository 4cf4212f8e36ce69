#include "recorder/collector/session.h"

#include <errno.h>
#include <signal.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/*
 * The file is sparse, but its length counts against RLIMIT_FSIZE. The soft limit is lifted for the
 * moment; where the hard one forbids the full length, fewer chunks do.
 */
static uint32_t set_length(int memory)
{
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN); /* ftruncate() raises it */
    struct rlimit before, lifted;
    bool limited = getrlimit(RLIMIT_FSIZE, &before) == 0 && before.rlim_cur != RLIM_INFINITY;
    if (limited) {
        lifted = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
        if (setrlimit(RLIMIT_FSIZE, &lifted)) {
            lifted = (struct rlimit){before.rlim_max, before.rlim_max};
            setrlimit(RLIMIT_FSIZE, &lifted);
        }
    }
    uint32_t chunks = RING_CHUNKS;
    while (chunks && ftruncate(memory, (off_t)ring_chunk_offset(chunks)))
        chunks /= 2;
    if (limited)
        setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, handler);
    return chunks;
}

static void hold_alive(struct ring_session *shared)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&shared->alive, &attributes);
    pthread_mutexattr_destroy(&attributes);
    pthread_mutex_lock(&shared->alive);
}

enum tape_status session_open(struct session *session, enum ring_follow follow, uint32_t site_depth,
                              struct tape_error *error)
{
    memset(session, 0, sizeof *session);
    session->memory = memfd_create("heaptape", MFD_CLOEXEC);
    if (session->memory < 0)
        return tape_error_set(error, TAPE_SYSTEM, UINT64_MAX, "shared memory: memfd_create: %s",
                              strerror(errno));
    session->chunks_limit = set_length(session->memory);
    struct ring_session *shared = MAP_FAILED;
    if (session->chunks_limit)
        shared =
            mmap(NULL, RING_SESSION_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, session->memory, 0);
    if (shared == MAP_FAILED) {
        int saved = errno;
        close(session->memory);
        return tape_error_set(error, TAPE_SYSTEM, UINT64_MAX,
                              "shared memory: %s; raise the limits on file size (ulimit -f) and "
                              "address space (ulimit -v)",
                              strerror(saved));
    }
    session->shared = shared;
    shared->version = RING_VERSION;
    shared->follow = follow;
    shared->site_depth = site_depth;
    shared->collector_pid = (uint32_t)getpid();
    shared->next_order = 1;
    for (uint32_t i = session->chunks_limit; i < RING_CHUNKS; i++)
        shared->chunk[i] = RING_CHUNK_WORD(RING_CHUNK_CLAIMED, 0); /* beyond the file */
    hold_alive(shared);
    shared->bytes = sizeof *shared;
    shared->magic = RING_MAGIC;
    snprintf(session->path, sizeof session->path, "/proc/%d/fd/%d", (int)getpid(), session->memory);
    return TAPE_OK;
}

void session_close(struct session *session)
{
    atomic_store(&session->shared->closed, 1);
    for (uint32_t i = 0; i < session->chunks_limit; i++)
        if (session->chunk[i])
            atomic_store(&session->chunk[i]->stop, 1);
}

struct ring_chunk *session_chunk(struct session *session, uint32_t index)
{
    if (index >= session->chunks_limit)
        return NULL;
    if (!session->chunk[index]) {
        void *memory = mmap(NULL, RING_CHUNK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
                            session->memory, (off_t)ring_chunk_offset(index));
        if (memory == MAP_FAILED)
            return NULL;
        session->chunk[index] = memory;
    }
    return session->chunk[index];
}

void session_free_chunk(struct session *session, uint32_t index)
{
    int punched = fallocate(session->memory, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                            (off_t)ring_chunk_offset(index), RING_CHUNK_BYTES);
    if (punched && session->chunk[index])
        memset(session->chunk[index], 0, RING_CHUNK_HEADER_BYTES);
    atomic_store(&session->shared->chunk[index], RING_CHUNK_WORD(RING_CHUNK_FREE, 0));
}

void session_sleep(struct session *session, uint32_t doorbell, long timeout_ns)
{
    struct timespec timeout = {timeout_ns / 1000000000, timeout_ns % 1000000000};
    atomic_store(&session->shared->sleeping, 1);
    syscall(SYS_futex, &session->shared->doorbell, FUTEX_WAIT, doorbell, &timeout, NULL, 0);
    atomic_store(&session->shared->sleeping, 0);
}

void session_wake(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}
