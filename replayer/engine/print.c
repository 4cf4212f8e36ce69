#include "replayer/engine/print.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "replayer/engine/proc.h"

/* Not through stdout: a stream's buffer would come from the heap that was measured. */
static __attribute__((format(printf, 1, 2))) void line(const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (length > 0 && write(STDOUT_FILENO, text, (size_t)length) < 0)
        _exit(4);
}

/* clang-format off */
#define FIELDS(X) \
    X(operations) \
    X(skipped) \
    X(timed_ns) \
    X(timed_cpu_ns) \
    X(wall_ns) \
    X(peak_requested_bytes) \
    X(peak_usable_bytes) \
    X(peak_held_bytes) \
    X(peak_resident_bytes) \
    X(startup_resident_bytes) \
    X(failed_calls) \
    X(minor_faults) \
    X(major_faults) \
    X(waits) \
    X(wait_spins) \
    X(pace_idle_ns) \
    X(paced_ns) \
    X(pace_max_lag_ns) \
    X(pace_late) \
    X(verified_blocks) \
    X(verified_bytes) \
    X(realloc_moved) \
    X(realloc_in_place) \
    X(realloc_moved_bytes) \
    X(lanes) \
    X(held_known) \
    X(series_count) \
    X(damaged) \
    X(sampling_ns) \
    X(accounting_ns) \
    X(exact_resident) \
    X(huge_bytes_at_peak) \
    X(huge_peak_resident_bytes) \
    X(metadata_bytes) \
    X(system_calls_known) \
    X(snapshots) \
    X(snapshots_left_out) \
    X(snapshot_ns)
/* clang-format on */

/* Verify mode's: raw, one a line. heaptape replay --verify puts them in words. */
static void print_violations(const struct engine_result *result)
{
    static const char *const words[] = {
#define X(name, word, fails) word,
        ENGINE_VIOLATIONS(X)
#undef X
    };
    for (unsigned i = 0; i < ENGINE_VIOLATION_LIMIT; i++)
        if (result->violations[i])
            line("violations_%s %" PRIu64 "\n", words[i], (uint64_t)result->violations[i]);
    for (uint32_t i = 0; i < result->violations_kept; i++) {
        const struct engine_violation *v = &result->violation[i];
        line("%s event %" PRId64 " lane %u call %u address %#" PRIx64 " size %" PRIu64
             " usable %" PRIu64 " block_event %" PRId64 " offset %" PRIu64 " expected %#" PRIx64
             " found %#" PRIx64 " other %#" PRIx64 "\n",
             words[v->kind], (int64_t)v->event, v->lane, v->call, v->address, v->size, v->usable,
             (int64_t)v->block_event, v->offset, v->expected, v->found, v->other_address);
    }
}

static void print_calls(const struct engine_result *result)
{
    static const char *const words[] = {
#define X(name, word) word,
        ENGINE_SYSTEM_CALLS(X)
#undef X
    };
    for (unsigned i = 0; i < ENGINE_CALL_LIMIT && result->system_calls_known; i++) {
        const struct engine_call_count *count = &result->system_calls[i];
        line("call_%s_calls %" PRIu64 "\ncall_%s_failed %" PRIu64 "\ncall_%s_bytes %" PRIu64 "\n",
             words[i], (uint64_t)count->calls, words[i], (uint64_t)count->failed, words[i],
             (uint64_t)count->bytes);
    }
}

void print_result(const struct engine_result *result, bool series)
{
    line("phase %u\n", result->phase);
    line("progress %" PRIu64 "\n", result->progress);
#define X(name) line("%s %" PRIu64 "\n", #name, (uint64_t)result->name);
    FIELDS(X)
#undef X
    if (result->operations)
        line("ns_per_operation %.3f\n", (double)result->timed_ns / (double)result->operations);
    print_violations(result);
    print_calls(result);
    /* Of the whole process; memory mode sets it back now and then. */
    line("process_peak_resident_bytes %" PRIu64 "\n", proc_high_water());
    if (!series)
        return;
    line("operation,time_ns,requested_bytes,usable_bytes,held_bytes,resident_bytes,huge_bytes,"
         "minor_faults,major_faults,system_calls\n");
    for (uint32_t i = 0; i < result->series_count; i++) {
        const struct engine_sample *s = &result->series[i];
        line("%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRId64
             ",%" PRIu64 ",%" PRIu64 ",%" PRId64 "\n",
             s->operation, s->time_ns, s->requested_bytes, s->usable_bytes, s->held_bytes,
             s->resident_bytes, (int64_t)s->huge_bytes, s->minor_faults, s->major_faults,
             (int64_t)s->system_calls); /* -1: unknown */
    }
}

void print_latency(const struct engine_latency *latency)
{
    static const char *const kinds[LATENCY_KINDS] = {"malloc", "calloc", "realloc", "aligned",
                                                     "free"};
    static struct latency_histogram all;
    const double resolution = latency->resolution_ticks;
    line("ns_per_tick %.9f\nclock_cost_ns %.2f\nclock_cost_after_ns %.2f\nclock_resolution_ns "
         "%.2f\npreemptions %" PRIu64 "\nhas_tsc %u\n",
         latency->ns_per_tick, latency->cost_ticks * latency->ns_per_tick,
         latency->cost_after_ticks * latency->ns_per_tick, latency_resolution_ns(latency),
         latency->preemptions, latency->has_tsc);
    for (unsigned kind = 0; kind < LATENCY_KINDS; kind++) {
        memset(&all, 0, sizeof(all));
        for (unsigned class = 0; class < LATENCY_CLASSES; class ++)
            latency_merge(&all, &latency->histograms[kind][class]);
        if (!all.count)
            continue;
        line("%s_count %" PRIu64 "\n%s_ns_mean %.1f\n", kinds[kind], all.count, kinds[kind],
             latency_ns(latency, (double)all.sum_ticks / (double)all.count));
        static const double shares[] = {0.5, 0.9, 0.99, 0.999, 0.9999};
        for (unsigned i = 0; i < sizeof(shares) / sizeof(shares[0]); i++)
            line("%s_ns_p%g %.1f\n", kinds[kind], shares[i] * 100,
                 latency_ns(latency, latency_percentile(&all, shares[i], resolution)));
        line("%s_ns_max %.1f\n", kinds[kind], latency_ns(latency, (double)all.max_ticks));
    }
}
