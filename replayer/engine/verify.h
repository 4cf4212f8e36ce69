/*
 * Verify mode: what the engine knows of every live block, and the checks of every answer that the
 * allocator gives.
 *
 * A block is known from after the call that gave it until before the call that takes it, so with
 * several threads nothing is told wrongly, whatever the allocator does in between: a block that two
 * threads hold at once is seen by the second of them.
 *
 * - Addresses: shadow.h and own.h.
 * - Content: pattern.h. The whole block, up to malloc_usable_size() where that is the allocator's
 *   own, is written when the block is given and compared before it is freed, before and after a
 *   realloc, and at the end of the tape. The key is the event that gave the block, and stays
 * through its reallocs.
 * - Alignment: malloc's guarantee is 16 bytes; below 16 bytes the largest power of two that fits in
 *   the block (C23 7.24.3). Of the aligned calls it is what was asked for.
 * - Errors: verify_probe.c. Sizes that nothing can have must fail, and a realloc that fails must
 *   leave its block as it was.
 *
 * A violation is told once: what a realloc has lost is filled anew, and a block that shares its
 * memory with somebody is left alone (VERIFY_SHARED), so that what follows is not told as more.
 * Memory: 48 bytes a slot and the shadow. No heap call of the engine's own.
 */
#ifndef HEAPTAPE_REPLAYER_VERIFY_H
#define HEAPTAPE_REPLAYER_VERIFY_H

#include "replayer/engine/own.h"
#include "replayer/engine/replay.h"
#include "replayer/engine/shadow.h"
#include "replayer/engine/window.h"

#define VERIFY_SHARED                                                                              \
    1 /* lies on another block, or cannot be touched: its content is not checked */
#define VERIFY_UNFREED 2 /* its address is another live block's: freed once, by that one */
#define VERIFY_ATTEMPT 4 /* a realloc of it has failed on purpose */

struct verify_block {
    _Atomic uintptr_t address; /* 0: no block */
    uint64_t size, usable;     /* asked for; the same or malloc_usable_size() */
    uint64_t event;            /* that gave it: the key of its content */
    uint64_t sound_event;      /* after which its content was last seen sound */
    uint32_t lane;             /* of `event` */
    _Atomic uint32_t flags;    /* VERIFY_* */
};
_Static_assert(sizeof(struct verify_block) == 48, "as the header says");

/* The call that is being checked. */
struct verify_call {
    uint64_t event; /* of the tape; ENGINE_NO_EVENT */
    uint32_t lane;
    uint8_t kind; /* enum tape_event_kind */
};

void verify_open(struct replay *replay, const struct engine_settings *settings);
/* Before the first window's, and every later window's, planning; and when all is planned. */
void verify_pause(void);
void verify_resume(const struct window *window);
/* After the last window: the blocks that are still live, and the last probes. */
void verify_close(void);

/* ---- for verify_loop.c and verify_probe.c
 * -------------------------------------------------------- */

extern struct verify {
    struct replay *replay;
    const struct window_origin *origins;
    uint64_t first_event; /* of the window */
    uint64_t stop_at;
    bool write_usable;
    struct shadow shadow;
} verify;

/* What the thread is about, also for a crash in the allocator. */
extern __thread struct verify_call verify_now;

/* Of the thread since its loop began. */
struct verify_counts {
    uint64_t blocks, bytes; /* given; compared */
};
extern __thread struct verify_counts verify_counts;

static inline struct verify_block *verify_block_of(uint32_t slot)
{
    return &((struct verify_block *)verify.replay->verify_blocks)[slot];
}

/*
 * The call has given `address` (not NULL) for `size` bytes. Fills in *block and tells what is
 * wrong. `aligned`: the alignment asked for, 0 for malloc's own. `zero`: all must be zero.
 * `kept_bytes`: of a realloc, how much of the old content must be there; `block` then has that
 * block's identity.
 */
void verify_given(struct verify_block *block, uintptr_t address, uint64_t size, uint64_t aligned,
                  bool zero, uint64_t kept_bytes);
/* All of the block's content is compared; told as DAMAGED where it is wrong. */
void verify_sound(struct verify_block *block);
/* It is about to be freed, or to be given to realloc: no longer live. */
void verify_taken(struct verify_block *block);
/* The realloc that it was given to failed: it is live again at `address`, as it was. */
void verify_kept(struct verify_block *block, uintptr_t address);
/* NULL was given for `size` bytes > 0; `error`: errno or what posix_memalign returned. */
void verify_null(struct replay_thread *self, uint64_t size, int error);
/* A violation of verify_now's call with what is known of the block. */
struct engine_violation verify_violation(enum engine_violation_kind kind,
                                         const struct verify_block *block);

/* The first byte of the block that is not as it was filled, PATTERN_OK, or VERIFY_FAULT. */
#define VERIFY_FAULT (UINT64_MAX - 1)
uint64_t verify_compare(struct verify_block *block);

/* A realloc of the block that must fail. False: it freed the block, which is forgotten. */
bool verify_failing_realloc(struct verify_block *block);
/* At the end: sizes that no block can have, and the same on blocks of the engine's own. */
void verify_impossible_sizes(void);

#endif
