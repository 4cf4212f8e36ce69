#include "traces/reader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "traces/block.h"
#include "traces/codec.h"
#include "traces/meta.h"

/* A batch fits in the second level of any cache. */
enum { BATCH_EVENTS = 4096, META_BYTES = 3 * FORMAT_META_MAX };

struct tape_reader {
    struct block_input input;
    struct decoder *decoder;
    size_t mapped_bytes;
    struct tape_reader_totals totals;
    struct format_end end;       /* valid where have_end */
    struct format_footer footer; /* valid where have_footer */
    bool have_end, have_footer;
    bool decoding;                 /* the decoder has more of the block at hand */
    struct format_block_header at; /* that block's */
    uint64_t at_offset;
    uint64_t next_event;  /* index of the event to come */
    uint64_t batch_event; /* index of the first event given last */
    bool seen_end;
    void (*on_sample)(const struct tape_sample *sample, void *context);
    void *on_sample_context;
    void (*on_extra)(const struct tape_extra *extra, void *context);
    void *on_extra_context;
    struct meta meta;
    char meta_text[META_BYTES];
    struct tape_event batch[BATCH_EVENTS];
};

/* ---- opening -----------------------------------------------------------------------------------
 */

static void take_meta(struct tape_reader *reader, const unsigned char *text, size_t bytes)
{
    if (bytes <= FORMAT_META_MAX)
        meta_parse(&reader->meta, (const char *)text, bytes);
}

static void take_end(struct tape_reader *reader, const struct block *block)
{
    if (block->header.encoding != 1 || block->header.payload_bytes < sizeof reader->end)
        return;
    memcpy(&reader->end, block->payload, sizeof reader->end);
    reader->have_end = true;
    reader->totals.events = reader->end.events;
    reader->totals.peak_objects = reader->end.peak_objects;
    reader->totals.lanes = reader->end.lanes;
    reader->totals.complete = reader->end.complete == 1;
    take_meta(reader, block->payload + sizeof reader->end,
              block->header.payload_bytes - sizeof reader->end);
}

/* What a look at both ends of the file gives, before anything is read in order. */
static void look_ahead(struct tape_reader *reader)
{
    struct block block;
    unsigned char *buffer = reader->input.window + BLOCK_WINDOW_BYTES;
    const size_t capacity = sizeof(struct format_end) + FORMAT_META_MAX;
    if (block_peek(&reader->input, sizeof(struct format_file_header), &block, buffer, capacity) &&
        block.header.kind == FORMAT_META)
        take_meta(reader, block.payload, block.header.payload_bytes);
    if (block_peek_end(&reader->input, &block, &reader->footer, buffer, capacity)) {
        reader->have_footer = true;
        take_end(reader, &block);
    }
}

/*
 * One mapping: the reader itself, the decoder, the window that blocks are read into and, behind it,
 * room for looking at a block out of order. What is never touched never becomes resident.
 */
static struct tape_reader *map_reader(unsigned char **ret_window)
{
    const size_t page = 4096, own = (sizeof(struct tape_reader) + page - 1) / page * page;
    const size_t decoder = (decoder_bytes() + page - 1) / page * page;
    const size_t peek = sizeof(struct format_end) + FORMAT_META_MAX;
    size_t bytes = own + decoder + BLOCK_WINDOW_BYTES + peek;
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    struct tape_reader *reader = (struct tape_reader *)memory;
    reader->mapped_bytes = bytes;
    reader->decoder = decoder_init(memory + own);
    if (!reader->decoder) {
        munmap(memory, bytes);
        errno = ENOMEM;
        return NULL;
    }
    *ret_window = (unsigned char *)memory + own + decoder;
    return reader;
}

enum tape_status tape_reader_open(const char *path, struct tape_reader **ret_reader,
                                  struct tape_error *error)
{
    unsigned char *window;
    struct tape_reader *reader = map_reader(&window);
    if (!reader)
        return tape_error_set(error, TAPE_NO_MEMORY, UINT64_MAX, "%s: no memory to read with: %s",
                              path, strerror(errno));
    reader->meta = (struct meta){reader->meta_text, 0, META_BYTES};
    enum tape_status status = block_input_open(&reader->input, path, window, error);
    if (status == TAPE_OK && reader->input.kind == FORMAT_RAW_TAPE) {
        block_input_close(&reader->input);
        status = tape_error_set(error, TAPE_BAD_INPUT, UINT64_MAX,
                                "%s: this is a raw tape; make a tape of it with heaptape trace "
                                "resolve",
                                path);
    }
    if (status != TAPE_OK) {
        munmap(reader, reader->mapped_bytes);
        return status;
    }
    reader->totals.file_bytes = reader->input.file_bytes;
    look_ahead(reader);
    *ret_reader = reader;
    return TAPE_OK;
}

void tape_reader_close(struct tape_reader *reader)
{
    if (!reader)
        return;
    block_input_close(&reader->input);
    munmap(reader, reader->mapped_bytes);
}

/* ---- reading -----------------------------------------------------------------------------------
 */

static enum tape_status take_samples(struct tape_reader *reader, const struct block *block)
{
    bool first = block->header.encoding == 1;
    uint32_t unit = first ? FORMAT_SAMPLE_BYTES_1 : sizeof(struct tape_sample);
    uint32_t count = block->header.payload_bytes / unit;
    if (block->header.encoding > FORMAT_SAMPLES_ENCODING)
        return TAPE_OK;
    for (uint32_t i = 0; reader->on_sample && i < count; i++) {
        struct tape_sample sample = {0};
        memcpy(&sample, block->payload + i * unit, unit);
        reader->on_sample(&sample, reader->on_sample_context);
    }
    return TAPE_OK;
}

static enum tape_status take_extra(struct tape_reader *reader, const struct block *block)
{
    const struct format_block_header *header = &block->header;
    struct tape_extra extra = {header->kind, header->encoding, header->unpacked_bytes,
                               block->payload, header->payload_bytes};
    if (reader->on_extra)
        reader->on_extra(&extra, reader->on_extra_context);
    return TAPE_OK;
}

static enum tape_status block_damaged(struct tape_reader *reader, uint64_t offset,
                                      struct tape_error *error)
{
    reader->input.damage++;
    if (error)
        error->offset = offset;
    char at[48];
    snprintf(at, sizeof at, "damaged at byte %" PRIu64, offset);
    tape_error_add(error, "%s", at);
    return TAPE_DAMAGED;
}

static enum tape_status take_events(struct tape_reader *reader, const struct block *block,
                                    struct tape_error *error)
{
    if (block->header.encoding == 0 || block->header.encoding > FORMAT_EVENTS_ENCODING)
        return tape_error_set(error, TAPE_DAMAGED, block->offset,
                              "byte %" PRIu64 ": events in encoding %u, which this heaptape does "
                              "not know; take a newer one",
                              block->offset, block->header.encoding);
    enum tape_status status =
        decoder_begin(reader->decoder, block->header.encoding, block->payload,
                      block->header.payload_bytes, block->header.count, error);
    if (status != TAPE_OK)
        return block_damaged(reader, block->offset, error);
    reader->decoding = true;
    reader->at = block->header;
    reader->at_offset = block->offset;
    reader->next_event = block->header.first_event;
    return TAPE_OK;
}

static enum tape_status take_block(struct tape_reader *reader, const struct block *block,
                                   struct tape_error *error)
{
    switch (block->header.kind) {
    case FORMAT_META:
        take_meta(reader, block->payload, block->header.payload_bytes);
        return TAPE_OK;
    case FORMAT_EVENTS: /* those that cannot be jumped are read all the same */
        return reader->input.pass_over == FORMAT_EVENTS ? TAPE_OK
                                                        : take_events(reader, block, error);
    case FORMAT_SAMPLES:
        return take_samples(reader, block);
    case FORMAT_SITES:
    case FORMAT_MARKS:
        return take_extra(reader, block);
    case FORMAT_END:
        reader->seen_end = true;
        take_end(reader, block);
        return TAPE_OK;
    default:
        return TAPE_OK;
    }
}

static enum tape_status give_batch(struct tape_reader *reader, size_t *ret_count,
                                   struct tape_error *error)
{
    enum tape_status status =
        decoder_next(reader->decoder, reader->batch, BATCH_EVENTS, ret_count, error);
    if (status != TAPE_OK)
        return reader->decoding = false, block_damaged(reader, reader->at_offset, error);
    reader->batch_event = reader->next_event;
    reader->next_event += *ret_count;
    reader->decoding = *ret_count == BATCH_EVENTS;
    return TAPE_OK;
}

enum tape_status tape_reader_next(struct tape_reader *reader, const struct tape_event **ret_events,
                                  size_t *ret_count, struct tape_error *error)
{
    for (;;) {
        enum tape_status status;
        if (reader->decoding) {
            size_t count = 0;
            status = give_batch(reader, &count, error);
            if (status == TAPE_OK && !count)
                continue;
            *ret_events = reader->batch;
            *ret_count = count;
            return status;
        }
        struct block block;
        status = block_next(&reader->input, &block, error);
        if (status == TAPE_END && !reader->seen_end) {
            reader->seen_end = true; /* once */
            reader->input.damage++;
            return tape_error_set(error, TAPE_DAMAGED, reader->input.offset,
                                  "damaged at byte %" PRIu64 ": the tape ends without its end "
                                  "block: the writer was cut",
                                  reader->input.offset);
        }
        if (status == TAPE_OK)
            status = take_block(reader, &block, error);
        if (status == TAPE_END && !reader->totals.file_bytes)
            reader->totals.file_bytes = reader->input.offset; /* of a pipe it is known only now */
        if (status != TAPE_OK)
            return status;
    }
}

void tape_reader_pass_over_events(struct tape_reader *reader)
{
    reader->input.pass_over = FORMAT_EVENTS;
    reader->decoding = false;
}

void tape_reader_rewind(struct tape_reader *reader)
{
    /* Where it cannot (a pipe), the next read says so: it ends, as there is nothing more to come.
     */
    block_seek(&reader->input, sizeof(struct format_file_header), NULL);
    reader->input.pass_over = 0;
    reader->decoding = false;
    reader->seen_end = false;
    reader->next_event = reader->batch_event = 0;
    reader->input.damage = 0;
}

/* The offset of the block that holds `event`, by way of the chain of INDEX blocks; 0 where it
 * cannot be told. */
static uint64_t find_block(struct tape_reader *reader, uint64_t event)
{
    unsigned char *buffer = reader->input.window + BLOCK_WINDOW_BYTES;
    const size_t capacity =
        sizeof(struct format_index) + FORMAT_INDEX_MAX * sizeof(struct format_index_entry);
    struct block block;
    struct format_index head;
    struct format_index_entry entry, found = {0};
    uint64_t at = reader->have_footer ? reader->footer.index_offset : 0;
    while (at && !found.offset) {
        if (!block_peek(&reader->input, at, &block, buffer, capacity) ||
            block.header.kind != FORMAT_INDEX || block.header.encoding != 1 ||
            block.header.payload_bytes < sizeof head)
            return 0;
        memcpy(&head, block.payload, sizeof head);
        for (size_t used = sizeof head; used + sizeof entry <= block.header.payload_bytes;
             used += sizeof entry) {
            memcpy(&entry, block.payload + used, sizeof entry);
            if (entry.first_event <= event)
                found = entry;
        }
        if (head.previous >= at) /* a chain only ever goes back */
            break;
        at = head.previous;
    }
    return found.offset < reader->input.file_bytes ? found.offset : 0;
}

void tape_reader_seek(struct tape_reader *reader, uint64_t event)
{
    uint64_t offset = find_block(reader, event);
    tape_reader_rewind(reader);
    if (offset)
        block_seek(&reader->input, offset, NULL);
}

/* ---- what is known of the whole ----------------------------------------------------------------
 */

struct tape_reader_totals tape_reader_totals(const struct tape_reader *reader)
{
    return reader->totals;
}

const char *tape_reader_meta(const struct tape_reader *reader, const char *key)
{
    return meta_get(&reader->meta, key);
}

void tape_reader_on_sample(struct tape_reader *reader,
                           void (*callback)(const struct tape_sample *sample, void *context),
                           void *context)
{
    reader->on_sample = callback;
    reader->on_sample_context = context;
}

void tape_reader_on_extra(struct tape_reader *reader,
                          void (*callback)(const struct tape_extra *extra, void *context),
                          void *context)
{
    reader->on_extra = callback;
    reader->on_extra_context = context;
}

uint64_t tape_reader_batch_event(const struct tape_reader *reader)
{
    return reader->batch_event;
}

uint64_t tape_reader_duration_ns(const struct tape_reader *reader)
{
    return reader->have_end ? reader->end.duration_ns : 0;
}

bool tape_reader_meta_at(const struct tape_reader *reader, size_t index, const char **ret_key,
                         const char **ret_value)
{
    return meta_at(&reader->meta, index, ret_key, ret_value);
}
