#include "traces/writer.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "traces/block.h"
#include "traces/codec.h"
#include "traces/marks.h"
#include "traces/meta.h"
#include "traces/reader.h"

enum { SAMPLES_BUFFERED = 256, MARKS_BYTES = 65536 };

struct tape_writer {
    struct block_output output;
    struct encoder *encoder;
    struct meta meta;
    uint64_t events; /* written in blocks so far */
    uint64_t time_ns;
    uint64_t last_index; /* offset of the latest INDEX block, 0 = none */
    uint32_t peak_object, lanes;
    uint32_t buffered, samples, index_entries;
    uint32_t block_events; /* at most */
    size_t mark_bytes;
    unsigned char marks[MARKS_BYTES];
    struct tape_event event[FORMAT_BLOCK_EVENTS_MAX];
    struct tape_sample sample[SAMPLES_BUFFERED];
    struct {
        struct format_index head;
        struct format_index_entry entry[FORMAT_INDEX_MAX];
    } index;
    unsigned char text[sizeof(struct format_end) + FORMAT_META_MAX];
    char meta_text[FORMAT_META_MAX];
};

static void set_meta(struct meta *meta, const struct tape_meta *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        meta_set(meta, pairs[i].key, pairs[i].value);
}

enum tape_status tape_writer_open(const char *path, const struct tape_meta *meta, size_t meta_count,
                                  const struct tape_writer_options *options,
                                  struct tape_writer **ret_writer, struct tape_error *error)
{
    struct tape_writer *writer = calloc(1, sizeof *writer);
    struct encoder *encoder = encoder_new(options ? options->compression_level : 0);
    if (!writer || !encoder) {
        free(writer);
        encoder_free(encoder);
        return tape_error_set(error, TAPE_NO_MEMORY, UINT64_MAX, "%s: no memory to write with",
                              path);
    }
    writer->encoder = encoder;
    writer->block_events = options ? options->block_events : 0;
    if (!writer->block_events || writer->block_events > FORMAT_BLOCK_EVENTS_MAX)
        writer->block_events = FORMAT_BLOCK_EVENTS_MAX;
    writer->meta = (struct meta){writer->meta_text, 0, sizeof writer->meta_text};
    set_meta(&writer->meta, meta, meta_count);
    size_t bytes = meta_format(&writer->meta, (char *)writer->text, FORMAT_META_MAX);
    enum tape_status status =
        block_output_begin(&writer->output, path, FORMAT_TAPE, writer->text, bytes, error);
    if (status != TAPE_OK) {
        encoder_free(encoder);
        free(writer);
        return status;
    }
    *ret_writer = writer;
    return TAPE_OK;
}

/* ---- blocks ------------------------------------------------------------------------------------
 */

static enum tape_status flush_samples(struct tape_writer *writer, struct tape_error *error)
{
    if (!writer->samples)
        return TAPE_OK;
    size_t bytes = writer->samples * sizeof *writer->sample;
    struct format_block_header header = {.kind = FORMAT_SAMPLES,
                                         .encoding = FORMAT_SAMPLES_ENCODING,
                                         .count = writer->samples,
                                         .first_event = writer->sample[0].event,
                                         .unpacked_bytes = (uint32_t)bytes};
    writer->samples = 0;
    return block_append(&writer->output, header, writer->sample, bytes, error);
}

static enum tape_status flush_index(struct tape_writer *writer, struct tape_error *error)
{
    if (!writer->index_entries)
        return TAPE_OK;
    size_t bytes = sizeof writer->index.head + writer->index_entries * sizeof *writer->index.entry;
    struct format_block_header header = {.kind = FORMAT_INDEX,
                                         .encoding = 1,
                                         .count = writer->index_entries,
                                         .unpacked_bytes = (uint32_t)bytes};
    writer->index.head.previous = writer->last_index;
    writer->last_index = writer->output.offset;
    writer->index_entries = 0;
    return block_append(&writer->output, header, &writer->index, bytes, error);
}

/* One block; two where what cannot be compressed would be too long for one. */
static enum tape_status write_events(struct tape_writer *writer, const struct tape_event *events,
                                     uint32_t count, struct tape_error *error)
{
    const unsigned char *payload;
    size_t bytes = encoder_block(writer->encoder, events, count, &payload);
    if (!bytes && count > CODEC_EVENTS_ALWAYS) {
        enum tape_status status = write_events(writer, events, count / 2, error);
        return status != TAPE_OK
                   ? status
                   : write_events(writer, events + count / 2, count - count / 2, error);
    }
    if (!bytes)
        return tape_error_set(error, TAPE_NO_MEMORY, writer->output.offset,
                              "%s: libzstd could not compress a block", writer->output.path);
    struct format_block_header header = {
        .kind = FORMAT_EVENTS,
        .encoding = FORMAT_EVENTS_ENCODING,
        .count = count,
        .first_event = writer->events,
        .unpacked_bytes = (uint32_t)(count * sizeof *events),
    };
    writer->index.entry[writer->index_entries++] =
        (struct format_index_entry){writer->output.offset, writer->events, events[0].time_ns};
    writer->events += count;
    enum tape_status status = block_append(&writer->output, header, payload, bytes, error);
    if (status == TAPE_OK && writer->index_entries == FORMAT_INDEX_MAX)
        status = flush_index(writer, error);
    return status;
}

static enum tape_status flush_events(struct tape_writer *writer, struct tape_error *error)
{
    uint32_t count = writer->buffered;
    writer->buffered = 0;
    return count ? write_events(writer, writer->event, count, error) : TAPE_OK;
}

/* ---- events ------------------------------------------------------------------------------------
 */

enum tape_status tape_writer_put(struct tape_writer *writer, const struct tape_event *event,
                                 struct tape_error *error)
{
    bool needs_object = tape_kind_allocates(event->kind) ||
                        (codec_refers(event->kind) && event->kind != TAPE_USABLE_SIZE);
    if (event->kind == 0 || event->kind >= TAPE_EVENT_KIND_LIMIT ||
        (needs_object && event->object == TAPE_NO_OBJECT) || event->object == UINT32_MAX)
        return tape_error_set(error, TAPE_BAD_INPUT, UINT64_MAX,
                              "an event of kind %u with object %u cannot be on a tape", event->kind,
                              (unsigned)event->object);
    struct tape_event *slot = &writer->event[writer->buffered++];
    *slot = *event;
    /* Readers are promised that time never decreases. */
    if (slot->time_ns < writer->time_ns)
        slot->time_ns = writer->time_ns;
    writer->time_ns = slot->time_ns;
    if (slot->object > writer->peak_object)
        writer->peak_object = slot->object;
    if (slot->lane >= writer->lanes)
        writer->lanes = slot->lane + 1;
    if (writer->buffered == writer->block_events)
        return flush_events(writer, error);
    if (writer->output.error.status != TAPE_OK && error)
        *error = writer->output.error;
    return writer->output.error.status;
}

enum tape_status tape_writer_sample(struct tape_writer *writer, const struct tape_sample *sample,
                                    struct tape_error *error)
{
    writer->sample[writer->samples++] = *sample;
    if (writer->samples == SAMPLES_BUFFERED)
        return flush_samples(writer, error);
    return TAPE_OK;
}

uint64_t tape_writer_events(const struct tape_writer *writer)
{
    return writer->events + writer->buffered;
}

static enum tape_status flush_marks(struct tape_writer *writer, struct tape_error *error)
{
    size_t bytes = writer->mark_bytes;
    struct format_block_header header = {
        .kind = FORMAT_MARKS, .encoding = 1, .unpacked_bytes = (uint32_t)bytes};
    writer->mark_bytes = 0;
    return bytes ? block_append(&writer->output, header, writer->marks, bytes, error) : TAPE_OK;
}

enum tape_status tape_writer_mark(struct tape_writer *writer, const struct tape_mark *mark,
                                  struct tape_error *error)
{
    struct format_mark head = {mark->event, mark->time_ns, mark->lane, mark->bytes};
    enum tape_status status = TAPE_OK;
    if (mark->bytes > MARKS_BYTES / 2)
        return tape_error_set(error, TAPE_BAD_INPUT, UINT64_MAX, "a mark of %u bytes",
                              (unsigned)mark->bytes);
    if (writer->mark_bytes + sizeof head + mark->bytes > MARKS_BYTES)
        status = flush_marks(writer, error);
    memcpy(writer->marks + writer->mark_bytes, &head, sizeof head);
    memcpy(writer->marks + writer->mark_bytes + sizeof head, mark->text, mark->bytes);
    writer->mark_bytes += sizeof head + mark->bytes;
    return status;
}

enum tape_status tape_writer_extra(struct tape_writer *writer, const struct tape_extra *extra,
                                   struct tape_error *error)
{
    struct format_block_header header = {.kind = (uint16_t)extra->kind,
                                         .encoding = (uint16_t)extra->encoding,
                                         .unpacked_bytes = extra->unpacked_bytes};
    return block_append(&writer->output, header, extra->payload, extra->bytes, error);
}

enum tape_status tape_writer_sites(struct tape_writer *writer, const char *text, size_t bytes,
                                   struct tape_error *error)
{
    size_t room = ZSTD_compressBound(bytes);
    void *packed = malloc(room);
    size_t used = packed ? ZSTD_compress(packed, room, text, bytes, CODEC_LEVEL_DEFAULT) : 0;
    enum tape_status status = TAPE_NO_MEMORY;
    struct format_block_header header = {
        .kind = FORMAT_SITES, .encoding = FORMAT_TEXT_ZSTD, .unpacked_bytes = (uint32_t)bytes};
    if (packed && !ZSTD_isError(used))
        status = block_append(&writer->output, header, packed, used, error);
    else
        tape_error_set(error, status, UINT64_MAX, "no memory to write call sites with");
    free(packed);
    return status;
}

/* ---- the end -----------------------------------------------------------------------------------
 */

static enum tape_status write_end(struct tape_writer *writer, bool complete,
                                  struct tape_error *error)
{
    struct format_end end = {.events = writer->events,
                             .peak_objects = writer->peak_object,
                             .lanes = writer->lanes,
                             .complete = complete,
                             .duration_ns = writer->time_ns};
    memcpy(writer->text, &end, sizeof end);
    size_t bytes =
        sizeof end + meta_format(&writer->meta, (char *)writer->text + sizeof end, FORMAT_META_MAX);
    struct format_footer footer = {writer->output.offset, writer->last_index};
    enum tape_status status = block_append(
        &writer->output, (struct format_block_header){.kind = FORMAT_END, .encoding = 1},
        writer->text, bytes, error);
    if (status == TAPE_OK)
        status = block_append(&writer->output,
                              (struct format_block_header){.kind = FORMAT_FOOTER, .encoding = 1},
                              &footer, sizeof footer, error);
    return status;
}

enum tape_status tape_writer_close(struct tape_writer *writer, bool complete,
                                   const struct tape_meta *meta, size_t meta_count,
                                   struct tape_error *error)
{
    set_meta(&writer->meta, meta, meta_count);
    enum tape_status status = flush_events(writer, error);
    if (status == TAPE_OK)
        status = flush_samples(writer, error);
    if (status == TAPE_OK)
        status = flush_marks(writer, error);
    if (status == TAPE_OK)
        status = flush_index(writer, error);
    if (status == TAPE_OK)
        status = write_end(writer, complete, error);
    enum tape_status closed = block_output_close(&writer->output, status == TAPE_OK ? error : NULL);
    encoder_free(writer->encoder);
    free(writer);
    return status == TAPE_OK ? closed : status;
}
