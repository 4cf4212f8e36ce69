#include "replayer/driver/beside.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "traces/cli.h"
#include "traces/reader.h"

/* Whether this is the tape's word for libc: the path of the library that the calls went to. */
static bool is_libc(const char *allocator)
{
    const char *slash = allocator ? strrchr(allocator, '/') : NULL;
    const char *name = slash ? slash + 1 : allocator;
    return name &&
           (!strcmp(name, "libc") || !strncmp(name, "libc.so", 7) || !strncmp(name, "libc-2.", 7));
}

static void keep_sample(const struct tape_sample *sample, void *context)
{
    struct beside *beside = context;
    struct beside_point point = {(double)sample->event, (double)sample->resident_bytes};
    if (!sample->resident_bytes)
        return;
    struct beside_point *points =
        realloc(beside->points, (beside->count + 1) * sizeof *beside->points);
    if (!points)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "out of memory");
    beside->points = points;
    beside->points[beside->count++] = point;
}

void beside_read(struct beside *beside, const char *path)
{
    struct tape_reader *reader;
    struct tape_error error;
    const struct tape_event *events;
    size_t count;
    *beside = (struct beside){NULL, 0};
    if (tape_reader_open(path, &reader, &error) != TAPE_OK)
        return;
    tape_reader_on_sample(reader, keep_sample, beside);
    tape_reader_pass_over_events(reader);
    enum tape_status status;
    do
        status = tape_reader_next(reader, &events, &count, &error);
    while (status == TAPE_OK || status == TAPE_DAMAGED);
    if (!is_libc(tape_reader_meta(reader, "allocator")))
        beside->count = 0;
    tape_reader_close(reader);
    if (beside->count)
        beside->count--;
}

#define NEAR_POINTS 2 /* of the series to either side of a moment */

/*
 * The highest P near this operation, with what the allocator had made resident at its start, which
 * is out of the series. A sample may stand a little before or behind a large block's
 * going; were the lower of the two taken, the block would seem to lie beside the heap, and be
 * counted again for an allocator that keeps it. Where another sample came before it at the same
 * operation the heap has `settled`, and there is no doubt.
 */
static double resident_at(const struct engine_result *result, double operation, bool settled)
{
    uint32_t low = 0, high = result->series_count - 1;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if ((double)result->series[middle].operation < operation)
            low = middle + 1;
        else
            high = middle;
    }
    if (settled)
        return (double)(result->series[low].resident_bytes + result->startup_resident_bytes);
    uint32_t from = low > NEAR_POINTS ? low - NEAR_POINTS : 0;
    uint64_t highest = 0;
    for (uint32_t i = from; i < low + NEAR_POINTS && i < result->series_count; i++)
        if (result->series[i].resident_bytes > highest)
            highest = result->series[i].resident_bytes;
    return (double)(highest + result->startup_resident_bytes);
}

static bool is_settled(const struct beside *beside, size_t i)
{
    return i > 0 && beside->points[i].operation <= beside->points[i - 1].operation;
}

void beside_begin(struct beside *beside, const struct engine_result *recorded)
{
    uint64_t events = recorded->operations + recorded->skipped;
    if (!events || !recorded->series_count)
        beside->count = 0;
    for (size_t i = 0; i < beside->count; i++)
        beside->points[i].operation *= (double)recorded->operations / (double)events;
    for (size_t i = 0; i < beside->count; i++) {
        struct beside_point *point = &beside->points[i];
        point->bytes -= resident_at(recorded, point->operation, is_settled(beside, i));
    }
}

/* Beside the heap at this operation; *at is where the search of an earlier operation ended. */
static double bytes_at(const struct beside *beside, double operation, size_t *at)
{
    const struct beside_point *points = beside->points;
    while (*at < beside->count && points[*at].operation <= operation)
        ++*at;
    if (*at == 0 || *at == beside->count)
        return points[*at ? *at - 1 : 0].bytes;
    const struct beside_point *from = &points[*at - 1], *to = &points[*at];
    return from->bytes + (to->bytes - from->bytes) * (operation - from->operation) /
                             (to->operation - from->operation);
}

double beside_peak(const struct beside *beside, const struct engine_result *result)
{
    uint64_t highest = 0;
    double peak = 0;
    size_t at = 0;
    if (!beside->count || !result->series_count)
        return (double)result->peak_resident_bytes;
    for (uint32_t i = 0; i < result->series_count; i++)
        if (result->series[i].resident_bytes > highest)
            highest = result->series[i].resident_bytes;
    for (uint32_t i = 0; i < result->series_count; i++) {
        const struct engine_sample *sample = &result->series[i];
        /* The kernel may have seen a higher peak than the series has. */
        double resident = (double)(sample->resident_bytes == highest
                                       ? result->peak_resident_bytes
                                       : sample->resident_bytes + result->startup_resident_bytes);
        double sum = resident + bytes_at(beside, (double)sample->operation, &at);
        peak = sum > peak ? sum : peak;
    }
    for (size_t i = 0; i < beside->count; i++) {
        double sum = beside->points[i].bytes +
                     resident_at(result, beside->points[i].operation, is_settled(beside, i));
        peak = sum > peak ? sum : peak;
    }
    return peak;
}

void beside_end(struct beside *beside)
{
    free(beside->points);
    *beside = (struct beside){NULL, 0};
}
