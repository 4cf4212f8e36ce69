#include "traces/summary.h"

#include <string.h>

/* ---- size bins ---------------------------------------------------------------------------------
 */

/* 64 bins of 16 bytes below 1 KiB, then 8 a doubling: 54 doublings, 432 bins, up to 2^64 - 1. */
enum { FINE_BINS = 64, FINE_LOG2 = 4, COARSE_FROM_LOG2 = 10, A_DOUBLING_LOG2 = 3 };
_Static_assert(FINE_BINS + ((64 - COARSE_FROM_LOG2) << A_DOUBLING_LOG2) <= SUMMARY_SIZE_BINS,
               "every size has a bin");

unsigned summary_size_bin(uint64_t size)
{
    if (size < (UINT64_C(1) << COARSE_FROM_LOG2))
        return (unsigned)(size >> FINE_LOG2);
    unsigned log2 = 63 - (unsigned)__builtin_clzll(size);
    unsigned eighth = (unsigned)(size >> (log2 - A_DOUBLING_LOG2)) & 7;
    return FINE_BINS + ((log2 - COARSE_FROM_LOG2) << A_DOUBLING_LOG2) + eighth;
}

uint64_t summary_bin_low(unsigned bin)
{
    if (bin < FINE_BINS)
        return (uint64_t)bin << FINE_LOG2;
    unsigned log2 = COARSE_FROM_LOG2 + ((bin - FINE_BINS) >> A_DOUBLING_LOG2);
    uint64_t eighth = (bin - FINE_BINS) & 7;
    return log2 < 64 ? (8 + eighth) << (log2 - A_DOUBLING_LOG2) : UINT64_MAX;
}

/* ---- one pass ----------------------------------------------------------------------------------
 */

static void count_size(struct tape_summary *summary, uint64_t size)
{
    unsigned bin = summary_size_bin(size);
    summary->size_count[bin]++;
    summary->size_bytes[bin] += size;
}

static void add(struct tape_summary *summary, const struct tape_event *event,
                const struct tape_track_object *before)
{
    if (tape_kind_allocates(event->kind)) {
        summary->allocated_bytes += event->size;
        count_size(summary, event->size);
    } else if (event->kind == TAPE_REALLOC) {
        if (event->size > before->size)
            summary->allocated_bytes += event->size - before->size;
        count_size(summary, event->size);
    }
    if (event->object > summary->max_object_id)
        summary->max_object_id = event->object;
    if (event->lane >= summary->lanes)
        summary->lanes = event->lane + 1;
    summary->duration_ns = event->time_ns;
}

static void add_sample(const struct tape_sample *sample, void *context)
{
    struct tape_summary *summary = context;
    if (sample->resident_bytes > summary->peak_sampled_resident_bytes)
        summary->peak_sampled_resident_bytes = sample->resident_bytes;
    if (sample->held_bytes > summary->peak_sampled_held_bytes)
        summary->peak_sampled_held_bytes = sample->held_bytes;
    if (sample->requested_bytes > summary->peak_sampled_requested_bytes)
        summary->peak_sampled_requested_bytes = sample->requested_bytes;
}

static void finish(struct tape_summary *summary, const struct tape_track *track)
{
    const uint64_t *kind = summary->by_kind;
    summary->allocations =
        kind[TAPE_MALLOC] + kind[TAPE_CALLOC] + kind[TAPE_ALIGNED] + kind[TAPE_REALLOC_NEW];
    summary->frees =
        kind[TAPE_FREE] + kind[TAPE_FREE_NULL] + kind[TAPE_FREE_FOREIGN] + kind[TAPE_REALLOC_FREE];
    summary->reallocs = kind[TAPE_REALLOC];
    summary->failed = kind[TAPE_FAILED];
    summary->peak_live_bytes = track->peak_live_bytes;
    summary->peak_live_objects = track->peak_live_objects;
    summary->peak_event = track->peak_event;
    summary->live_at_end_bytes = track->live_bytes;
    summary->live_at_end_objects = track->live_objects;
    summary->orphans = track->orphans;
    summary->overwritten = track->overwritten;
}

enum tape_status tape_summarize(struct tape_reader *reader, struct tape_summary *ret_summary,
                                struct tape_error *error)
{
    struct tape_summary *summary = ret_summary;
    struct tape_track track;
    memset(summary, 0, sizeof *summary);
    tape_track_init(&track);
    tape_reader_on_sample(reader, add_sample, summary);
    enum tape_status status;
    const struct tape_event *events;
    size_t count;
    struct tape_error problem;
    while ((status = tape_reader_next(reader, &events, &count, &problem)) == TAPE_OK ||
           status == TAPE_DAMAGED) {
        if (status == TAPE_DAMAGED) {
            if (!summary->damaged_blocks++ && error)
                *error = problem;
            continue;
        }
        for (size_t i = 0; i < count; i++) {
            struct tape_track_object before;
            enum tape_track_action action = tape_track_event(&track, &events[i], &before);
            if (action == TAPE_TRACK_NO_MEMORY) {
                status = tape_error_set(&problem, TAPE_NO_MEMORY, UINT64_MAX,
                                        "no memory for the table of live objects");
                goto end;
            }
            summary->by_kind[events[i].kind]++;
            if (action != TAPE_TRACK_DROP)
                add(summary, &events[i], &before);
        }
        tape_clock_add_events(&summary->clock, events, count);
        summary->events += count;
    }
end:
    tape_reader_on_sample(reader, NULL, NULL);
    finish(summary, &track);
    tape_track_end(&track);
    if (status != TAPE_END && error)
        *error = problem;
    return status == TAPE_END ? TAPE_OK : status;
}
