#include "recorder/preload/unwind.h"

#include <stdatomic.h>
#include <stddef.h>

#include "recorder/preload/state.h"
#include "recorder/preload/unwind_rule.h"

/*
 * Rules by code address. A slot is taken once and never changes; of an object that is unloaded they
 * stay, which may give a wrong frame where another is loaded in its place.
 */
enum { SLOTS = 1 << 16, PROBES = 8 };
static struct {
    _Atomic uint64_t pc;
    _Atomic uint64_t rule; /* 0: not there yet */
} slot[SLOTS];

static uint64_t find_rule(uint64_t pc)
{
    uint64_t at = pc * UINT64_C(0x9e3779b97f4a7c15) >> 48;
    for (unsigned i = 0; i < PROBES; i++, at++) {
        uint64_t found = atomic_load_explicit(&slot[at & (SLOTS - 1)].pc, memory_order_relaxed);
        if (likely(found == pc)) {
            uint64_t rule =
                atomic_load_explicit(&slot[at & (SLOTS - 1)].rule, memory_order_relaxed);
            return likely(rule) ? rule : unwind_rule_find(pc);
        }
        if (found)
            continue;
        uint64_t rule = unwind_rule_find(pc);
        if (atomic_compare_exchange_strong(&slot[at & (SLOTS - 1)].pc, &found, pc))
            atomic_store_explicit(&slot[at & (SLOTS - 1)].rule, rule, memory_order_relaxed);
        return rule;
    }
    return unwind_rule_find(pc);
}

static inline bool read_stack(const struct unwind_cursor *cursor, uint64_t address,
                              uint64_t *ret_word)
{
    if (unlikely(address < cursor->sp || address > cursor->end - 8 || address & 7))
        return false;
    *ret_word = *(const uint64_t *)(uintptr_t)address;
    return true;
}

static bool find_frame(const struct unwind_cursor *cursor, uint64_t rule, uint64_t *ret_frame)
{
    uint64_t offset = (uint64_t)unwind_rule_offset(rule);
    switch (unwind_rule_frame(rule)) {
    case UNWIND_BY_SP:
        *ret_frame = cursor->sp + offset;
        return true;
    case UNWIND_BY_BP:
        *ret_frame = cursor->bp + offset;
        return true;
    case UNWIND_SAVED:
        return read_stack(cursor, cursor->bp + offset, ret_frame);
    default:
        return false;
    }
}

bool unwind_step(struct unwind_cursor *cursor)
{
    uint64_t rule = find_rule(cursor->pc), frame = 0, pc = 0, bp = cursor->bp;
    int64_t saved_bp = unwind_rule_saved_bp(rule);
    /* A frame is left upwards, or the walk would not end. */
    if (!find_frame(cursor, rule, &frame) || frame <= cursor->sp ||
        !read_stack(cursor, frame - 8, &pc) || !pc ||
        (saved_bp && !read_stack(cursor, frame + (uint64_t)saved_bp, &bp)))
        return false;
    cursor->pc = pc;
    cursor->sp = frame;
    cursor->bp = bp;
    return true;
}
