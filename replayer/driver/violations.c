#include "replayer/driver/violations.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include "replayer/driver/process.h"

static const struct {
    const char *word;
    bool fails;
} kinds[] = {
#define X(name, word, fails) {word, fails},
    ENGINE_VIOLATIONS(X)
#undef X
};

const char *violation_word(unsigned kind)
{
    return kind < ENGINE_VIOLATION_LIMIT ? kinds[kind].word : "unknown";
}

bool violation_fails(unsigned kind)
{
    return kind < ENGINE_VIOLATION_LIMIT && kinds[kind].fails;
}

static uint64_t count(const struct engine_result *result, bool fails)
{
    uint64_t sum = 0;
    for (unsigned kind = 0; kind < ENGINE_VIOLATION_LIMIT; kind++)
        if (violation_fails(kind) == fails)
            sum += atomic_load_explicit(&result->violations[kind], memory_order_relaxed);
    return sum;
}

uint64_t violations_count(const struct engine_result *result)
{
    return count(result, true);
}

uint64_t violations_notes(const struct engine_result *result)
{
    return count(result, false);
}

unsigned violations_kept(const struct engine_result *result)
{
    uint32_t kept = atomic_load_explicit(&result->violations_kept, memory_order_relaxed);
    return kept < ENGINE_VIOLATIONS_MAX ? kept : ENGINE_VIOLATIONS_MAX;
}

const struct engine_violation *violations_first(const struct engine_result *result)
{
    for (unsigned i = 0; i < violations_kept(result); i++)
        if (violation_fails(result->violation[i].kind))
            return &result->violation[i];
    return NULL;
}

/* ---- sentences ----------------------------------------------------------------------------- */

struct line {
    char *text;
    size_t bytes, used;
};

static __attribute__((format(printf, 2, 3))) void add(struct line *line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line->text + line->used, line->bytes - line->used, format, arguments);
    va_end(arguments);
    if (length > 0)
        line->used += (size_t)length;
    if (line->used >= line->bytes)
        line->used = line->bytes - 1;
}

static void add_bytes(struct line *line, uint64_t bytes)
{
    add(line, "%" PRIu64 " byte%s", bytes, bytes == 1 ? "" : "s");
}

/* "0x7f... (64 bytes)" */
static void add_block(struct line *line, const struct engine_violation *v)
{
    add(line, "%#" PRIx64 " (", v->address);
    add_bytes(line, v->size);
    add(line, ")");
}

static void add_event(struct line *line, const char *before, uint64_t event)
{
    if (event == ENGINE_NO_EVENT)
        add(line, "%s the end of the tape", before);
    else
        add(line, "%s event %" PRIu64, before, event);
}

static void add_other(struct line *line, const struct engine_violation *v)
{
    if (!v->other_address) {
        add(line, " a live block");
        return;
    }
    add(line, " the live block %#" PRIx64 " (", v->other_address);
    add_bytes(line, v->other_size);
    add_event(line, ") of", v->other_event);
}

/* Up to eight bytes in the order in which they lie in memory. */
static void add_memory(struct line *line, uint64_t bytes, uint64_t count)
{
    for (uint64_t i = 0; i < count && i < 8; i++)
        add(line, " %02x", (unsigned)(bytes >> 8 * i & 0xff));
}

static void add_content(struct line *line, const struct engine_violation *v)
{
    uint64_t count = v->size > v->usable ? v->size : v->usable;
    count = v->offset < count ? count - v->offset : 0;
    add(line, " from byte %" PRIu64 " on: expected", v->offset);
    add_memory(line, v->expected, count);
    add(line, ", found");
    add_memory(line, v->found, count);
    add(line, " (");
    add_bytes(line, v->wrong_bytes);
    add(line, "%s wrong)", v->wrong_bytes >= 64 ? " or more" : "");
}

static void say_content(struct line *line, const struct engine_violation *v)
{
    add_block(line, v);
    if (v->kind == ENGINE_VIOLATION_NOT_ZERO) {
        add(line, " is not zero");
    } else {
        add_event(line, v->kind == ENGINE_VIOLATION_DAMAGED ? " given by" : " first given by",
                  v->block_event);
        if (v->kind == ENGINE_VIOLATION_DAMAGED)
            add_event(line, ", still sound after", v->sound_event);
        add(line, v->kind == ENGINE_VIOLATION_DAMAGED ? ", has changed" : " lost its content");
    }
    add_content(line, v);
}

static void say_place(struct line *line, const struct engine_violation *v)
{
    add_block(line, v);
    switch (v->kind) {
    case ENGINE_VIOLATION_OVERLAP:
        add(line, " lies on");
        add_other(line, v);
        break;
    case ENGINE_VIOLATION_DUPLICATE:
        add(line, " is");
        add_other(line, v);
        break;
    case ENGINE_VIOLATION_USABLE_OVERLAP:
        add(line, ", usable %" PRIu64 ", reaches into", v->usable);
        add_other(line, v);
        break;
    case ENGINE_VIOLATION_USABLE_SMALL:
        add(line, " has a usable size of %" PRIu64, v->usable);
        break;
    case ENGINE_VIOLATION_MISALIGNED:
        add(line, " is not a multiple of %" PRIu64, v->expected);
        break;
    case ENGINE_VIOLATION_INACCESSIBLE:
        add(line, " faults when byte %" PRIu64 " is %s", v->offset, v->write ? "written" : "read");
        break;
    default:
        add(line, " lies in memory of the replay, of libc or of a stack");
        break;
    }
}

static void say_error(struct line *line, const struct engine_violation *v)
{
    switch (v->kind) {
    case ENGINE_VIOLATION_NULL:
        add(line, "NULL (errno %" PRIu64 ") for ", v->found);
        add_bytes(line, v->size);
        add(line, ", which the system has");
        break;
    case ENGINE_VIOLATION_NULL_ERRNO:
        add(line, "NULL for ");
        add_bytes(line, v->size);
        add(line, " with errno %" PRIu64 ", not ENOMEM", v->found);
        break;
    case ENGINE_VIOLATION_REALLOC_FREED:
    case ENGINE_VIOLATION_REALLOC_CHANGED:
        add(line, "a realloc that had to fail has %s ",
            v->kind == ENGINE_VIOLATION_REALLOC_FREED ? "freed" : "changed");
        add_block(line, v);
        add_event(line, " given by", v->block_event);
        break;
    case ENGINE_VIOLATION_IMPOSSIBLE:
        add(line, "%#" PRIx64 " for %" PRIu64 " bytes, which nothing can have", v->address,
            v->size);
        break;
    case ENGINE_VIOLATION_CRASHED:
        add(line, "%s in the allocator", process_signal_name((int)v->found));
        if (v->address)
            add(line, " at address %#" PRIx64, v->address);
        break;
    case ENGINE_VIOLATION_FREE_ERRNO:
        add(line, "free(%#" PRIx64 ") set errno to %" PRIu64, v->address, v->found);
        break;
    default:
        add(line, "the allocator breaks when all that malloc_usable_size() tells is written, and "
                  "does not when it is left alone");
        break;
    }
}

void violation_sentence(const struct engine_violation *v, char *text, size_t bytes)
{
    struct line line = {text, bytes, 0};
    text[0] = 0;
    switch (v->kind) {
    case ENGINE_VIOLATION_NOT_ZERO:
    case ENGINE_VIOLATION_REALLOC_LOST:
    case ENGINE_VIOLATION_DAMAGED:
        say_content(&line, v);
        break;
    case ENGINE_VIOLATION_OVERLAP:
    case ENGINE_VIOLATION_DUPLICATE:
    case ENGINE_VIOLATION_USABLE_OVERLAP:
    case ENGINE_VIOLATION_USABLE_SMALL:
    case ENGINE_VIOLATION_MISALIGNED:
    case ENGINE_VIOLATION_INACCESSIBLE:
    case ENGINE_VIOLATION_NOT_HEAP:
        say_place(&line, v);
        break;
    default:
        say_error(&line, v);
        break;
    }
}

void violations_line(const struct engine_result *result, char *text, size_t bytes)
{
    const struct engine_violation *first = violations_first(result);
    struct line line = {text, bytes, 0};
    const char *between = "";
    text[0] = 0;
    for (unsigned kind = 0; kind < ENGINE_VIOLATION_LIMIT; kind++) {
        uint64_t of_kind = atomic_load_explicit(&result->violations[kind], memory_order_relaxed);
        if (!of_kind || !violation_fails(kind))
            continue;
        add(&line, "%s%" PRIu64 " %s", between, of_kind, violation_word(kind));
        between = ", ";
    }
    if (!first)
        return;
    char sentence[400];
    violation_sentence(first, sentence, sizeof sentence);
    add_event(&line, "; first at", first->event);
    add(&line, ", %s: %s", violation_word(first->kind), sentence);
}

uint64_t violation_stop_event(const struct engine_violation *v)
{
    switch (v->kind) {
    case ENGINE_VIOLATION_DAMAGED:
    case ENGINE_VIOLATION_REALLOC_FREED:
        return v->block_event;
    default:
        return v->event;
    }
}
