#include "traces/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "traces/reader.h"
#include "traces/track.h"

struct checker {
    struct tape_check *check;
    struct tape_reader *reader;
    struct tape_track track;
    void (*tell)(void *context, const char *finding);
    void *context;
    uint64_t next_event, time_ns;
    uint32_t lanes, peak_object;
};

__attribute__((format(printf, 3, 4))) static void find(struct checker *checker, bool sense,
                                                       const char *format, ...)
{
    char finding[400];
    uint64_t *count = sense ? &checker->check->nonsense : &checker->check->damage;
    /* What makes no sense behind a gap does so because of the gap: counted, not told one by one. */
    if (sense && checker->check->damage)
        checker->check->behind_damage++;
    if (++*count > TAPE_CHECK_TOLD_MAX && sense)
        return;
    if (sense && checker->check->damage)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(finding, sizeof finding, format, arguments);
    va_end(arguments);
    if (checker->tell)
        checker->tell(checker->context, finding);
}

static bool check_event(struct checker *checker, uint64_t index, const struct tape_event *event)
{
    const char *kind = tape_kind_name(event->kind);
    switch (tape_track_event(&checker->track, event, NULL)) {
    case TAPE_TRACK_DROP:
        find(checker, true, "event %" PRIu64 ": %s of object %" PRIu32 ", which is not live", index,
             kind, event->object);
        break;
    case TAPE_TRACK_FREE_FIRST:
        find(checker, true, "event %" PRIu64 ": %s begins object %" PRIu32 ", which is live", index,
             kind, event->object);
        break;
    case TAPE_TRACK_NO_MEMORY:
        return false;
    case TAPE_TRACK_USE:
        break;
    }
    if (event->time_ns < checker->time_ns)
        find(checker, true, "event %" PRIu64 ": time goes back", index);
    checker->time_ns = event->time_ns;
    if (event->lane >= checker->lanes)
        checker->lanes = event->lane + 1;
    if (event->object > checker->peak_object)
        checker->peak_object = event->object;
    return true;
}

static enum tape_status check_events(struct checker *checker, struct tape_error *error)
{
    const struct tape_event *events;
    size_t count;
    enum tape_status status;
    while ((status = tape_reader_next(checker->reader, &events, &count, error)) != TAPE_END) {
        if (status == TAPE_DAMAGED) {
            find(checker, false, "%s", error->message);
            continue;
        }
        if (status != TAPE_OK)
            return status;
        uint64_t first = tape_reader_batch_event(checker->reader);
        if (first != checker->next_event)
            find(checker, false, "events %" PRIu64 " to %" PRIu64 " are lost", checker->next_event,
                 first - 1);
        for (size_t i = 0; i < count; i++) {
            if (!check_event(checker, first + i, &events[i]))
                return tape_error_set(error, TAPE_NO_MEMORY, UINT64_MAX,
                                      "no memory for the table of live objects");
        }
        checker->next_event = first + count;
        checker->check->events += count;
    }
    return TAPE_OK;
}

/* What the end block claims of the whole. Where blocks are damaged it is right and what is left is
 * not. */
static void check_claims(struct checker *checker)
{
    struct tape_reader_totals totals = tape_reader_totals(checker->reader);
    if (checker->check->damage) {
        if (totals.events > checker->next_event)
            find(checker, false, "events %" PRIu64 " to %" PRIu64 " are lost", checker->next_event,
                 totals.events - 1);
        return;
    }
    if (totals.events != checker->check->events)
        find(checker, false, "the end block claims %" PRIu64 " events, there are %" PRIu64,
             totals.events, checker->check->events);
    if (totals.lanes != checker->lanes)
        find(checker, false, "the end block claims %" PRIu32 " lanes, there are %" PRIu32,
             totals.lanes, checker->lanes);
    if (totals.peak_objects != checker->peak_object)
        find(checker, false, "the end block claims objects up to %" PRIu64 ", they go to %" PRIu32,
             totals.peak_objects, checker->peak_object);
}

enum tape_status tape_check(const char *path, void (*tell)(void *context, const char *finding),
                            void *context, struct tape_check *ret_check, struct tape_error *error)
{
    struct tape_error own;
    struct checker checker = {.check = ret_check, .tell = tell, .context = context};
    error = error ? error : &own;
    memset(ret_check, 0, sizeof *ret_check);
    enum tape_status status = tape_reader_open(path, &checker.reader, error);
    if (status != TAPE_OK)
        return status;
    tape_track_init(&checker.track);
    status = check_events(&checker, error);
    if (status == TAPE_OK)
        check_claims(&checker);
    else
        tape_error_add(error, "%s", path);
    ret_check->complete = tape_reader_totals(checker.reader).complete;
    tape_track_end(&checker.track);
    tape_reader_close(checker.reader);
    return status;
}
