#include "traces/resolver.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "traces/grow.h"
#include "traces/raw_words.h"
#include "traces/writer.h"

/* ---- time and samples --------------------------------------------------------------------------
 */

static enum tape_status samples_until(struct resolver *resolver, uint64_t key)
{
    unsigned done = 0;
    enum tape_status status = TAPE_OK;
    const struct window *window = &resolver->window;
    while (status == TAPE_OK && done < resolver->samples && resolver->sample[done].tsc <= key) {
        struct tape_sample *sample = &resolver->sample[done++].sample;
        if (!window->begun || window->ended)
            continue;
        sample->event = tape_writer_events(resolver->writer);
        sample->requested_bytes = resolver->requested;
        sample->time_ns -= sample->time_ns < window->base_ns ? sample->time_ns : window->base_ns;
        status = tape_writer_sample(resolver->writer, sample, resolver->error);
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
        status = resolver_take_record(resolver, lane, &records[i]);
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
        status = lane ? take_stretch(resolver, lane, &stretch) : resolver_no_memory(resolver);
    }
    merge_finish(&resolver->merge);
    return status == TAPE_OK ? samples_until(resolver, limit) : status;
}

/* ---- blocks ------------------------------------------------------------------------------------
 */

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
        return resolver_no_memory(resolver);
    if (words)
        count = raw_words_unpack(block->payload, count, records, resolver_keep_mark, resolver);
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
    if (raw.resident_bytes > resolver->stats.peak_resident)
        resolver->stats.peak_resident = raw.resident_bytes;
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
                   : resolver_no_memory(resolver);
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
    resolver->input.more = resolver->options.more;
    resolver->input.more_context = resolver->options.more_context;
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
    if (status == TAPE_OK)
        window_begin(&resolver->window, resolver->options.start, resolver->options.stop,
                     resolver->writer);
    if (status != TAPE_OK)
        block_input_close(&resolver->input);
    return status;
}

static enum tape_status read_all(struct resolver *resolver)
{
    enum tape_status status;
    struct block block;
    struct tape_error damage;
    while (!resolver->window.ended &&
           (status = block_next(&resolver->input, &block, &damage)) != TAPE_END) {
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

static void set_window_meta(struct resolver *resolver)
{
    const struct resolve_options *options = &resolver->options;
    struct resolve_stats *stats = &resolver->stats;
    char preamble[24];
    stats->written = tape_writer_events(resolver->writer);
    stats->window_begun = resolver->window.begun;
    if (resolver->window.ended)
        stats->complete = true; /* what was asked for is there */
    snprintf(preamble, sizeof preamble, "%" PRIu64, resolver->window.preamble);
    if (options->start_text) {
        meta_set(&resolver->meta, "start_after", options->start_text);
        meta_set(&resolver->meta, "slice_preamble_events", preamble);
    }
    if (options->stop_text && resolver->window.ended)
        meta_set(&resolver->meta, "stop_after", options->stop_text);
}

static enum tape_status finish(struct resolver *resolver, enum tape_status status)
{
    struct tape_meta pairs[META_PAIRS];
    struct resolve_stats *stats = &resolver->stats;
    resolver->seen_end |= resolver->window.ended;
    if (!resolver->seen_end && !meta_get(&resolver->meta, "cut_reason"))
        meta_set(&resolver->meta, "cut_reason",
                 "the raw tape has no end: its collector was killed or its disk was full");
    if (!resolver->seen_end || stats->damaged_blocks)
        stats->complete = false;
    struct tape_error ignored;
    set_window_meta(resolver);
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
        for (uint64_t i = 0; i < resolver->mark_count; i++)
            free(resolver->marks[i]);
        free(resolver->marks);
        grow_free(resolver->sizes, resolver->size_capacity, sizeof *resolver->sizes);
        window_end(&resolver->window);
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
