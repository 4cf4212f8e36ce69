/*
 * From a frame to its caller's, by the call frame information (.eh_frame) that every object carries
 * or, what it describes just as well, by frame pointers. The rule of a return address is worked out
 * once and kept, so a step costs a few nanoseconds afterwards; no lock, no heap, no loader's lock,
 * and safe in a signal handler.
 *
 * Memory is read only between the cursor's own stack pointer and `end`, so a wrong rule gives a
 * wrong frame and never a fault.
 */
#ifndef HEAPTAPE_RECORDER_UNWIND_H
#define HEAPTAPE_RECORDER_UNWIND_H

#include <stdbool.h>
#include <stdint.h>

struct unwind_cursor {
    uint64_t pc; /* of the first frame any address in it, then return addresses; 0: the end */
    uint64_t sp, bp;
    uint64_t end; /* of the stack */
};

/* To the caller. False: there is none, or it cannot be told. */
bool unwind_step(struct unwind_cursor *cursor);

#endif
