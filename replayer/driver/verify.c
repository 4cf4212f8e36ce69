#include "replayer/driver/verify.h"
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "replayer/driver/debugger.h"
#include "replayer/driver/violations.h"
#include "traces/cli.h"
#include "traces/event.h"

static bool only_crashed(const struct engine_run *run)
{
    const struct engine_result *result = &run->result;
    return run->status == RUN_CRASHED && result->usable_known &&
           violations_count(result) ==
               atomic_load_explicit(&result->violations[ENGINE_VIOLATION_CRASHED],
                                    memory_order_relaxed);
}

/* The crash came of writing what the allocator calls usable. */
static void blame_usable(struct engine_run *run)
{
    struct engine_result *result = &run->result;
    struct engine_violation *crash = NULL;
    for (unsigned i = 0; i < violations_kept(result) && !crash; i++)
        if (result->violation[i].kind == ENGINE_VIOLATION_CRASHED)
            crash = &result->violation[i];
    atomic_store(&result->violations[ENGINE_VIOLATION_USABLE_UNWRITABLE], 1);
    atomic_store(&result->violations[ENGINE_VIOLATION_CRASHED], 0);
    if (crash)
        crash->kind = ENGINE_VIOLATION_USABLE_UNWRITABLE;
    run->status = RUN_FAILED;
    violations_line(result, run->detail, sizeof run->detail);
}

void verify_run(struct engine_tape *tape, const struct allocator *allocator,
                const struct engine_settings *settings, struct engine_run *ret_run)
{
    engine_run(tape, allocator, RUN_MODE_VERIFY, settings, ret_run);
    if (settings->usable_skip || !only_crashed(ret_run))
        return;
    struct engine_settings careful = *settings;
    struct engine_run *again = malloc(sizeof *again);
    if (!again)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "out of memory");
    careful.usable_skip = true;
    engine_run(tape, allocator, RUN_MODE_VERIFY, &careful, again);
    if (again->status == RUN_OK)
        blame_usable(ret_run);
    else if (again->status == RUN_INTERRUPTED)
        *ret_run = *again;
    free(again);
}

/* ---- output
 * -------------------------------------------------------------------------------------- */

static void emit_address(struct emit *emit, const char *key, uint64_t address)
{
    char text[24];
    snprintf(text, sizeof text, "0x%llx", (unsigned long long)address);
    emit_string(emit, key, address ? text : "");
}

static void emit_event(struct emit *emit, const char *key, uint64_t event)
{
    if (event == ENGINE_NO_EVENT)
        emit_null(emit, key);
    else
        emit_u64(emit, key, event);
}

static void emit_violation(struct emit *emit, const struct engine_violation *v)
{
    char what[512];
    violation_sentence(v, what, sizeof what);
    emit_object(emit, NULL);
    emit_string(emit, "kind", violation_word(v->kind));
    emit_event(emit, "event", v->event);
    emit_string(emit, "call", v->call ? tape_kind_name(v->call) : "");
    emit_u64(emit, "lane", v->lane);
    if (emit->format != EMIT_TABLE) {
        emit_bool(emit, "fails", violation_fails(v->kind));
        emit_address(emit, "address", v->address);
        emit_u64(emit, "size_bytes", v->size);
        emit_u64(emit, "usable_bytes", v->usable);
        emit_event(emit, "block_event", v->block_event);
        emit_event(emit, "sound_event", v->sound_event);
        emit_u64(emit, "offset_bytes", v->offset);
        emit_u64(emit, "wrong_bytes", v->wrong_bytes);
        emit_address(emit, "expected", v->expected);
        emit_address(emit, "found", v->found);
        emit_address(emit, "other_address", v->other_address);
        emit_u64(emit, "other_size_bytes", v->other_size);
        emit_event(emit, "other_event", v->other_event);
    }
    emit_string(emit, "what", what);
    emit_end(emit);
}

/* What a run that died has not left is no figure. */
static void emit_known(struct emit *emit, const char *key, bool known, uint64_t value)
{
    if (known)
        emit_u64(emit, key, value);
    else
        emit_null(emit, key);
}

/* Arrays only where they have something: in CSV they take the place of all else. */
void verify_emit_lists(struct emit *emit, const struct engine_run *run)
{
    const struct engine_result *result = &run->result;
    if (violations_kept(result) || emit->format == EMIT_JSON) {
        emit_array(emit, "violations_listed");
        for (unsigned i = 0; i < violations_kept(result); i++)
            emit_violation(emit, &result->violation[i]);
        emit_end(emit);
    }
    if (emit->format == EMIT_CSV)
        return;
    emit_object(emit, "violations_by_kind");
    for (unsigned kind = 0; kind < ENGINE_VIOLATION_LIMIT; kind++) {
        uint64_t count = atomic_load_explicit(&result->violations[kind], memory_order_relaxed);
        if (count || emit->format == EMIT_JSON)
            emit_u64(emit, violation_word(kind), count);
    }
    emit_end(emit);
}

void verify_emit(struct emit *emit, const struct engine_tape *tape,
                 const struct allocator *allocator, const struct engine_settings *settings,
                 const struct engine_run *run)
{
    const struct engine_result *result = &run->result;
    const struct engine_violation *first = violations_first(result);
    bool done = atomic_load(&result->phase) == ENGINE_DONE;
    uint64_t operations = done ? result->operations : engine_run_progress(run);
    bool timed = done && operations;
    emit_u64(emit, "operations", operations);
    emit_u64(emit, "violations", violations_count(result));
    emit_u64(emit, "notes", violations_notes(result));
    emit_known(emit, "verified_blocks", done, result->verified_blocks);
    emit_known(emit, "verified_bytes", done, result->verified_bytes);
    emit_string(emit, "usable_bytes",
                !result->usable_known   ? "not checked: malloc_usable_size is another library's"
                : settings->usable_skip ? "size checked"
                                        : "size checked and written");
    emit_fixed(emit, "timed_seconds", done ? (double)result->timed_ns / 1e9 : NAN, 6);
    emit_fixed(emit, "ns_per_operation",
               timed ? (double)result->timed_ns / (double)operations : NAN, 1);
    emit_known(emit, "verify_table_bytes", done, result->verify_table_bytes);
    emit_known(emit, "lanes", done, result->lanes);
    emit_string(emit, "order", settings->order);
    emit_bool(emit, "damaged", result->damaged);
    if (first) {
        char command[8192];
        debugger_command(tape->path, allocator, settings, violation_stop_event(first), command,
                         sizeof command);
        emit_string(emit, "debugger", command);
    }
}
