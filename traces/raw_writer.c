#include "traces/raw_writer.h"

#include <stdlib.h>
#include <string.h>

#include "traces/block.h"
#include "traces/meta.h"
#include "traces/raw_words.h"

/* Words of one lane that wait to become a block; another lane's put or the end of a pass writes
 * them. What is long enough goes out without a copy. */
enum { WORDS_BUFFERED = 16384, WORDS_ENOUGH = 4096 };

struct raw_writer {
    struct block_output output;
    struct meta meta;
    uint64_t words; /* written in blocks so far */
    uint32_t lane, buffered, lanes;
    bool have_clock;
    struct format_raw_sample first_clock, last_clock;
    uint64_t word[WORDS_BUFFERED];
    unsigned char text[sizeof(struct format_end) + FORMAT_META_MAX];
    char meta_text[FORMAT_META_MAX];
};

static void set_meta(struct meta *meta, const struct tape_meta *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        meta_set(meta, pairs[i].key, pairs[i].value);
}

enum tape_status raw_writer_open(const char *path, const struct tape_meta *meta, size_t meta_count,
                                 struct raw_writer **ret_writer, struct tape_error *error)
{
    struct raw_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return tape_error_set(error, TAPE_NO_MEMORY, UINT64_MAX, "%s: no memory to write with",
                              path);
    writer->meta = (struct meta){writer->meta_text, 0, sizeof writer->meta_text};
    set_meta(&writer->meta, meta, meta_count);
    size_t bytes = meta_format(&writer->meta, (char *)writer->text, FORMAT_META_MAX);
    enum tape_status status =
        block_output_begin(&writer->output, path, FORMAT_RAW_TAPE, writer->text, bytes, error);
    if (status != TAPE_OK) {
        free(writer);
        return status;
    }
    *ret_writer = writer;
    return TAPE_OK;
}

static enum tape_status append_words(struct raw_writer *writer, uint32_t lane,
                                     const uint64_t *words, size_t count, const uint64_t *more,
                                     size_t more_count, struct tape_error *error)
{
    size_t all = count + more_count, unit = sizeof *words;
    struct format_block_header header = {
        .kind = FORMAT_RAW_RECORDS,
        .encoding = FORMAT_RAW_ENCODING,
        .lane = lane,
        .first_event = writer->words,
        .count = (uint32_t)all,
        .unpacked_bytes = (uint32_t)(all * unit),
    };
    writer->words += all;
    return block_append_both(&writer->output, header, words, count * unit, more, more_count * unit,
                             error);
}

static enum tape_status flush(struct raw_writer *writer, struct tape_error *error)
{
    uint32_t count = writer->buffered;
    writer->buffered = 0;
    return count ? append_words(writer, writer->lane, writer->word, count, NULL, 0, error)
                 : TAPE_OK;
}

/* What waits is written where another lane comes, or where `count` more do not fit. */
static enum tape_status make_room(struct raw_writer *writer, uint32_t lane, size_t count,
                                  struct tape_error *error)
{
    if (lane >= FORMAT_RAW_LANES_MAX)
        return tape_error_set(error, TAPE_BAD_INPUT, UINT64_MAX, "%s: lane %u is out of range",
                              writer->output.path, (unsigned)lane);
    if (lane >= writer->lanes)
        writer->lanes = lane + 1;
    enum tape_status status = TAPE_OK;
    if (lane != writer->lane || count > WORDS_BUFFERED - writer->buffered)
        status = flush(writer, error);
    writer->lane = lane;
    return status;
}

enum tape_status raw_writer_put_words(struct raw_writer *writer, uint32_t lane,
                                      const uint64_t *words, size_t count, const uint64_t *more,
                                      size_t more_count, struct tape_error *error)
{
    size_t all = count + more_count;
    enum tape_status status = make_room(writer, lane, all, error);
    if (status != TAPE_OK)
        return status;
    if (all >= WORDS_ENOUGH && !writer->buffered)
        return append_words(writer, lane, words, count, more, more_count, error);
    memcpy(writer->word + writer->buffered, words, count * sizeof *words);
    if (more_count)
        memcpy(writer->word + writer->buffered + count, more, more_count * sizeof *more);
    writer->buffered += (uint32_t)all;
    return TAPE_OK;
}

enum tape_status raw_writer_put(struct raw_writer *writer, uint32_t lane,
                                const struct raw_record *records, size_t count,
                                struct tape_error *error)
{
    enum tape_status status = TAPE_OK;
    for (size_t i = 0; i < count && status == TAPE_OK; i++) {
        status = make_room(writer, lane, RAW_RECORD_WORDS, error);
        if (status == TAPE_OK)
            writer->buffered += raw_words_pack(&records[i], writer->word + writer->buffered);
    }
    return status;
}

enum tape_status raw_writer_pass(struct raw_writer *writer, uint64_t tsc, struct tape_error *error)
{
    enum tape_status status = flush(writer, error);
    struct format_raw_pass pass = {tsc};
    struct format_block_header header = {.kind = FORMAT_RAW_PASS, .encoding = 1};
    return status == TAPE_OK ? block_append(&writer->output, header, &pass, sizeof pass, error)
                             : status;
}

enum tape_status raw_writer_sample(struct raw_writer *writer, uint64_t tsc,
                                   const struct tape_sample *sample, struct tape_error *error)
{
    struct format_raw_sample raw = {tsc, sample->time_ns, sample->resident_bytes,
                                    sample->held_bytes};
    struct format_block_header header = {.kind = FORMAT_RAW_SAMPLE, .encoding = 1, .count = 1};
    if (!writer->have_clock)
        writer->first_clock = raw;
    writer->last_clock = raw;
    writer->have_clock = true;
    enum tape_status status = flush(writer, error); /* so that it stands where it was taken */
    if (status != TAPE_OK)
        return status;
    return block_append(&writer->output, header, &raw, sizeof raw, error);
}

enum tape_status raw_writer_sites(struct raw_writer *writer, uint32_t first, uint32_t count,
                                  const uint64_t *stacks, size_t words, struct tape_error *error)
{
    struct format_block_header header = {
        .kind = FORMAT_RAW_SITES, .encoding = 1, .first_event = first, .count = count};
    return block_append(&writer->output, header, stacks, words * sizeof *stacks, error);
}

enum tape_status raw_writer_object(struct raw_writer *writer, const char *line, size_t bytes,
                                   struct tape_error *error)
{
    struct format_block_header header = {.kind = FORMAT_RAW_OBJECTS, .encoding = 1, .count = 1};
    return block_append(&writer->output, header, line, bytes, error);
}

static enum tape_status write_end(struct raw_writer *writer, bool complete,
                                  struct tape_error *error)
{
    struct format_end end = {
        .events = writer->words,
        .lanes = writer->lanes,
        .complete = complete,
        .duration_ns = writer->last_clock.time_ns,
        .first_tsc = writer->first_clock.tsc,
        .first_ns = writer->first_clock.time_ns,
        .last_tsc = writer->last_clock.tsc,
        .last_ns = writer->last_clock.time_ns,
    };
    memcpy(writer->text, &end, sizeof end);
    size_t bytes =
        sizeof end + meta_format(&writer->meta, (char *)writer->text + sizeof end, FORMAT_META_MAX);
    struct format_footer footer = {writer->output.offset, 0};
    struct format_block_header header = {.kind = FORMAT_END, .encoding = 1};
    enum tape_status status = block_append(&writer->output, header, writer->text, bytes, error);
    header.kind = FORMAT_FOOTER;
    return status == TAPE_OK ? block_append(&writer->output, header, &footer, sizeof footer, error)
                             : status;
}

enum tape_status raw_writer_close(struct raw_writer *writer, bool complete,
                                  const struct tape_meta *meta, size_t meta_count,
                                  struct tape_error *error)
{
    set_meta(&writer->meta, meta, meta_count);
    enum tape_status status = flush(writer, error);
    if (status == TAPE_OK)
        status = write_end(writer, complete, error);
    enum tape_status closed = block_output_close(&writer->output, status == TAPE_OK ? error : NULL);
    free(writer);
    return status == TAPE_OK ? closed : status;
}
