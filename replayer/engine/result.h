/*
 * What the engine leaves for the driver: one shared mapping (a memfd that the driver makes and
 * hands over by number), so that nothing is parsed, nothing allocated, and what is there when an
 * allocator crashes stays readable: the driver sees the phase and the operation at which it died.
 *
 * The engine alone writes; the driver reads once the engine has ended. Same build on both sides,
 * checked by `magic` and `bytes`. All sizes in bytes, all times in nanoseconds.
 */
#ifndef HEAPTAPE_REPLAYER_RESULT_H
#define HEAPTAPE_REPLAYER_RESULT_H

#include <stdint.h>

#define ENGINE_RESULT_MAGIC UINT64_C(0x3152475441504548)
#define ENGINE_SERIES_MAX   4096
#define ENGINE_UNKNOWN      UINT64_MAX /* a figure that could not be had */

enum engine_phase { ENGINE_STARTED, ENGINE_PLANNED, ENGINE_REPLAYING, ENGINE_DONE, ENGINE_ERROR };

/* One point of the memory series. Baselines (the process before the first replayed operation) are
 * out. */
struct engine_sample {
    uint64_t operation;       /* operations done */
    uint64_t time_ns;         /* time of replay so far (not the recorded time) */
    uint64_t requested_bytes; /* R */
    uint64_t usable_bytes;    /* U */
    uint64_t held_bytes;      /* H */
    uint64_t resident_bytes; /* P, without startup_resident_bytes (peak_resident_bytes has it in) */
    uint64_t huge_bytes;     /* of P in huge pages; ENGINE_UNKNOWN where it was not read */
    uint64_t minor_faults, major_faults; /* in the replay so far, of all threads */
    uint64_t system_calls;               /* of ENGINE_SYSTEM_CALLS so far, or ENGINE_UNKNOWN */
};

/*
 * The system calls that memory mode counts: X(NAME, "name"). What `bytes` of each are is said
 * behind it. analysis/METRICS.md explains them.
 */
#define ENGINE_SYSTEM_CALLS(X)                                                                     \
    X(MMAP, "mmap")                 /* mapped */                                                   \
    X(MMAP_RESERVE, "mmap_reserve") /* mapped with PROT_NONE */                                    \
    X(MUNMAP, "munmap")             /* unmapped */                                                 \
    X(MREMAP, "mremap")             /* the new length */                                           \
    X(MPROTECT, "mprotect")         /* changed */                                                  \
    X(BRK_GROW, "brk_grow")         /* grown by */                                                 \
    X(BRK_SHRINK, "brk_shrink")     /* shrunk by */                                                \
    X(BRK_QUERY, "brk_query")       /* none: brk(0) only asks */                                   \
    X(MADVISE_DONTNEED, "madvise_dontneed")                                                        \
    X(MADVISE_FREE, "madvise_free")                                                                \
    X(MADVISE_HUGEPAGE, "madvise_hugepage")                                                        \
    X(MADVISE_NOHUGEPAGE, "madvise_nohugepage")                                                    \
    X(MADVISE_COLLAPSE, "madvise_collapse")                                                        \
    X(MADVISE_POPULATE, "madvise_populate")                                                        \
    X(MADVISE_OTHER, "madvise_other")

enum engine_system_call {
#define X(name, word) ENGINE_CALL_##name,
    ENGINE_SYSTEM_CALLS(X)
#undef X
        ENGINE_CALL_LIMIT
};

struct engine_call_count {
    _Atomic uint64_t calls, failed; /* all; those among them that failed */
    _Atomic uint64_t bytes;         /* of those that did not */
};

/*
 * What verify mode finds. X(NAME, "word", fails): a kind that does not fail (a note) is told and no
 * more: good allocators do it, and programs seldom care.
 * analysis/METRICS.md says what each means.
 */
#define ENGINE_VIOLATIONS(X)                                                                       \
    X(OVERLAP, "overlap", 1)               /* a block lies on a part of a live one */              \
    X(DUPLICATE, "duplicate", 1)           /* a block has the address of a live one */             \
    X(USABLE_OVERLAP, "usable_overlap", 1) /* malloc_usable_size() reaches into a live block */    \
    X(USABLE_SMALL, "usable_small", 1)     /* malloc_usable_size() is less than was asked for */   \
    X(USABLE_UNWRITABLE, "usable_unwritable", 1) /* writing up to it breaks the allocator: the     \
                                                    driver's finding */                            \
    X(MISALIGNED, "misaligned", 1)                                                                 \
    X(NOT_ZERO, "not_zero", 1)           /* calloc gave memory that is not zero */                 \
    X(REALLOC_LOST, "realloc_lost", 1)   /* the content is not there after a realloc */            \
    X(DAMAGED, "damaged", 1)             /* the content of a live block changed */                 \
    X(INACCESSIBLE, "inaccessible", 1)   /* touching a block faults */                             \
    X(NOT_HEAP, "not_heap", 1)           /* a block in the engine's memory, libc's or a stack */   \
    X(NULL, "null", 1)                   /* NULL although the system has the memory */             \
    X(NULL_ERRNO, "null_errno", 0)       /* NULL, and errno is not ENOMEM (POSIX) */               \
    X(REALLOC_FREED, "realloc_freed", 1) /* a realloc that failed has freed the block */           \
    X(REALLOC_CHANGED, "realloc_changed", 1) /* a realloc that failed has changed the block */     \
    X(IMPOSSIBLE, "impossible", 1)           /* a block for a size that nothing can have */        \
    X(CRASHED, "crashed", 1)                 /* a signal in a call of the allocator's */           \
    X(FREE_ERRNO, "free_errno", 0)           /* free() changed errno (POSIX.1-2024) */

enum engine_violation_kind {
#define X(name, word, fails) ENGINE_VIOLATION_##name,
    ENGINE_VIOLATIONS(X)
#undef X
        ENGINE_VIOLATION_LIMIT
};

#define ENGINE_VIOLATIONS_MAX 16         /* kept in full, of a note the first; all are counted */
#define ENGINE_NO_EVENT       UINT64_MAX /* not of the tape: after its last one */

/* One violation. Addresses and offsets in bytes; fields that a kind has no use for are 0. */
struct engine_violation {
    uint64_t event; /* index in the tape of the call during which it was seen */
    uint64_t address, size, usable;
    uint64_t block_event; /* the call that gave the block */
    uint64_t sound_event; /* content: the last call after which all of it was as it should be */
    uint64_t offset;      /* content: the first wrong byte; INACCESSIBLE: the byte that faults */
    uint64_t wrong_bytes; /* content: from there to the last wrong one, at most 64 looked at */
    uint64_t expected;    /* content: 8 bytes from there on; MISALIGNED: the alignment */
    uint64_t found;       /* the same 8 bytes; CRASHED: the signal; *_ERRNO: errno */
    uint64_t other_address, other_size, other_event; /* the block that it overlaps; 0: not known */
    uint32_t kind;                                   /* enum engine_violation_kind */
    uint32_t lane;
    uint8_t call;  /* enum tape_event_kind */
    uint8_t write; /* INACCESSIBLE: writing faults */
    uint8_t reserved[6];
};

/*
 * Raw snapshots, as memory mode writes them to the descriptor that --snapshots-fd names: for each a
 * head, then its mappings, runs and blocks. The driver codes them (analysis/SNAPSHOTS.md).
 */
#define ENGINE_SNAPSHOT_MAGIC UINT64_C(0x31504e5350415448)

enum engine_snapshot_kind {
    ENGINE_SNAPSHOT_GRID = 1,      /* of the grid of operations, or P is a 16th above the highest */
    ENGINE_SNAPSHOT_PEAK = 2,      /* R is the highest so far: the last one is the peak's */
    ENGINE_SNAPSHOT_END = 4,       /* after the last operation */
    ENGINE_SNAPSHOT_NO_PAGES = 16, /* of some mapping it is not known which pages are resident */
    ENGINE_SNAPSHOT_ASKED = 32,    /* after the event that was asked for */
};

struct engine_snapshot {
    uint64_t magic;
    uint64_t event; /* of the tape: the call after which it was taken; ENGINE_NO_EVENT: the end */
    uint64_t blocks, mappings, runs; /* how many follow */
    uint32_t kinds, reserved;        /* enum engine_snapshot_kind */
    struct engine_sample sample;
};
_Static_assert(sizeof(struct engine_snapshot) == 128, "no padding");

/* The allocator's mappings (not the engine's, nor libc's but for the heap); lowest first. */
struct engine_snapshot_mapping {
    uint64_t start, end;
    uint32_t flags, reserved; /* ENGINE_MAPPING_* */
};
#define ENGINE_MAPPING_READ    1u
#define ENGINE_MAPPING_WRITE   2u
#define ENGINE_MAPPING_EXECUTE 4u
#define ENGINE_MAPPING_SHARED  8u
#define ENGINE_MAPPING_FILE    16u
#define ENGINE_MAPPING_BRK     32u

/* Pages of those mappings, in a row and alike, that are resident (or swapped out); lowest first. */
struct engine_snapshot_run {
    uint64_t start, end;
    uint32_t flags, reserved; /* ENGINE_RUN_* */
};
#define ENGINE_RUN_HUGE    1u
#define ENGINE_RUN_SWAPPED 2u

/* A live block, in no order. */
struct engine_snapshot_block {
    uint64_t address, requested, usable;
    uint64_t birth; /* the event that began it, and from ENGINE_BIRTH_LANE on its lane */
};
#define ENGINE_BIRTH_LANE 40
_Static_assert(sizeof(struct engine_snapshot_block) == 32, "no padding");

struct engine_result {
    uint64_t magic, bytes;      /* ENGINE_RESULT_MAGIC, sizeof(struct engine_result) */
    _Atomic uint32_t phase;     /* enum engine_phase */
    uint32_t exit_status;       /* heaptape_exit to report where phase is ENGINE_ERROR */
    _Atomic uint64_t progress;  /* operations done, coarse while timed */
    uint64_t operations;        /* allocator calls replayed */
    uint64_t skipped;           /* events that are not calls to replay (failed, foreign) */
    uint64_t timed_ns, wall_ns; /* inside the timed window; the whole run from main() */
    uint64_t timed_cpu_ns;      /* processor time of all threads in the timed window */
    uint64_t peak_requested_bytes, peak_usable_bytes, peak_held_bytes, peak_resident_bytes;
    uint64_t startup_resident_bytes; /* what the allocator had made resident before the first
                                        operation */
    uint64_t failed_calls;           /* allocations that returned NULL in replay */
    uint64_t minor_faults, major_faults;
    uint64_t waits,
        wait_spins; /* cross-lane dependencies that had to wait, and how long they spun */
    uint64_t realloc_moved, realloc_in_place;
    uint64_t realloc_moved_bytes; /* of those that moved: min(old size, new size) */
    uint64_t pace_idle_ns;    /* paced: time in which nobody was at work, taken out of timed_ns */
    uint64_t paced_ns;        /* from the first operation to the end of the last, windows and all */
    uint64_t pace_max_lag_ns; /* how late the latest operation was, of those that were held back */
    uint64_t pace_late;       /* operations that ran more than 1 ms late */
    uint32_t lanes;
    uint32_t held_known; /* 0: H cannot be told for this allocator and P stands in */
    uint32_t series_count;
    uint32_t damaged; /* 1: part of the tape was unreadable and left out */
    /* Memory mode: by enum engine_system_call, while the replay ran. No figures where not known. */
    uint32_t system_calls_known;
    uint32_t exact_resident; /* the kernel's own sum of resident pages is exact */
    struct engine_call_count system_calls[ENGINE_CALL_LIMIT];
    uint64_t sampling_ns; /* of timed_ns and between windows: reading the samples */
    uint64_t snapshot_ns; /* of sampling_ns: taking snapshots */
    uint32_t snapshots, snapshots_left_out; /* taken; left out for lack of room in their file */
    uint64_t accounting_ns;  /* of timed_ns: keeping R and U, estimated from every 64th call */
    uint64_t metadata_bytes; /* memory mode: what the allocator says of its own data (metadata.h) */
    /* Huge pages at the highest P at which they were read, and that P; ENGINE_UNKNOWN: never. */
    uint64_t huge_bytes_at_peak, huge_peak_resident_bytes;
    /* Verify mode: how many of each kind, and the first of all. */
    _Atomic uint64_t violations[ENGINE_VIOLATION_LIMIT];
    _Atomic uint32_t violations_kept; /* entries of `violation` that are complete */
    uint32_t usable_known;            /* malloc_usable_size is the allocator's and was checked */
    _Atomic uint64_t verified_blocks, verified_bytes; /* blocks given; bytes compared */
    uint64_t verify_table_bytes;                      /* memory of the checks' own tables */
    struct engine_violation violation[ENGINE_VIOLATIONS_MAX];
    char message[320]; /* one line, where phase is ENGINE_ERROR */
    struct engine_sample series[ENGINE_SERIES_MAX];
};

/* Latency mode: struct engine_latency (latency_result.h) stands this far into the mapping. */
#define ENGINE_LATENCY_AT ((sizeof(struct engine_result) + 4095) / 4096 * 4096)

#endif
