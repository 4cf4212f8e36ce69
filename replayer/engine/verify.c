#include "replayer/engine/verify.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>
#include <sys/mman.h>
#include "replayer/engine/guard.h"
#include "replayer/engine/pattern.h"
#include "replayer/engine/violation.h"
#include "traces/event.h"

#define MALLOC_ALIGNMENT ((uint64_t)16)
#define SEARCH_BUDGET    (UINT64_C(1) << 28) /* blocks looked at in all, for those overlapped */
#define END_ATTEMPTS     64 /* blocks live at the end whose realloc is made to fail */

struct verify verify;
__thread struct verify_call verify_now;
__thread struct verify_counts verify_counts;

static _Atomic uint64_t searched; /* blocks */

struct engine_violation verify_violation(enum engine_violation_kind kind,
                                         const struct verify_block *block)
{
    struct engine_violation violation = {
        .kind = kind, .event = verify_now.event, .lane = verify_now.lane, .call = verify_now.kind};
    if (block) {
        violation.address = atomic_load_explicit(&block->address, memory_order_relaxed);
        violation.size = block->size;
        violation.usable = block->usable;
        violation.block_event = block->event;
        violation.sound_event = block->sound_event;
    }
    return violation;
}

/* ---- overlap ------------------------------------------------------------------------------- */

/* What of a block the shadow has. A block of no bytes has an address of its own all the same. */
static uint64_t shadowed(const struct verify_block *block)
{
    uint64_t bytes = block->usable > block->size ? block->usable : block->size;
    return bytes ? bytes : 1;
}

/*
 * The live block that `self` lies on, and of what kind the violation is: the one with its address
 * if there is one, else one whose requested bytes it shares, else one whose usable bytes. NULL:
 * there is none.
 */
static struct verify_block *find_other(const struct verify_block *self,
                                       enum engine_violation_kind *ret_kind)
{
    uintptr_t start = atomic_load_explicit(&self->address, memory_order_relaxed);
    uintptr_t end = start + shadowed(self), size_end = start + (self->size ? self->size : 1);
    struct verify_block *found = NULL;
    *ret_kind = ENGINE_VIOLATION_USABLE_OVERLAP;
    for (uint32_t slot = 0; slot < verify.replay->slot_count; slot++) {
        struct verify_block *other = verify_block_of(slot);
        uintptr_t address = atomic_load_explicit(&other->address, memory_order_acquire);
        if (!address || other == self || address >= end || address + shadowed(other) <= start)
            continue;
        if (address == start) {
            *ret_kind = ENGINE_VIOLATION_DUPLICATE;
            return other;
        }
        if (address < size_end && start < address + (other->size ? other->size : 1))
            *ret_kind = ENGINE_VIOLATION_OVERLAP;
        else if (found)
            continue;
        found = other;
    }
    return found;
}

static bool is_whole_granules(uintptr_t address, uint64_t bytes)
{
    return address % SHADOW_GRANULE == 0 && bytes % SHADOW_GRANULE == 0;
}

/*
 * The shadow says that some of the block was live already. A search of all blocks tells whose it
 * was. Without an answer it has just gone (others run meanwhile), or nothing overlaps and only a
 * granule is shared: then nothing is told, unless that cannot be.
 */
static void tell_overlap(struct verify_block *block)
{
    static _Atomic uint32_t last_kind = ENGINE_VIOLATION_OVERLAP;
    uintptr_t address = atomic_load_explicit(&block->address, memory_order_relaxed);
    enum engine_violation_kind kind = atomic_load(&last_kind);
    struct verify_block *other = NULL;
    if (atomic_fetch_add(&searched, verify.replay->slot_count) < SEARCH_BUDGET)
        other = find_other(block, &kind);
    if (!other && !is_whole_granules(address, shadowed(block)))
        return;
    struct engine_violation violation = verify_violation(kind, block);
    block->flags |= VERIFY_SHARED;
    if (other) {
        atomic_store(&last_kind, kind);
        violation.other_address = atomic_load_explicit(&other->address, memory_order_relaxed);
        violation.other_size = other->size;
        violation.other_event = other->event;
        if (kind == ENGINE_VIOLATION_DUPLICATE) {
            block->flags |= VERIFY_UNFREED;
            if (other->flags & VERIFY_ATTEMPT)
                violation.kind = ENGINE_VIOLATION_REALLOC_FREED;
        }
        other->flags |= VERIFY_SHARED;
    }
    violation_tell(&violation);
}

/* ---- content ------------------------------------------------------------------------------- */

static uint64_t filled_bytes(const struct verify_block *block)
{
    return verify.write_usable && block->usable > block->size ? block->usable : block->size;
}

static void *memory_of(const struct verify_block *block)
{
    return (void *)atomic_load_explicit(&block->address, memory_order_relaxed);
}

/* A touch of the block has faulted. */
static void tell_fault(struct verify_block *block)
{
    struct engine_violation violation = verify_violation(ENGINE_VIOLATION_INACCESSIBLE, block);
    violation.offset = guard.address - violation.address;
    violation.write = guard.write;
    block->flags |= VERIFY_SHARED;
    violation_tell(&violation);
}

static void fill(struct verify_block *block, uint64_t from)
{
    if (block->flags & VERIFY_SHARED)
        return;
    if (guard_enter()) {
        tell_fault(block);
        return;
    }
    uint64_t bytes = filled_bytes(block);
    pattern_fill(memory_of(block), from, bytes, pattern_key(block->event));
    guard_leave();
    verify_counts.bytes += bytes - from;
    block->sound_event = verify_now.event;
}

/* Tells that the content is wrong from `offset` on. `zero`: zeros were expected. */
static void tell_content(const struct verify_block *block, enum engine_violation_kind kind,
                         uint64_t offset, uint64_t limit, bool zero)
{
    struct engine_violation violation = verify_violation(kind, block);
    const unsigned char *memory = memory_of(block);
    uint64_t key = pattern_key(block->event);
    violation.offset = offset;
    for (uint64_t i = 0; i < 64 && offset + i < limit; i++) {
        uint64_t at = offset + i;
        unsigned char expected = zero ? 0 : (unsigned char)(pattern_word(key, at) >> at % 8 * 8);
        if (i < 8) {
            violation.expected |= (uint64_t)expected << 8 * i;
            violation.found |= (uint64_t)memory[at] << 8 * i;
        }
        if (memory[at] != expected)
            violation.wrong_bytes = i + 1;
    }
    violation_tell(&violation);
}

/* Compares the first `limit` bytes of a block that was filled to `filled`. */
static void check_content(struct verify_block *block, uint64_t limit, uint64_t filled,
                          enum engine_violation_kind kind)
{
    if (block->flags & VERIFY_SHARED)
        return;
    if (guard_enter()) {
        tell_fault(block);
        return;
    }
    uint64_t wrong = pattern_check(memory_of(block), limit, filled, pattern_key(block->event));
    if (ENGINE_UNLIKELY(wrong != PATTERN_OK))
        tell_content(block, kind, wrong, limit, false);
    guard_leave();
    verify_counts.bytes += limit;
    block->sound_event = verify_now.event;
    if (ENGINE_LIKELY(wrong == PATTERN_OK))
        return;
    if (kind == ENGINE_VIOLATION_DAMAGED) /* somebody else writes there: leave it to them */
        block->flags |= VERIFY_SHARED;
    else
        fill(block, 0);
}

void verify_sound(struct verify_block *block)
{
    check_content(block, filled_bytes(block), filled_bytes(block), ENGINE_VIOLATION_DAMAGED);
}

uint64_t verify_compare(struct verify_block *block)
{
    if (block->flags & VERIFY_SHARED)
        return PATTERN_OK;
    if (guard_enter())
        return VERIFY_FAULT;
    uint64_t wrong = pattern_check(memory_of(block), filled_bytes(block), filled_bytes(block),
                                   pattern_key(block->event));
    guard_leave();
    return wrong;
}

static void check_zero(struct verify_block *block)
{
    if (block->flags & VERIFY_SHARED)
        return;
    if (guard_enter()) {
        tell_fault(block);
        return;
    }
    uint64_t wrong = pattern_check_zero(memory_of(block), block->size);
    if (wrong != PATTERN_OK)
        tell_content(block, ENGINE_VIOLATION_NOT_ZERO, wrong, block->size, true);
    guard_leave();
    verify_counts.bytes += block->size;
}

/* ---- a block comes and goes ---------------------------------------------------------------- */

static uint64_t alignment_of(uint64_t size)
{
    if (size >= MALLOC_ALIGNMENT)
        return MALLOC_ALIGNMENT;
    return size ? UINT64_C(1) << (63 - __builtin_clzll(size)) : 1;
}

static void check_alignment(struct verify_block *block, uint64_t aligned)
{
    uintptr_t address = atomic_load_explicit(&block->address, memory_order_relaxed);
    uint64_t alignment = aligned ? aligned : alignment_of(block->size);
    if (address & (alignment - 1)) {
        struct engine_violation violation = verify_violation(ENGINE_VIOLATION_MISALIGNED, block);
        violation.expected = alignment;
        violation_tell(&violation);
    }
}

/* Whether its first byte can be read at all: else the allocator's own functions would fault on it.
 */
static bool is_there(struct verify_block *block)
{
    if (guard_enter()) {
        tell_fault(block);
        return false;
    }
    (void)*(volatile char *)memory_of(block);
    guard_leave();
    return true;
}

static void check_usable(struct verify_block *block)
{
    block->usable = block->size;
    if (!verify.replay->usable_known || (block->size && !is_there(block)))
        return;
    uint64_t usable = malloc_usable_size(memory_of(block));
    block->usable = usable;
    if (usable >= block->size)
        return;
    struct engine_violation violation = verify_violation(ENGINE_VIOLATION_USABLE_SMALL, block);
    violation_tell(&violation);
    block->size = usable; /* the rest may be anybody's */
}

static void enter(struct verify_block *block)
{
    uintptr_t address = atomic_load_explicit(&block->address, memory_order_relaxed);
    bool possible = shadow_covers(address, shadowed(block));
    if (possible && ENGINE_UNLIKELY(shadow_enter(&verify.shadow, address, shadowed(block))))
        tell_overlap(block);
    if (block->flags & VERIFY_SHARED || (possible && !own_overlaps(address, shadowed(block))))
        return;
    struct engine_violation violation = verify_violation(ENGINE_VIOLATION_NOT_HEAP, block);
    block->flags |= VERIFY_SHARED;
    violation_tell(&violation);
}

void verify_given(struct verify_block *block, uintptr_t address, uint64_t size, uint64_t aligned,
                  bool zero, uint64_t kept_bytes)
{
    uint64_t old_filled = filled_bytes(block);
    uint32_t old_flags = block->flags;
    block->size = size;
    block->flags = 0;
    verify_counts.blocks++;
    atomic_store_explicit(&block->address, address, memory_order_release);
    check_usable(block);
    check_alignment(block, aligned);
    enter(block);
    if (zero)
        check_zero(block);
    kept_bytes = kept_bytes < block->size ? kept_bytes : block->size;
    bool has_content = kept_bytes && !(old_flags & VERIFY_SHARED);
    if (has_content)
        check_content(block, kept_bytes, old_filled, ENGINE_VIOLATION_REALLOC_LOST);
    /* Of very large blocks not all was filled (pattern.h). */
    fill(block, has_content && old_filled <= PATTERN_WHOLE ? kept_bytes : 0);
}

void verify_taken(struct verify_block *block)
{
    uintptr_t address = atomic_load_explicit(&block->address, memory_order_relaxed);
    if (shadow_covers(address, shadowed(block)))
        shadow_leave(&verify.shadow, address, shadowed(block));
    atomic_store_explicit(&block->address, 0, memory_order_release);
}

void verify_kept(struct verify_block *block, uintptr_t address)
{
    atomic_store_explicit(&block->address, address, memory_order_release);
    enter(block);
}

void verify_null(struct replay_thread *self, uint64_t size, int error)
{
    /* The system may really have no memory for this: then the run is out of memory, and that is no
     * violation. */
    void *trial = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct engine_violation violation = verify_violation(ENGINE_VIOLATION_NULL, NULL);
    violation.size = size;
    violation.found = (uint64_t)error;
    if (trial != MAP_FAILED) {
        munmap(trial, size);
        violation_tell(&violation);
    } else {
        self->failed++;
    }
    if (error != ENOMEM) {
        violation.kind = ENGINE_VIOLATION_NULL_ERRNO;
        violation_tell(&violation);
    }
}

/* ---- the run ------------------------------------------------------------------------------- */

static void on_death(int signal_number, uintptr_t address)
{
    struct engine_violation violation = verify_violation(ENGINE_VIOLATION_CRASHED, NULL);
    violation.address = address;
    violation.found = (uint64_t)signal_number;
    violation_tell(&violation);
}

void verify_open(struct replay *replay, const struct engine_settings *settings)
{
    verify.replay = replay;
    verify.stop_at = settings->stop_at;
    verify.write_usable = replay->usable_known && !settings->usable_skip;
    engine_result->usable_known = replay->usable_known;
    shadow_open(&verify.shadow);
    guard_open(on_death);
}

void verify_pause(void)
{
    own_pause();
}

void verify_resume(const struct window *window)
{
    verify.origins = window->origins.base;
    verify.first_event = window->first_event;
    shadow_sweep(&verify.shadow);
    own_resume();
}

void verify_close(void)
{
    uint32_t attempts = 0;
    verify_now = (struct verify_call){.event = ENGINE_NO_EVENT};
    for (uint32_t slot = 0; slot < verify.replay->slot_count; slot++) {
        struct verify_block *block = verify_block_of(slot);
        if (!atomic_load_explicit(&block->address, memory_order_relaxed))
            continue;
        verify_sound(block);
        if (!block->flags && attempts++ < END_ATTEMPTS)
            verify_failing_realloc(block);
    }
    verify_impossible_sizes();
    engine_result->verified_blocks += verify_counts.blocks;
    engine_result->verified_bytes += verify_counts.bytes;
    engine_result->verify_table_bytes =
        verify.shadow.bytes + verify.replay->slot_count * sizeof(struct verify_block);
}
