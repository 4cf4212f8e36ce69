#include "replayer/driver/run_memory.h"
#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include "traces/cli.h"

const char *run_memory_call_word(enum engine_system_call call)
{
    static const char *const words[ENGINE_CALL_LIMIT] = {
#define X(name, word) word,
        ENGINE_SYSTEM_CALLS(X)
#undef X
    };
    return words[call];
}

uint64_t run_memory_calls(const struct run_memory *memory)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < ENGINE_CALL_LIMIT; i++)
        sum += memory->calls[i].calls;
    return sum;
}

void run_memory_take(struct run_memory *memory, const struct engine_result *result)
{
    memset(memory, 0, sizeof *memory);
    memory->calls_known = result->system_calls_known != 0;
    for (unsigned i = 0; i < ENGINE_CALL_LIMIT && memory->calls_known; i++) {
        const struct engine_call_count *count = &result->system_calls[i];
        memory->calls[i].calls = atomic_load_explicit(&count->calls, memory_order_relaxed);
        memory->calls[i].failed = atomic_load_explicit(&count->failed, memory_order_relaxed);
        memory->calls[i].bytes = atomic_load_explicit(&count->bytes, memory_order_relaxed);
    }
    memory->huge_bytes_at_peak = result->huge_bytes_at_peak;
    memory->huge_peak_resident_bytes = result->huge_peak_resident_bytes;
    memory->reallocs_in_place = result->realloc_in_place;
    memory->reallocs_moved = result->realloc_moved;
    memory->reallocs_moved_bytes = result->realloc_moved_bytes;
    memory->metadata_bytes = result->metadata_bytes;
    memory->sampling_seconds = (double)result->sampling_ns / 1e9;
    memory->accounting_seconds = (double)result->accounting_ns / 1e9;
}

const char *run_memory_calls_text(const struct run_memory *memory, char *text, size_t bytes)
{
    size_t length = 0;
    char size[16];
    *text = 0;
    for (unsigned i = 0; i < ENGINE_CALL_LIMIT && length < bytes; i++)
        if (memory->calls[i].calls)
            length += (size_t)snprintf(text + length, bytes - length, "%s%s %" PRIu64 " (%s)",
                                       length ? ", " : "", run_memory_call_word(i),
                                       memory->calls[i].calls,
                                       cli_format_bytes(memory->calls[i].bytes, size));
    if (!memory->calls_known)
        return NULL;
    return length ? text : "none";
}

static void emit_calls(struct emit *emit, const struct run_memory *memory)
{
    emit_array(emit, "system_calls");
    for (unsigned i = 0; memory && i < ENGINE_CALL_LIMIT; i++) {
        if (!memory->calls[i].calls)
            continue;
        emit_object(emit, NULL);
        emit_string(emit, "name", run_memory_call_word(i));
        emit_u64(emit, "calls", memory->calls[i].calls);
        emit_u64(emit, "failed", memory->calls[i].failed);
        emit_u64(emit, "bytes", memory->calls[i].bytes);
        emit_end(emit);
    }
    emit_end(emit);
}

static void emit_known(struct emit *emit, const char *key, bool known, uint64_t value)
{
    if (known)
        emit_u64(emit, key, value);
    else
        emit_null(emit, key);
}

void run_memory_emit(struct emit *emit, const struct run_memory *memory, bool calls)
{
    bool huge = memory && memory->huge_bytes_at_peak != ENGINE_UNKNOWN;
    emit_known(emit, "huge_bytes_at_peak", huge, huge ? memory->huge_bytes_at_peak : 0);
    emit_fixed(emit, "huge_share_at_peak",
               huge && memory->huge_peak_resident_bytes
                   ? (double)memory->huge_bytes_at_peak / (double)memory->huge_peak_resident_bytes
                   : NAN,
               4);
    emit_known(emit, "system_call_count", memory && memory->calls_known,
               memory ? run_memory_calls(memory) : 0);
    emit_known(emit, "reallocs_in_place", memory, memory ? memory->reallocs_in_place : 0);
    emit_known(emit, "reallocs_moved", memory, memory ? memory->reallocs_moved : 0);
    emit_known(emit, "reallocs_moved_bytes", memory, memory ? memory->reallocs_moved_bytes : 0);
    bool told = memory && memory->metadata_bytes != ENGINE_UNKNOWN;
    emit_known(emit, "metadata_bytes", told, told ? memory->metadata_bytes : 0);
    emit_fixed(emit, "sampling_seconds", memory ? memory->sampling_seconds : NAN, 9);
    emit_fixed(emit, "accounting_seconds", memory ? memory->accounting_seconds : NAN, 9);
    if (calls)
        emit_calls(emit, memory);
}
