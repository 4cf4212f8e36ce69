#include "traces/resolve.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "traces/address_map.h"
#include "traces/block.h"
#include "traces/codec.h"
#include "traces/grow.h"
#include "traces/merge.h"
#include "traces/meta.h"
#include "traces/raw_clock.h"
#include "traces/raw_sites.h"
#include "traces/raw_words.h"
#include "traces/writer.h"

enum {
    META_BYTES = 3 * FORMAT_META_MAX,
    META_PAIRS = 256,
    SAMPLES_WAITING = 64,
    /* A signal handler may allocate inside realloc; deeper than this is no recording of ours. */
    NESTED_MAX = 1024,
    AHEAD = 8, /* records, whose slot of the address map is fetched meanwhile */
    /* Time on a tape is in steps of this: finer costs bytes and means nothing (FORMAT.md, "Clock").
     */
    TIME_QUANTUM_NS = 1000,
    TIME_STEP_NS = 10000,
};

/* A realloc that has begun: its address is nobody's until it ends. */
struct in_flight {
    uint64_t address;
    uint32_t object; /* 0: realloc(NULL, n), or of a foreign address */
    uint32_t reserved;
};

struct lane {
    uint32_t number_plus_1; /* on the tape; 0 before the first event */
    uint32_t site;          /* of its allocations at the moment */
    uint32_t depth, capacity;
    struct in_flight *in_flight;
};

struct waiting_sample {
    uint64_t tsc;
    struct tape_sample sample;
};

struct resolver {
    struct block_input input;
    struct tape_writer *writer;
    struct address_map map;
    struct merge merge;
    struct raw_clock clock;
    struct resolve_stats stats;
    struct lane *lanes;
    uint64_t lane_capacity;
    uint32_t lane_count;      /* lanes on the tape */
    uint64_t in_flight_lanes; /* that ever had a realloc */
    uint32_t *free_ids;
    uint64_t free_count, free_capacity;
    uint32_t next_id;
    uint64_t time_ns;
    bool fixed_clock, seen_end;
    bool settled; /* whatever the record at hand depends on must be known by now */
    bool parked;  /* it is not, and nothing was done */
    bool last_pass;
    unsigned samples;
    struct waiting_sample sample[SAMPLES_WAITING];
    struct raw_sites sites;
    struct resolve_options options;
    struct tape_error *error;
    struct meta meta;
    char meta_text[META_BYTES];
};

static enum tape_status no_memory(struct resolver *resolver)
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
    return tape_writer_put(resolver->writer, &event, resolver->error);
}

static enum tape_status end_object(struct resolver *resolver, struct lane *lane, unsigned kind,
                                   uint32_t object)
{
    if (!id_give_back(resolver, object))
        return no_memory(resolver);
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
        return address_map_put(&resolver->map, address, old) ? TAPE_OK : no_memory(resolver);
    resolver->stats.live_twice++;
    return end_object(resolver, lane, TAPE_FREE, old);
}

static enum tape_status attach(struct resolver *resolver, struct lane *lane, uint64_t address,
                               uint32_t object)
{
    enum tape_status status = vacate(resolver, lane, address);
    if (status == TAPE_OK && !resolver->parked && !address_map_put(&resolver->map, address, object))
        status = no_memory(resolver);
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
        return no_memory(resolver);
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

static enum tape_status take_record(struct resolver *resolver, struct lane *lane,
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
    case RAW_SITE:
        lane->site = (uint32_t)record->value;
        return TAPE_OK;
    default: /* marks of later versions, and what no recorder writes */
        return TAPE_OK;
    }
}

/* ---- time and samples --------------------------------------------------------------------------
 */

static enum tape_status samples_until(struct resolver *resolver, uint64_t key)
{
    unsigned done = 0;
    enum tape_status status = TAPE_OK;
    while (status == TAPE_OK && done < resolver->samples && resolver->sample[done].tsc <= key) {
        resolver->sample[done].sample.event = resolver->stats.events;
        status =
            tape_writer_sample(resolver->writer, &resolver->sample[done++].sample, resolver->error);
    }
    resolver->samples -= done;
    memmove(resolver->sample, resolver->sample + done,
            resolver->samples * sizeof *resolver->sample);
    return status;
}

static enum tape_status take_stamp(struct resolver *resolver, uint64_t tsc)
{
    uint64_t ns = raw_clock_ns(&resolver->clock, tsc);
    if (ns >= resolver->time_ns + TIME_STEP_NS)
        resolver->time_ns = ns / TIME_QUANTUM_NS * TIME_QUANTUM_NS;
    return resolver->samples && resolver->sample[0].tsc <= tsc ? samples_until(resolver, tsc)
                                                               : TAPE_OK;
}

/* ---- passes ------------------------------------------------------------------------------------
 */

static struct lane *lane_at(struct resolver *resolver, uint32_t number)
{
    struct lane *lanes =
        grow_table(resolver->lanes, &resolver->lane_capacity, number, sizeof *lanes, 64);
    if (!lanes)
        return NULL;
    resolver->lanes = lanes;
    return &lanes[number];
}

static enum tape_status take_stretch(struct resolver *resolver, struct lane *lane,
                                     const struct merge_stretch *stretch)
{
    const struct raw_record *records = stretch->records;
    enum tape_status status = TAPE_OK;
    uint64_t key = stretch->key;
    size_t i = 0;
    for (; i < stretch->count && status == TAPE_OK; i++) {
        if (i + AHEAD < stretch->count)
            address_map_prefetch(&resolver->map, raw_head_address(records[i + AHEAD].head));
        if (raw_head_kind(records[i].head) == RAW_STAMP) {
            key = merge_stamp(&records[i]) > key ? merge_stamp(&records[i]) : key;
            status = take_stamp(resolver, records[i].value);
            continue;
        }
        resolver->settled = i < stretch->settled || resolver->last_pass;
        status = take_record(resolver, lane, &records[i]);
        if (resolver->parked) {
            resolver->parked = false;
            merge_park(&resolver->merge, stretch, i, key);
            break;
        }
    }
    resolver->stats.records += i;
    return status;
}

/* Everything that is stamped before `limit`. */
static enum tape_status end_pass(struct resolver *resolver, uint64_t limit)
{
    enum tape_status status = TAPE_OK;
    struct merge_stretch stretch;
    resolver->last_pass = limit == UINT64_MAX;
    merge_begin(&resolver->merge, limit);
    while (status == TAPE_OK && merge_next(&resolver->merge, &stretch)) {
        struct lane *lane = lane_at(resolver, stretch.lane);
        status = lane ? take_stretch(resolver, lane, &stretch) : no_memory(resolver);
    }
    merge_finish(&resolver->merge);
    return status == TAPE_OK ? samples_until(resolver, limit) : status;
}

/* ---- blocks ------------------------------------------------------------------------------------
 */

/* Marks are not kept yet. */
static uint64_t take_mark(void *context, const char *text, size_t bytes)
{
    (void)context;
    (void)text;
    return bytes;
}

static enum tape_status take_records(struct resolver *resolver, const struct block *block)
{
    const struct format_block_header *header = &block->header;
    bool words = header->encoding == FORMAT_RAW_ENCODING;
    size_t unit = words ? sizeof(uint64_t) : sizeof(struct raw_record);
    size_t count = header->payload_bytes / unit;
    if ((!words && header->encoding != 1) || header->lane >= FORMAT_RAW_LANES_MAX) {
        resolver->stats.damaged_blocks++;
        return TAPE_OK;
    }
    struct raw_record *records = merge_reserve(&resolver->merge, header->lane, count);
    if (!records)
        return no_memory(resolver);
    if (words)
        count = raw_words_unpack(block->payload, count, records, take_mark, resolver);
    else
        memcpy(records, block->payload, count * unit);
    merge_put(&resolver->merge, header->lane, count);
    if (resolver->merge.pending < MERGE_PENDING_MAX)
        return TAPE_OK;
    resolver->stats.damaged_blocks++; /* the pass must have ended long ago: its mark was lost */
    return end_pass(resolver, UINT64_MAX);
}

static enum tape_status take_sample(struct resolver *resolver, const struct block *block)
{
    struct format_raw_sample raw;
    if (block->header.payload_bytes < sizeof raw)
        return TAPE_OK;
    memcpy(&raw, block->payload, sizeof raw);
    if (!resolver->fixed_clock)
        raw_clock_pair(&resolver->clock, raw.tsc, raw.time_ns);
    enum tape_status status = TAPE_OK;
    if (resolver->samples == SAMPLES_WAITING)
        status = samples_until(resolver, resolver->sample[SAMPLES_WAITING / 2].tsc);
    if (resolver->samples == SAMPLES_WAITING) /* stamps that go back: not a clock */
        return status;
    resolver->sample[resolver->samples++] =
        (struct waiting_sample){raw.tsc,
                                {.time_ns = raw.time_ns,
                                 .resident_bytes = raw.resident_bytes,
                                 .held_bytes = raw.held_bytes}};
    return status;
}

static void take_end(struct resolver *resolver, const struct block *block)
{
    struct format_end end;
    if (block->header.payload_bytes < sizeof end)
        return;
    memcpy(&end, block->payload, sizeof end);
    meta_parse(&resolver->meta, (const char *)block->payload + sizeof end,
               block->header.payload_bytes - sizeof end);
    resolver->stats.complete = end.complete == 1;
    resolver->seen_end = true;
}

static enum tape_status take_block(struct resolver *resolver, const struct block *block)
{
    struct format_raw_pass pass;
    switch (block->header.kind) {
    case FORMAT_META:
        meta_parse(&resolver->meta, (const char *)block->payload, block->header.payload_bytes);
        return TAPE_OK;
    case FORMAT_RAW_RECORDS:
        return take_records(resolver, block);
    case FORMAT_RAW_SAMPLE:
        return take_sample(resolver, block);
    case FORMAT_RAW_PASS:
        if (block->header.payload_bytes < sizeof pass)
            return TAPE_OK;
        memcpy(&pass, block->payload, sizeof pass);
        return end_pass(resolver, pass.tsc);
    case FORMAT_RAW_SITES:
    case FORMAT_RAW_OBJECTS:
        return raw_sites_take(&resolver->sites, &block->header, block->payload)
                   ? TAPE_OK
                   : no_memory(resolver);
    case FORMAT_END:
        take_end(resolver, block);
        return TAPE_OK;
    default:
        return TAPE_OK;
    }
}

/* ---- the whole ---------------------------------------------------------------------------------
 */

static size_t meta_pairs(const struct resolver *resolver, struct tape_meta *pairs)
{
    size_t count = 0;
    while (count < META_PAIRS &&
           meta_at(&resolver->meta, count, &pairs[count].key, &pairs[count].value))
        count++;
    return count;
}

/* What the end of the raw tape says, where there is one: all metadata, and the clock's two ends. */
static void look_ahead(struct resolver *resolver)
{
    struct block block;
    struct format_footer footer;
    struct format_end end;
    const size_t capacity = sizeof end + FORMAT_META_MAX;
    unsigned char *buffer = malloc(capacity);
    if (buffer && block_peek_end(&resolver->input, &block, &footer, buffer, capacity)) {
        memcpy(&end, block.payload, sizeof end);
        raw_clock_pair(&resolver->clock, end.first_tsc, end.first_ns);
        raw_clock_pair(&resolver->clock, end.last_tsc, end.last_ns);
        resolver->fixed_clock = resolver->clock.pairs == 2;
        if (!resolver->fixed_clock)
            resolver->clock = (struct raw_clock){0};
        meta_parse(&resolver->meta, (const char *)block.payload + sizeof end,
                   block.header.payload_bytes - sizeof end);
    }
    if (buffer && !resolver->meta.bytes &&
        block_peek(&resolver->input, sizeof(struct format_file_header), &block, buffer, capacity) &&
        block.header.kind == FORMAT_META)
        meta_parse(&resolver->meta, (const char *)block.payload, block.header.payload_bytes);
    free(buffer);
}

static bool same_file(const struct resolver *resolver, const char *path)
{
    struct stat in, out;
    return fstat(resolver->input.fd, &in) == 0 && stat(path, &out) == 0 &&
           in.st_dev == out.st_dev && in.st_ino == out.st_ino;
}

static enum tape_status open_both(struct resolver *resolver, const char *raw_path,
                                  const char *tape_path, unsigned char *window)
{
    struct tape_meta pairs[META_PAIRS];
    enum tape_status status = block_input_open(&resolver->input, raw_path, window, resolver->error);
    if (status != TAPE_OK)
        return status;
    if (resolver->input.kind == FORMAT_TAPE || same_file(resolver, tape_path))
        status = tape_error_set(resolver->error, TAPE_BAD_INPUT, UINT64_MAX,
                                resolver->input.kind == FORMAT_TAPE
                                    ? "%s: this is a tape already"
                                    : "%s: cannot be resolved onto itself; name another output",
                                raw_path);
    if (status == TAPE_OK) {
        look_ahead(resolver);
        status = tape_writer_open(tape_path, pairs, meta_pairs(resolver, pairs), NULL,
                                  &resolver->writer, resolver->error);
    }
    if (status != TAPE_OK)
        block_input_close(&resolver->input);
    return status;
}

static enum tape_status read_all(struct resolver *resolver)
{
    enum tape_status status;
    struct block block;
    struct tape_error damage;
    while ((status = block_next(&resolver->input, &block, &damage)) != TAPE_END) {
        if (status == TAPE_DAMAGED) {
            resolver->stats.damaged_blocks++;
            continue;
        }
        if (status == TAPE_OK) {
            status = take_block(resolver, &block);
        } else if (resolver->error) {
            *resolver->error = damage;
        }
        if (status != TAPE_OK)
            return status;
        if (resolver->options.progress)
            resolver->options.progress(resolver->options.progress_context, resolver->input.offset,
                                       resolver->input.file_bytes);
    }
    return end_pass(resolver, UINT64_MAX);
}

static enum tape_status finish(struct resolver *resolver, enum tape_status status)
{
    struct tape_meta pairs[META_PAIRS];
    struct resolve_stats *stats = &resolver->stats;
    if (!resolver->seen_end && !meta_get(&resolver->meta, "cut_reason"))
        meta_set(&resolver->meta, "cut_reason",
                 "the raw tape has no end: its collector was killed or its disk was full");
    if (!resolver->seen_end || stats->damaged_blocks)
        stats->complete = false;
    struct tape_error ignored;
    if (status == TAPE_OK && resolver->sites.stack_count)
        status = raw_sites_write(&resolver->sites, resolver->writer, resolver->options.find_symbol,
                                 resolver->options.symbol_context, resolver->error);
    enum tape_status closed = tape_writer_close(
        resolver->writer, stats->complete && status == TAPE_OK, pairs, meta_pairs(resolver, pairs),
        status == TAPE_OK ? resolver->error : &ignored);
    block_input_close(&resolver->input);
    return status == TAPE_OK ? closed : status;
}

/* Only pages that were written hold lanes; the others read as zero and stay so. */
static void free_lanes(struct resolver *resolver)
{
    for (uint64_t i = 0; resolver->in_flight_lanes && i < resolver->lane_capacity; i++) {
        if (!resolver->lanes[i].in_flight)
            continue;
        free(resolver->lanes[i].in_flight);
        resolver->in_flight_lanes--;
    }
    grow_free(resolver->lanes, resolver->lane_capacity, sizeof *resolver->lanes);
}

enum tape_status tape_resolve(const char *raw_path, const char *tape_path,
                              const struct resolve_options *options,
                              struct resolve_stats *ret_stats, struct tape_error *error)
{
    struct resolver *resolver = calloc(1, sizeof *resolver);
    unsigned char *window = malloc(BLOCK_WINDOW_BYTES);
    enum tape_status status = TAPE_NO_MEMORY;
    struct tape_error own;
    if (resolver && window && address_map_init(&resolver->map)) {
        resolver->error = error ? error : &own;
        if (options)
            resolver->options = *options;
        resolver->meta = (struct meta){resolver->meta_text, 0, META_BYTES};
        resolver->next_id = 1;
        merge_init(&resolver->merge);
        status = open_both(resolver, raw_path, tape_path, window);
        if (status == TAPE_OK)
            status = finish(resolver, read_all(resolver));
        if (ret_stats)
            *ret_stats = resolver->stats;
        free_lanes(resolver);
        raw_sites_end(&resolver->sites);
        free(resolver->free_ids);
        merge_end(&resolver->merge);
        address_map_end(&resolver->map);
    } else {
        tape_error_set(error, status, UINT64_MAX, "%s: no memory to resolve with", raw_path);
    }
    free(window);
    free(resolver);
    return status;
}
