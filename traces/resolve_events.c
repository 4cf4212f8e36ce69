/* From records to events: objects for addresses, and what a record does to them. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "traces/codec.h"
#include "traces/grow.h"
#include "traces/marks.h"
#include "traces/resolver.h"
#include "traces/writer.h"

enum tape_status resolver_no_memory(struct resolver *resolver)
{
    return tape_error_set(resolver->error, TAPE_NO_MEMORY, UINT64_MAX,
                          "no memory left for the live objects (%" PRIu64 ") or a pass",
                          resolver->map.used);
}

/* ---- ids: the latest freed is the next used ----------------------------------------------------
 */

static bool id_give_back(struct resolver *resolver, uint32_t id)
{
    if (resolver->free_count == resolver->free_capacity) {
        uint64_t capacity = resolver->free_capacity ? 2 * resolver->free_capacity : 4096;
        uint32_t *moved = reallocarray(resolver->free_ids, capacity, sizeof *moved);
        if (!moved)
            return false;
        resolver->free_ids = moved;
        resolver->free_capacity = capacity;
    }
    resolver->free_ids[resolver->free_count++] = id;
    return true;
}

static uint32_t id_take(struct resolver *resolver)
{
    if (resolver->free_count)
        return resolver->free_ids[--resolver->free_count];
    return resolver->next_id < UINT32_MAX ? resolver->next_id++ : 0;
}

/* ---- events ------------------------------------------------------------------------------------
 */

/* False: no memory. */
static bool count_requested(struct resolver *resolver, const struct tape_event *event)
{
    if (!event->object)
        return true;
    uint64_t *sizes =
        grow_table(resolver->sizes, &resolver->size_capacity, event->object, sizeof *sizes, 4096);
    if (!sizes)
        return false;
    resolver->sizes = sizes;
    if (tape_kind_frees(event->kind)) {
        resolver->requested -= sizes[event->object];
        sizes[event->object] = 0;
    } else if (codec_has_size(event->kind)) {
        resolver->requested += event->size - sizes[event->object];
        sizes[event->object] = event->size;
    }
    if (resolver->requested > resolver->stats.peak_requested)
        resolver->stats.peak_requested = resolver->requested;
    return true;
}

static enum tape_status put(struct resolver *resolver, struct lane *lane, unsigned kind,
                            uint32_t object, uint64_t size, unsigned align_log2)
{
    if (!lane->number_plus_1)
        lane->number_plus_1 = ++resolver->lane_count;
    struct tape_event event = {.size = size,
                               .time_ns = resolver->time_ns,
                               .object = object,
                               .lane = lane->number_plus_1 - 1,
                               .kind = (uint8_t)kind,
                               .align_log2 = (uint8_t)align_log2,
                               .site = codec_has_site(kind) ? lane->site : 0};
    resolver->stats.events++;
    if (!count_requested(resolver, &event))
        return resolver_no_memory(resolver);
    if (resolver->window.is_all)
        return tape_writer_put(resolver->writer, &event, resolver->error);
    return window_put(&resolver->window, &event, resolver->error);
}

static enum tape_status end_object(struct resolver *resolver, struct lane *lane, unsigned kind,
                                   uint32_t object)
{
    if (!id_give_back(resolver, object))
        return resolver_no_memory(resolver);
    return put(resolver, lane, kind, object, 0, 0);
}

/*
 * A record that cannot be where it stands. Fresh ones wait for the next pass, which brings what may
 * have been published meanwhile (FORMAT.md, "Passes"); true: leave it, nothing was done.
 */
static bool park(struct resolver *resolver)
{
    resolver->parked = !resolver->settled;
    return resolver->parked;
}

/* Whatever is at `address` according to the map can no longer be there. */
static enum tape_status vacate(struct resolver *resolver, struct lane *lane, uint64_t address)
{
    uint32_t old = address_map_take(&resolver->map, address);
    if (!old)
        return TAPE_OK;
    if (park(resolver)) /* there is room: it was there */
        return address_map_put(&resolver->map, address, old) ? TAPE_OK
                                                             : resolver_no_memory(resolver);
    resolver->stats.live_twice++;
    return end_object(resolver, lane, TAPE_FREE, old);
}

static enum tape_status attach(struct resolver *resolver, struct lane *lane, uint64_t address,
                               uint32_t object)
{
    enum tape_status status = vacate(resolver, lane, address);
    if (status == TAPE_OK && !resolver->parked && !address_map_put(&resolver->map, address, object))
        status = resolver_no_memory(resolver);
    return status;
}

static enum tape_status allocation(struct resolver *resolver, struct lane *lane, unsigned kind,
                                   uint64_t address, uint64_t size, unsigned align_log2)
{
    if (!address)
        return put(resolver, lane, TAPE_FAILED, TAPE_NO_OBJECT, size, 0);
    enum tape_status status = vacate(resolver, lane, address);
    if (status != TAPE_OK || resolver->parked)
        return status;
    uint32_t object = id_take(resolver);
    if (!object || !address_map_put(&resolver->map, address, object))
        return resolver_no_memory(resolver);
    return put(resolver, lane, kind, object, size, align_log2);
}

static enum tape_status deallocation(struct resolver *resolver, struct lane *lane, uint64_t address)
{
    if (!address)
        return put(resolver, lane, TAPE_FREE_NULL, TAPE_NO_OBJECT, 0, 0);
    uint32_t object = address_map_take(&resolver->map, address);
    if (object)
        return end_object(resolver, lane, TAPE_FREE, object);
    if (park(resolver))
        return TAPE_OK;
    resolver->stats.foreign_frees++;
    return put(resolver, lane, TAPE_FREE_FOREIGN, TAPE_NO_OBJECT, 0, 0);
}

static enum tape_status realloc_begin(struct resolver *resolver, struct lane *lane,
                                      uint64_t address)
{
    if (lane->depth == lane->capacity) {
        uint32_t capacity = lane->capacity ? 2 * lane->capacity : 2;
        struct in_flight *moved =
            capacity <= NESTED_MAX ? reallocarray(lane->in_flight, capacity, sizeof *moved) : NULL;
        if (!moved)
            return tape_error_set(resolver->error, TAPE_BAD_INPUT, UINT64_MAX,
                                  "a lane has more than %d reallocs in flight: not a recording",
                                  NESTED_MAX);
        resolver->in_flight_lanes += !lane->in_flight;
        lane->in_flight = moved;
        lane->capacity = capacity;
    }
    uint32_t object = address ? address_map_take(&resolver->map, address) : 0;
    if (address && !object && park(resolver))
        return TAPE_OK;
    lane->in_flight[lane->depth++] = (struct in_flight){address, object, 0};
    return TAPE_OK;
}

/* realloc(NULL, n); or of a foreign address, which ends here and begins an object all the same. */
static enum tape_status realloc_of_nothing(struct resolver *resolver, struct lane *lane,
                                           uint64_t begun, uint64_t address, uint64_t size)
{
    if (begun && !address && !size)
        return deallocation(resolver, lane, begun);
    enum tape_status status = allocation(resolver, lane, TAPE_REALLOC_NEW, address, size, 0);
    if (!resolver->parked)
        resolver->stats.foreign_frees += begun && address;
    return status;
}

static enum tape_status realloc_of_object(struct resolver *resolver, struct lane *lane,
                                          const struct in_flight *begun, uint64_t address,
                                          uint64_t size)
{
    if (!address && !size)
        return end_object(resolver, lane, TAPE_REALLOC_FREE, begun->object);
    /* Where it failed the object stays where it was. */
    enum tape_status status =
        attach(resolver, lane, address ? address : begun->address, begun->object);
    if (status != TAPE_OK || resolver->parked)
        return status;
    return address ? put(resolver, lane, TAPE_REALLOC, begun->object, size, 0)
                   : put(resolver, lane, TAPE_FAILED, TAPE_NO_OBJECT, size, 0);
}

static enum tape_status realloc_end(struct resolver *resolver, struct lane *lane, uint64_t address,
                                    uint64_t size)
{
    struct in_flight begun = {0};
    enum tape_status status;
    if (lane->depth)
        begun = lane->in_flight[lane->depth - 1];
    if (begun.object)
        status = realloc_of_object(resolver, lane, &begun, address, size);
    else
        status = realloc_of_nothing(resolver, lane, begun.address, address, size);
    if (lane->depth && !resolver->parked)
        lane->depth--;
    return status;
}

static enum tape_status usable_size(struct resolver *resolver, struct lane *lane, uint64_t address)
{
    uint32_t object = address ? address_map_get(&resolver->map, address) : 0;
    return put(resolver, lane, TAPE_USABLE_SIZE, object, 0, 0);
}

/* ---- marks -------------------------------------------------------------------------------------
 */

/* Keeps the text until its record's turn comes; all of it goes once none waits. */
uint64_t resolver_keep_mark(void *context, const char *text, size_t bytes)
{
    struct resolver *resolver = context;
    char *kept = bytes <= MARK_BYTES_MAX ? strndup(text, bytes) : NULL;
    char **marks = resolver->marks;
    if (kept && resolver->mark_count == resolver->mark_capacity) {
        uint64_t capacity = resolver->mark_capacity ? 2 * resolver->mark_capacity : 64;
        marks = reallocarray(marks, capacity, sizeof *marks);
        if (marks) {
            resolver->marks = marks;
            resolver->mark_capacity = capacity;
        }
    }
    if (!kept || !marks) { /* without its text it is left out */
        free(kept);
        return UINT64_MAX;
    }
    resolver->marks[resolver->mark_count] = kept;
    resolver->marks_waiting++;
    return resolver->mark_count++;
}

static enum tape_status take_mark(struct resolver *resolver, struct lane *lane, uint64_t number)
{
    if (number >= resolver->mark_count || !resolver->marks[number])
        return TAPE_OK;
    if (!lane->number_plus_1)
        lane->number_plus_1 = ++resolver->lane_count;
    char *text = resolver->marks[number];
    const struct window *window = &resolver->window;
    resolver->marks[number] = NULL;
    enum tape_status status = TAPE_OK;
    const struct tape_mark mark = {tape_writer_events(resolver->writer),
                                   resolver->time_ns - window->base_ns, lane->number_plus_1 - 1,
                                   (uint32_t)strlen(text), text};
    if (window->begun && !window->ended)
        status = tape_writer_mark(resolver->writer, &mark, resolver->error);
    free(text);
    if (!--resolver->marks_waiting)
        resolver->mark_count = 0;
    return status;
}

enum tape_status resolver_take_record(struct resolver *resolver, struct lane *lane,
                                      const struct raw_record *record)
{
    uint64_t address = raw_head_address(record->head);
    switch (raw_head_kind(record->head)) {
    case RAW_MALLOC:
        return allocation(resolver, lane, TAPE_MALLOC, address, record->value, 0);
    case RAW_CALLOC:
        return allocation(resolver, lane, TAPE_CALLOC, address, record->value, 0);
    case RAW_ALIGNED:
        return allocation(resolver, lane, TAPE_ALIGNED, address, record->value,
                          raw_head_align_log2(record->head));
    case RAW_FREE:
        return deallocation(resolver, lane, address);
    case RAW_REALLOC_BEGIN:
        return realloc_begin(resolver, lane, address);
    case RAW_REALLOC_END:
        return realloc_end(resolver, lane, address, record->value);
    case RAW_USABLE_SIZE:
        return usable_size(resolver, lane, address);
    case RAW_MARK:
        return take_mark(resolver, lane, record->value);
    case RAW_SITE:
        lane->site = (uint32_t)record->value;
        return TAPE_OK;
    default: /* marks of later versions, and what no recorder writes */
        return TAPE_OK;
    }
}
