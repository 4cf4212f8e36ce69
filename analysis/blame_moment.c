#include "analysis/blame_moment.h"

#include <string.h>
#include "traces/cli.h"

#define NS_PER_SECOND 1e9

/* ---- what is asked for -------------------------------------------------------------------------
 */

static bool is_word(const char *at)
{
    return !strcmp(at, "peak") || !strcmp(at, "live") || !strcmp(at, "end");
}

/* Ends in a unit of time; "3m" is minutes here and "3M" events. */
static bool is_time(const char *at)
{
    size_t length = strlen(at);
    return length && strchr("smh", at[length - 1]);
}

/* "50%": the event after so many of all. False: it ends with no percent sign. */
static bool share_event(const char *at, uint64_t events, uint64_t *ret_event)
{
    char bare[32];
    double percent;
    size_t length = strlen(at);
    if (!length || at[length - 1] != '%')
        return false;
    if (length < sizeof bare)
        memcpy(bare, at, length - 1);
    bare[length < sizeof bare ? length - 1 : 0] = '\0';
    if (!cli_parse_double(bare, &percent) || !(percent >= 0 && percent <= 100))
        cli_die_usage("--at=%s: a percentage from 0%% to 100%%", at);
    uint64_t event = (uint64_t)(percent / 100 * (double)events);
    *ret_event = event < events ? event : events - 1;
    return true;
}

/* The last event at or before the time. Times never go down along a tape. */
static uint64_t event_by(struct tape_reader *reader, uint64_t time_ns)
{
    const struct tape_event *batch;
    struct tape_error error;
    enum tape_status status;
    uint64_t event = 0;
    size_t count, i = 0;
    tape_reader_rewind(reader);
    while ((status = tape_reader_next(reader, &batch, &count, &error)) != TAPE_END) {
        if (status == TAPE_DAMAGED)
            continue;
        if (status != TAPE_OK)
            cli_die_error(&error);
        for (i = 0; i < count && batch[i].time_ns <= time_ns; i++)
            event = tape_reader_batch_event(reader) + i;
        if (i < count)
            break;
    }
    tape_reader_rewind(reader);
    return event;
}

static uint64_t time_event(const char *at, uint64_t time_ns, struct tape_reader *reader)
{
    uint64_t last_ns = tape_reader_duration_ns(reader);
    if (time_ns > last_ns)
        cli_die_usage("--at=%s: the tape was recorded for %g s", at,
                      (double)last_ns / NS_PER_SECOND);
    return event_by(reader, time_ns);
}

uint64_t blame_moment_event(const char *at, struct tape_reader *reader)
{
    uint64_t events = tape_reader_totals(reader).events, event, time_ns;
    if (is_word(at))
        return HEAP_NO_EVENT;
    if (!events)
        cli_die(HEAPTAPE_EXIT_BAD_INPUT,
                "--at=%s: the tape does not tell how many events it has; use peak, live or end",
                at);
    if (share_event(at, events, &event))
        return event;
    if (is_time(at) && cli_parse_duration(at, &time_ns))
        return time_event(at, time_ns, reader);
    if (!cli_parse_count(at, &event))
        cli_die_usage("--at=%s: peak, live, end, an event such as 30000, a percentage such as "
                      "50%%, or a time such as 2.5s",
                      at);
    if (event >= events)
        cli_die_usage("--at=%s: the tape has %llu events", at, (unsigned long long)events);
    return event;
}

/* ---- the snapshot ------------------------------------------------------------------------------
 */

static uint64_t distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

/* The first whose resident memory is within 1 % of the highest: where nothing is given back the
 * highest may be the end, long after. */
static uint32_t choose_peak(const struct heap_file *file)
{
    uint64_t highest = 0;
    uint32_t first = 0;
    for (uint32_t i = 0; i < file->count; i++) {
        uint64_t resident = heap_file_head(file, i).resident_bytes;
        highest = resident > highest ? resident : highest;
    }
    while ((double)heap_file_head(file, first).resident_bytes < 0.99 * (double)highest)
        first++;
    return first;
}

uint32_t blame_moment_choose(const struct heap_file *file, const char *at, uint64_t event,
                             uint64_t events)
{
    unsigned kind = !strcmp(at, "live") ? HEAP_PEAK_REQUESTED : HEAP_END;
    uint32_t best = 0;
    uint64_t least = UINT64_MAX;
    if (!strcmp(at, "peak"))
        return choose_peak(file);
    for (uint32_t i = 0; i < file->count; i++) {
        struct heap_head head = heap_file_head(file, i);
        if (event == HEAP_NO_EVENT && (head.kinds & kind))
            return i;
        uint64_t there = head.event == HEAP_NO_EVENT ? events : head.event;
        if (distance(there, event) < least) {
            least = distance(there, event);
            best = i;
        }
    }
    if (event == HEAP_NO_EVENT)
        cli_die(HEAPTAPE_EXIT_BAD_INPUT, "no snapshot of --at=%s was taken; try another moment",
                at);
    if (least > events / 100)
        cli_warn("the nearest snapshot is %llu events away from --at=%s; without --heap one is "
                 "taken there",
                 (unsigned long long)least, at);
    return best;
}
