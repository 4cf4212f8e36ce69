#include "where.h"

#include "heap.h"
#include "huge.h"
#include "mixed.h"

#include <dlfcn.h>

/* How far above the stack pointer an address is taken for one on the stack. */
#define STACK_NEAR ((uintptr_t)1 << 20)

static void line_bytes(struct ht_line *line, const char *what, size_t bytes, const char *state)
{
    line_text(line, what);
    line_number(line, bytes);
    line_text(line, bytes == 1 ? " byte" : " bytes");
    line_text(line, state);
}

/* " (", and when the address is not the block's start, how far inside it is. */
static void line_begin(struct ht_line *line, const void *address, const char *start)
{
    line_text(line, " (");
    if (address == start)
        return;
    line_number(line, (uint64_t)((const char *)address - start));
    line_text(line, " inside ");
    line_hex(line, (uintptr_t)start);
    line_text(line, ", ");
}

#ifdef HT_HARD

/* The size that was asked for and the state stand in the block's seal. */
static void line_block(struct ht_line *line, const char *start, size_t bytes, const char *state)
{
    const char *end = start + bytes;
    uint64_t plain = seal_load(end);
    uint32_t slack = (uint32_t)plain & SLACK_MASK;
    if (seal_holds(plain) && slack <= bytes)
        line_bytes(line, "a block of ", bytes - slack, state);
    else
        line_bytes(line, "a block of up to ", bytes - SEAL_BYTES, state);
}

static const char *state_in_run(const struct run *run, const char *start, size_t bytes)
{
    (void)run;
    if (link_leads(start, link_load(start + bytes)))
        return ", free";
    return seal_holds(seal_load(start + bytes)) ? ", in use" : ", its end overwritten";
}

#else

static void line_block(struct ht_line *line, const char *start, size_t bytes, const char *state)
{
    (void)start;
    line_bytes(line, "a block of up to ", bytes, state);
}

/* Known to the thread alone whose run it is. */
static const char *state_in_run(const struct run *run, const char *start, size_t bytes)
{
    (void)bytes;
    if (run->owner != heap_self)
        return "";
    const struct block *block = run->free;
    for (uint32_t left = run->circulating; left > 0 && block != NULL; left--) {
        if (!run_has_block(run, block))
            return "";
        if ((const char *)block == start)
            return ", free";
        block = block_next(block);
    }
    return ", in use";
}

#endif

static void line_run(struct ht_line *line, const struct run *run, const void *address)
{
    size_t bytes = class_bytes(run->class);
    const char *base = slice_base(run), *start = address;
    if (run_has_block(run, address)) {
        bytes = run_block_bytes(run, address);
    } else {
        if (run->mixed) /* of many sizes: where they begin is not worth the search */
            return;
        start = base + (size_t)((const char *)address - base) / bytes * bytes;
        if (!run_has_block(run, start) || start + bytes > base + run_bytes(run)) {
            line_text(line, " (where no block is)");
            return;
        }
    }
    line_begin(line, address, start);
    if (!run->mixed && run->carve >> ((size_t)(start - base) >> HT_PAGE_SHIFT) & 1)
        line_text(line, "no block since its page was given back");
    else
        line_block(line, start, bytes, state_in_run(run, start, bytes));
    line_text(line, ")");
}

static void line_segment(struct ht_line *line, const void *address)
{
    const struct run *head = slice_of(address);
    if (kind_of(head) == SLICE_INSIDE && head->back < slice_number(head))
        head -= head->back;
    enum slice_kind kind = kind_of(head);
    if (slice_number(head) == 0) {
        line_text(line, " (the allocator's own)");
    } else if (kind == SLICE_RUN) {
        line_run(line, head, address);
    } else if (kind == SLICE_LARGE || kind == SLICE_CACHED) {
        line_begin(line, address, slice_base(head));
        line_block(line, slice_base(head), head->large_bytes,
                   kind == SLICE_LARGE ? ", in use)" : ", free)");
    } else if (kind != SLICE_PRIVATE) {
        line_text(line, " (no block, or none any more)");
    }
}

struct huge_search {
    const char *address, *start;
    size_t bytes;
};

static void visit_huge(void *context, void *start, size_t bytes)
{
    struct huge_search *search = context;
    if ((uintptr_t)search->address - (uintptr_t)start < bytes) {
        search->start = start;
        search->bytes = bytes;
    }
}

static void line_elsewhere(struct ht_line *line, const void *address)
{
    struct huge_search found = {.address = address};
    if (lock_try(&huge_lock)) {
        huge_each(visit_huge, &found);
        lock_give(&huge_lock);
    }
    Dl_info object;
    uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
    if (found.start != NULL) {
        line_begin(line, address, found.start);
        line_block(line, found.start, found.bytes, ", in use)");
    } else if ((uintptr_t)address - frame < STACK_NEAR) {
        line_text(line, " (on the stack)");
    } else if (dladdr(address, &object) != 0 && object.dli_fname != NULL) {
        line_text(line, " (part of ");
        line_text(line, object.dli_fname);
        line_text(line, ")");
    }
}

void line_where(struct ht_line *line, const void *address)
{
    if ((uintptr_t)address >> HT_ADDRESS_BITS != 0)
        line_text(line, " (no address that a program can have)");
    else if (segment_holds(address))
        line_segment(line, address);
    else
        line_elsewhere(line, address);
}
