/*
 * The rule by which the frame of one code address is left, worked out from .eh_frame (DWARF 5,
 * section 6.4; System V ABI for AMD64, section 3.7; Linux Standard Base, "Exception Frames").
 *
 * It is one word, so that it can be kept and read by any thread at once:
 *   bits 0-2    enum unwind_frame: where the canonical frame address (CFA) is
 *   bits 3-33   its offset, signed
 *   bits 34-63  where the caller's rbp was saved, from the CFA, signed; 0: it was not touched
 * The return address is at CFA - 8.
 */
#ifndef HEAPTAPE_RECORDER_UNWIND_RULE_H
#define HEAPTAPE_RECORDER_UNWIND_RULE_H

#include <stdint.h>

enum unwind_frame {
    UNWIND_BY_SP = 1, /* rsp + offset */
    UNWIND_BY_BP = 2, /* rbp + offset: there is a frame pointer */
    UNWIND_SAVED = 3, /* what lies at rbp + offset: functions that align their stack */
    UNWIND_STOP = 4,  /* the outermost frame, or a rule of another kind */
};

#define UNWIND_OFFSET_BITS 31
#define UNWIND_SAVED_BITS  30

static inline unsigned unwind_rule_frame(uint64_t rule)
{
    return (unsigned)(rule & 7);
}
static inline int64_t unwind_rule_offset(uint64_t rule)
{
    return (int64_t)(rule << UNWIND_SAVED_BITS) >> (UNWIND_SAVED_BITS + 3);
}
static inline int64_t unwind_rule_saved_bp(uint64_t rule)
{
    return (int64_t)rule >> (64 - UNWIND_SAVED_BITS);
}

/* Never 0. A few microseconds; safe in a signal handler, needs glibc 2.35. */
uint64_t unwind_rule_find(uint64_t pc);

#endif
