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

enum engine_phase { ENGINE_STARTED, ENGINE_PLANNED, ENGINE_REPLAYING, ENGINE_DONE, ENGINE_ERROR };

/* One point of the memory series. Baselines (the process before the first replayed operation) are
 * out. */
struct engine_sample {
    uint64_t operation;       /* operations done */
    uint64_t time_ns;         /* time of replay so far (not the recorded time) */
    uint64_t requested_bytes; /* R */
    uint64_t usable_bytes;    /* U */
    uint64_t held_bytes;      /* H */
    uint64_t resident_bytes;  /* P */
};

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
    uint32_t lanes;
    uint32_t held_known; /* 0: H cannot be told for this allocator and P stands in */
    uint32_t series_count;
    uint32_t damaged;  /* 1: part of the tape was unreadable and left out */
    char message[320]; /* one line, where phase is ENGINE_ERROR */
    struct engine_sample series[ENGINE_SERIES_MAX];
};

#endif
