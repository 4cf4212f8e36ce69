/*
 * The event: one completed allocator call, as every reader of a tape sees it.
 *
 * Objects. An object is one block from its allocation to its free; a successful realloc keeps the
 * object and changes its size. Objects are named by small ids that are used again after the object
 * has ended (the highest id ever used is the peak number of live objects). Id 0 (TAPE_NO_OBJECT) is
 * never an object.
 *
 * Order. Events of a tape stand in one total order in which every object is allocated before it is
 * used or freed and in which each lane's events keep their own order. FORMAT.md says what the order
 * promises between lanes.
 */
#ifndef HEAPTAPE_TRACES_EVENT_H
#define HEAPTAPE_TRACES_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#define TAPE_NO_OBJECT UINT32_C(0)

/*
 * X(NAME, number, "word", allocates, frees): numbers are on disk and never change.
 *   allocates: the event begins an object; frees: it ends one.
 */
#define TAPE_EVENT_KINDS(X)                                                                        \
    X(MALLOC, 1, "malloc", 1, 0) /* size */                                                        \
    X(CALLOC, 2, "calloc", 1, 0) /* size = count * element size, zeroed */                         \
    X(ALIGNED, 3, "aligned_alloc", 1,                                                              \
      0) /* size, align_log2: memalign, posix_memalign, [p]valloc too */                           \
    X(REALLOC_NEW, 4, "realloc(NULL)", 1, 0) /* realloc(NULL, size) */                             \
    X(REALLOC, 5, "realloc", 0, 0)           /* object keeps its id, size is the new one */        \
    X(REALLOC_FREE, 6, "realloc(p,0)", 0, 1) /* realloc(p, 0) that freed and returned NULL */      \
    X(FREE, 7, "free", 0, 1)                                                                       \
    X(FREE_NULL, 8, "free(NULL)", 0, 0)                                                            \
    X(FREE_FOREIGN, 9, "free(foreign)", 0,                                                         \
      0) /* an address that no recorded allocation gave; replay skips */                           \
    X(USABLE_SIZE, 10, "malloc_usable_size", 0, 0)                                                 \
    X(FAILED, 11, "failed", 0,                                                                     \
      0) /* an allocation or realloc that returned NULL; size asked for; skipped */

enum tape_event_kind {
#define X(name, number, word, allocates, frees) TAPE_##name = number,
    TAPE_EVENT_KINDS(X)
#undef X
        TAPE_EVENT_KIND_LIMIT = 12
};

struct tape_event {
    uint64_t size;    /* bytes requested: allocations, REALLOC, FAILED; 0 for the others */
    uint64_t time_ns; /* coarse, since the recording began, never decreasing (granularity in
                         FORMAT.md) */
    uint32_t object;  /* TAPE_NO_OBJECT for FREE_NULL, FREE_FOREIGN and FAILED */
    uint32_t
        lane;     /* recorded thread, dense from 0 in order of first event; 0 is the first thread */
    uint8_t kind; /* enum tape_event_kind */
    uint8_t align_log2; /* log2 of the alignment asked for; 0 where none was */
    uint8_t reserved[2];
    uint32_t site; /* who asked: a call site of the tape's, of kinds that give memory (all that
                      allocate, and REALLOC); below 2^32 - 1; 0 = not known */
};
_Static_assert(sizeof(struct tape_event) == 32, "two events a cache line");

static inline bool tape_kind_allocates(unsigned kind)
{
    return kind >= TAPE_MALLOC && kind <= TAPE_REALLOC_NEW;
}

static inline bool tape_kind_frees(unsigned kind)
{
    return kind == TAPE_FREE || kind == TAPE_REALLOC_FREE;
}

/* "malloc", "free", ...; "unknown" for a number that is no kind. */
const char *tape_kind_name(unsigned kind);

/* The target's own memory at a moment of the recording, as the collector saw it from outside. */
struct tape_sample {
    uint64_t time_ns;         /* since the recording began */
    uint64_t event;           /* index of the first event not yet seen at that moment */
    uint64_t resident_bytes;  /* the whole process */
    uint64_t held_bytes;      /* writable private anonymous mappings and brk; 0 = not known */
    uint64_t requested_bytes; /* live: what the program had asked for and not given back; 0 = not
                                 known */
};
_Static_assert(sizeof(struct tape_sample) == 40, "on disk as is");

#endif
