/*
 * What the preload (inside the recorded programs) and the collector (`heaptape record`, beside
 * them) share: one memory file made by the collector, a session header followed by chunks. Raw
 * stdint and atomics only, so that the preload can include it.
 *
 *     offset 0                     struct ring_session
 *     RING_SESSION_BYTES + i * RING_CHUNK_BYTES
 *                                  struct ring_chunk i: who owns it, its lanes' headers,
 *       + RING_CHUNK_HEADER_BYTES  and RING_CHUNK_LANES rings of RING_BYTES each
 *
 * The file is sparse: what nobody touched costs nothing. A process claims a chunk when its first
 * event happens and more when it has more threads than lanes; the collector gives chunks back once
 * their process has ended and everything is drained.
 *
 * A lane is a ring with one producer (its thread) and one consumer (the collector):
 *   head  words published so far; the producer alone writes it, after whole records
 *   tail  words drained so far; the collector alone writes it
 * Both only grow while a lane is in one use. States of a lane: FREE -> LIVE (a thread took it)
 * -> ENDED (the thread is gone; by the process or by the collector) -> FREE (drained; head and
 * tail 0 again; by the collector alone). `use` counts the times it became LIVE.
 *
 * The environment variable RING_ENV names the file as "/proc/PID/fd/N": it needs no /dev/shm, and
 * nothing stays open in the recorded programs.
 */
#ifndef HEAPTAPE_RECORDER_RING_H
#define HEAPTAPE_RECORDER_RING_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include "traces/raw_record.h"

#define RING_ENV     "HEAPTAPE_SESSION"
#define RING_MAGIC   UINT64_C(0x474e495245504148)
#define RING_VERSION 2

#define RING_WORDS              UINT64_C(32768) /* 256 KiB: stays in a core's second-level cache */
#define RING_BYTES              (RING_WORDS * sizeof(uint64_t))
#define RING_CHUNK_LANES        64
#define RING_CHUNK_HEADER_BYTES (UINT64_C(64) << 10)
#define RING_CHUNK_BYTES        (RING_CHUNK_HEADER_BYTES + RING_CHUNK_LANES * RING_BYTES)
#define RING_CHUNKS             4096
#define RING_SESSION_BYTES      (UINT64_C(64) << 10)
#define RING_FILE_BYTES         (RING_SESSION_BYTES + RING_CHUNKS * RING_CHUNK_BYTES)

/* Words kept free at the end of a ring, for those that one call may add between two looks. */
#define RING_SLACK 32
/* A stamp at least every so many words; also how often the producer looks at the other side. */
#define RING_STRIDE 128

_Static_assert((RING_WORDS & (RING_WORDS - 1)) == 0, "positions are masked");
_Static_assert(RING_SLACK > 8 + RAW_MARK_WORDS, "room for the longest record and its stamp");
_Static_assert(RING_CHUNK_BYTES % 4096 == 0 && RING_SESSION_BYTES % 4096 == 0, "mapped by page");

enum ring_follow { RING_FOLLOW_NONE, RING_FOLLOW_CHILDREN, RING_FOLLOW_EXEC };

/* The low byte of ring_session.chunk[i]; the claimer's pid stands above it. */
enum ring_chunk_state {
    RING_CHUNK_FREE,
    RING_CHUNK_CLAIMED, /* somebody fills it in */
    RING_CHUNK_PROCESS, /* the first chunk of a process */
    RING_CHUNK_MORE,    /* a further one; ring_chunk.first says whose */
    RING_CHUNK_SITES,   /* holds a struct ring_sites; ring_sites.first says whose */
};
#define RING_CHUNK_WORD(state, pid) ((uint64_t)(uint32_t)(pid) << 8 | (uint64_t)(state))
#define RING_CHUNK_STATE(word)      ((unsigned)((word)&0xff))
#define RING_CHUNK_PID(word)        ((uint32_t)((word) >> 8))

#define RING_SITE_NOT_SAID UINT32_MAX

enum ring_lane_state { RING_LANE_FREE, RING_LANE_LIVE, RING_LANE_ENDED };

struct ring_lane {
    /* The producer's line. Addresses are the target's. */
    _Alignas(64) _Atomic uint64_t head;
    /*
     * Head at which the producer looks up: stamp, room, stop. The producer sets it; the collector
     * sets it to 0 when it begins a pass, so that whatever is recorded from then on has a stamp
     * that is later than the pass (drain.c says why).
     */
    _Atomic uint64_t limit;
    uint64_t *words; /* the ring; NULL: not usable */
    struct ring_chunk *chunk;
    struct ring_lane *next; /* the thread's other lanes (see lane.h) */
    uint32_t owner;         /* number in the process, 1..; what the order table holds */
    uint32_t busy;          /* a call on this lane was interrupted and is not over */
    uint32_t tid;
    _Atomic uint32_t use;
    uint32_t site; /* what the latest SITE word of this lane says, or RING_SITE_NOT_SAID */
    /* The collector's line. */
    _Alignas(64) _Atomic uint64_t tail;
    _Atomic uint32_t state;   /* enum ring_lane_state */
    _Atomic uint32_t waiting; /* 1: the producer sleeps on this word until there is room */
};
_Static_assert(sizeof(struct ring_lane) == 128, "a line each");

struct ring_chunk {
    uint32_t first; /* index of the process's first chunk */
    uint32_t pid, parent_pid;
    uint32_t order;        /* 0 the program itself, then in order of registration */
    uint32_t parent_order; /* of the process that forked this one; UINT32_MAX: not known */
    uint32_t lanes;        /* that the process has mapped, from the first */
    _Atomic uint32_t stop; /* the collector: record no more (disk full) */
    uint32_t ended_how;    /* enum ring_ended */
    uint32_t ended_status; /* exit status, where known */
    uint32_t by_exec;      /* 1: an image that began by exec, 0: a forked child */
    uint64_t started_ns;   /* CLOCK_MONOTONIC of the first event */
    _Atomic uint64_t lost_events, lost_threads;
    char program[1024], allocator[1024];
    uint32_t arguments_bytes;
    char arguments[16384]; /* each ended by NUL */
    struct ring_lane lane[RING_CHUNK_LANES];
};
_Static_assert(sizeof(struct ring_chunk) <= RING_CHUNK_HEADER_BYTES, "before the rings");

/*
 * Call sites of a process. Entries are dense and appear in order; one whose stack begins with 0 is
 * still being written. Producers: any thread of the process. The collector only reads.
 */
#define RING_OBJECTS        1024
#define RING_SITE_SLOTS     (1 << 17)
#define RING_SITE_DEPTH_MAX 64
#define RING_SITE_TABLE_FULL                                                                       \
    (RING_SITE_SLOTS / 4 * 3) /* slots in use, so that probing stays short */

struct ring_object {      /* an executable or library */
    uint64_t begin, bias; /* where it is mapped; less its addresses in the file */
    _Atomic uint64_t end; /* 0: being written */
    char path[232];
};
_Static_assert(sizeof(struct ring_object) == 256, "a round number");

struct ring_site_slot {
    _Atomic uint64_t hash; /* of the stack; 0: free */
    _Atomic uint32_t number;
    uint32_t reserved;
};

struct ring_sites {
    uint32_t first;           /* index of the process's first chunk */
    uint32_t depth;           /* frames a stack has at most */
    _Atomic uint32_t claimed; /* sites, some of them perhaps being written */
    _Atomic uint32_t lost;    /* found no room */
    _Atomic uint32_t objects_claimed, object_count;
    _Atomic uint32_t stop; /* where ring_chunk has it, as all chunks are told to stop alike */
    uint32_t reserved;
    struct ring_object object[RING_OBJECTS];
    struct ring_site_slot slot[RING_SITE_SLOTS];
    uint64_t stacks[]; /* count, frames; `depth` + 1 words each, number 1 first */
};

_Static_assert(__builtin_offsetof(struct ring_sites, stop) ==
                   __builtin_offsetof(struct ring_chunk, stop),
               "see there");

static inline uint64_t *ring_sites_stack(struct ring_sites *sites, uint32_t depth, uint32_t number)
{
    return sites->stacks + (uint64_t)(number - 1) * (depth + 1);
}

static inline uint32_t ring_sites_capacity(uint32_t depth)
{
    uint64_t room = (RING_CHUNK_BYTES - sizeof(struct ring_sites)) / (8 * (depth + UINT64_C(1)));
    return room < RING_SITE_TABLE_FULL ? (uint32_t)room : RING_SITE_TABLE_FULL;
}

enum ring_ended { RING_ENDED_UNKNOWN, RING_ENDED_EXIT };

struct ring_session {
    uint64_t magic, bytes; /* RING_MAGIC, sizeof(struct ring_session) */
    uint32_t version, follow;
    uint32_t site_depth; /* 0: no call sites */
    uint32_t collector_pid;
    _Atomic uint32_t root_pid;        /* of the program itself */
    _Atomic uint32_t root_registered; /* its first image has its chunk */
    _Atomic uint32_t next_order;
    _Atomic uint32_t chunks_used;      /* chunks from this index on were never claimed */
    _Atomic uint32_t closed;           /* the collector is done: record no more */
    _Atomic uint64_t lost_processes;   /* found no free chunk, or could not map it */
    _Atomic uint64_t static_programs;  /* started by a recorded one, not recordable */
    _Atomic uint64_t foreign_programs; /* likewise: setuid, musl, 32 bit */
    char unrecorded[256];              /* the first of those, for the message */
    /*
     * Held by the collector for its whole life: when it dies the kernel marks the word, which
     * works across pid namespaces and for zombies.
     */
    pthread_mutex_t alive;
    _Alignas(64) _Atomic uint32_t doorbell; /* the collector sleeps on it */
    _Atomic uint32_t sleeping;              /* 1: worth ringing */
    _Alignas(64) _Atomic uint64_t chunk[RING_CHUNKS];
};
_Static_assert(sizeof(struct ring_session) <= RING_SESSION_BYTES, "before the chunks");

static inline uint64_t ring_chunk_offset(uint32_t index)
{
    return RING_SESSION_BYTES + index * RING_CHUNK_BYTES;
}

static inline uint64_t *ring_lane_words(struct ring_chunk *chunk, uint32_t lane)
{
    return (uint64_t *)((char *)chunk + RING_CHUNK_HEADER_BYTES + lane * RING_BYTES);
}

#endif
