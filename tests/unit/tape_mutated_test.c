/*
 * Damage of every sort: a tape is flipped, cut, grown and spliced at random places, 1,000 times
 * with a fixed seed, and read. Nothing may crash, every event that is read must be the one that was
 * written, and no more may be missing than the blocks that were hit. The same bytes go to the
 * resolver and to the decoder alone, where nothing but survival is asked.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/check.h"
#include "traces/check.h"
#include "traces/codec.h"
#include "traces/crc32c.h"
#include "traces/raw_writer.h"
#include "traces/reader.h"
#include "traces/resolve.h"
#include "traces/summary.h"
#include "traces/synth/synth.h"
#include "traces/writer.h"

enum { MUTATIONS = 1000, EVENTS = 270000, FILE_MAX = 4 << 20 };

static const char path[] = "mutated_test.tape", out_path[] = "mutated_test.out.tape";
static struct synth_random dice;
static struct tape_event events[EVENTS];
static uint32_t event_count;
static unsigned char whole[FILE_MAX], mutated[FILE_MAX + 4096];
static size_t whole_bytes, mutated_bytes;

/* Where the blocks of the sound file lie, and the events that each holds. */
enum { BLOCKS_MAX = 16384 };
static struct {
    size_t begin, end;
    uint32_t events;
    unsigned kind;
    bool hit;
} blocks[BLOCKS_MAX];
static unsigned block_count;

static bool keep(void *context, const struct tape_event *event)
{
    struct tape_error error;
    struct tape_event *kept = &events[event_count++];
    *kept = *event;
    if (codec_has_site(kept->kind))
        kept->site = (uint32_t)(kept->size % 97 * (1 + event_count / 50000));
    return tape_writer_put(context, kept, &error) == TAPE_OK;
}

static void load(const char *name)
{
    int fd = open(name, O_RDONLY);
    ssize_t got = read(fd, whole, sizeof whole);
    CHECK(fd >= 0 && got > 0 && got < FILE_MAX);
    whole_bytes = got > 0 ? (size_t)got : 0;
    close(fd);
}

static void store(const unsigned char *bytes, size_t count)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    CHECK_EQ_U64(write(fd, bytes, count), count);
    close(fd);
}

static void list_blocks(void)
{
    block_count = 0;
    for (size_t at = sizeof(struct format_file_header); at < whole_bytes;) {
        struct format_block_header header;
        memcpy(&header, whole + at, sizeof header);
        size_t end = at + sizeof header + header.payload_bytes;
        blocks[block_count].begin = at;
        blocks[block_count].end = end;
        blocks[block_count].kind = header.kind;
        blocks[block_count++].events = header.kind == FORMAT_EVENTS ? header.count : 0;
        at = end;
    }
}

static void make_tape(void)
{
    struct tape_writer *writer;
    struct tape_error error;
    struct synth_options options = synth_defaults();
    const struct tape_meta meta[] = {{"program", "mutant"}};
    options.events = EVENTS;
    options.lanes = 3;
    options.realloc_share = 0.1;
    options.calloc_share = 0.2;
    options.aligned_share = 0.1;
    options.cross_free_share = 0.3;
    options.lifetimes = SYNTH_MIXED;
    options.sizes = SYNTH_CLASSES;
    event_count = 0;
    const struct tape_writer_options small = {.block_events = 65536};
    CHECK_EQ_INT(tape_writer_open(path, meta, 1, &small, &writer, &error), TAPE_OK);
    CHECK(synth_run(&options, keep, writer));
    struct tape_sample sample = {.resident_bytes = 4096};
    tape_writer_sample(writer, &sample, &error);
    CHECK_EQ_INT(tape_writer_close(writer, true, NULL, 0, &error), TAPE_OK);
    load(path);
    list_blocks();
}

/* ---- mutations ---------------------------------------------------------------------------------
 */

static void hit(size_t from, size_t to)
{
    for (unsigned i = 0; i < block_count; i++)
        blocks[i].hit |= from < blocks[i].end && to > blocks[i].begin;
}

static void flip(void)
{
    for (uint64_t i = 0, count = 1 + synth_below(&dice, 3); i < count; i++) {
        size_t at = synth_below(&dice, mutated_bytes);
        mutated[at] ^= (unsigned char)(1 << synth_below(&dice, 8));
        hit(at, at + 1);
    }
}

static void overwrite(void)
{
    size_t at = synth_below(&dice, mutated_bytes), left = mutated_bytes - at;
    size_t count = 1 + synth_below(&dice, left < 5000 ? left : 5000);
    for (size_t i = 0; i < count; i++)
        mutated[at + i] = (unsigned char)synth_next(&dice);
    hit(at, at + count);
}

static void cut(void)
{
    mutated_bytes = synth_below(&dice, mutated_bytes);
    hit(mutated_bytes, whole_bytes);
}

static void insert(void)
{
    size_t at = synth_below(&dice, mutated_bytes), count = 1 + synth_below(&dice, 3000);
    memmove(mutated + at + count, mutated + at, mutated_bytes - at);
    for (size_t i = 0; i < count; i++)
        mutated[at + i] = (unsigned char)synth_next(&dice);
    mutated_bytes += count;
    /* Between two blocks an insertion hits none. */
    for (unsigned i = 0; i < block_count; i++)
        blocks[i].hit |= at > blocks[i].begin && at < blocks[i].end;
}

static void delete (void)
{
    size_t at = synth_below(&dice, mutated_bytes), left = mutated_bytes - at;
    size_t count = 1 + synth_below(&dice, left < 3000 ? left : 3000);
    memmove(mutated + at, mutated + at + count, left - count);
    mutated_bytes -= count;
    hit(at, at + count);
}

/* A whole block once more, somewhere between two others. */
static void repeat_block(void)
{
    unsigned which = (unsigned)synth_below(&dice, block_count);
    size_t at = blocks[synth_below(&dice, block_count)].begin;
    size_t count = blocks[which].end - blocks[which].begin;
    memmove(mutated + at + count, mutated + at, mutated_bytes - at);
    memcpy(mutated + at, whole + blocks[which].begin, count);
    mutated_bytes += count;
    /* In front of its place a later block is taken and what lies between is then out of sequence.
     */
    if (blocks[which].begin > at)
        hit(at, blocks[which].end);
}

static void mutate(void)
{
    static void (*const ways[])(void) = {flip, flip, overwrite, cut, insert, delete, repeat_block};
    memcpy(mutated, whole, whole_bytes);
    mutated_bytes = whole_bytes;
    for (unsigned i = 0; i < block_count; i++)
        blocks[i].hit = false;
    ways[synth_below(&dice, sizeof ways / sizeof *ways)]();
    store(mutated, mutated_bytes);
}

/* ---- what must hold ----------------------------------------------------------------------------
 */

/* Reads it all: no wrong event, and as many as in the blocks that were not hit. */
static bool read_mutant(uint64_t *ret_read)
{
    struct tape_reader *reader;
    struct tape_error error;
    const struct tape_event *batch;
    size_t count;
    enum tape_status status;
    uint64_t read = 0, wrong = 0;
    *ret_read = 0;
    status = tape_reader_open(path, &reader, &error);
    if (status != TAPE_OK)
        return CHECK_EQ_INT(status, TAPE_BAD_INPUT);
    while ((status = tape_reader_next(reader, &batch, &count, &error)) != TAPE_END) {
        if (status == TAPE_DAMAGED) {
            CHECK(strstr(error.message, "byte ") != NULL);
            continue;
        }
        if (!CHECK_EQ_INT(status, TAPE_OK))
            break;
        uint64_t first = tape_reader_batch_event(reader);
        for (size_t i = 0; i < count; i++)
            wrong +=
                first + i >= event_count || memcmp(&batch[i], &events[first + i], sizeof *batch);
        read += count;
    }
    tape_reader_close(reader);
    *ret_read = read;
    return CHECK_EQ_U64(wrong, 0);
}

static void test_a_thousand_mutants(void)
{
    uint64_t unhurt = 0;
    make_tape();
    synth_seed(&dice, 2024);
    for (int i = 0; i < MUTATIONS; i++) {
        uint64_t expected = 0, read;
        mutate();
        for (unsigned block = 0; block < block_count; block++)
            expected += blocks[block].hit ? 0 : blocks[block].events;
        if (!read_mutant(&read) || !CHECK_LE_U64(expected, read)) {
            printf("  ... mutation %d\n", i);
            break;
        }
        unhurt += read == event_count;
    }
    CHECK(unhurt > 0 && unhurt < MUTATIONS);
    unlink(path);
}

static void test_the_tools_survive_mutants(void)
{
    static struct tape_summary summary;
    struct tape_error error;
    struct tape_check check;
    make_tape();
    synth_seed(&dice, 99);
    for (int i = 0; i < 60; i++) {
        struct tape_reader *reader;
        mutate();
        if (tape_reader_open(path, &reader, &error) == TAPE_OK) {
            CHECK_EQ_INT(tape_summarize(reader, &summary, &error), TAPE_OK);
            tape_reader_close(reader);
        }
        enum tape_status status = tape_check(path, NULL, NULL, &check, &error);
        CHECK(status == TAPE_OK || status == TAPE_BAD_INPUT);
        if (status == TAPE_OK && check.events < event_count)
            CHECK(check.damage > 0);
    }
    unlink(path);
}

/* ---- raw tapes ---------------------------------------------------------------------------------
 */

static bool keep_raw(void *context, const struct tape_event *event)
{
    struct tape_error error;
    static uint64_t tsc;
    struct raw_record record[2] = {{raw_head(RAW_STAMP, 0, 0), tsc += 10}, {0}};
    unsigned kind = tape_kind_frees(event->kind) ? RAW_FREE : RAW_MALLOC;
    record[1] = (struct raw_record){raw_head(kind, (uint64_t)event->object << 5, 0), event->size};
    if (tsc % 50000 == 0)
        raw_writer_pass(context, tsc, &error);
    return raw_writer_put(context, event->lane, record, 2, &error) == TAPE_OK;
}

static void test_the_resolver_survives_mutants(void)
{
    struct raw_writer *writer;
    struct tape_error error;
    struct synth_options options = synth_defaults();
    options.events = 60000;
    options.lanes = 5;
    CHECK_EQ_INT(raw_writer_open(path, NULL, 0, &writer, &error), TAPE_OK);
    CHECK(synth_run(&options, keep_raw, writer));
    CHECK_EQ_INT(raw_writer_close(writer, true, NULL, 0, &error), TAPE_OK);
    load(path);
    list_blocks();
    synth_seed(&dice, 7);
    for (int i = 0; i < 200; i++) {
        struct resolve_stats stats;
        struct tape_check check;
        mutate();
        enum tape_status status = tape_resolve(path, out_path, NULL, &stats, &error);
        CHECK(status == TAPE_OK || status == TAPE_BAD_INPUT);
        if (status != TAPE_OK)
            continue;
        /* Whatever was lost, what is written makes sense. */
        CHECK_EQ_INT(tape_check(out_path, NULL, NULL, &check, &error), TAPE_OK);
        CHECK_EQ_U64(check.damage + check.nonsense, 0);
        CHECK_EQ_U64(check.events, stats.events);
    }
    unlink(path);
    unlink(out_path);
}

/* ---- the decoder alone: payloads whose checksum is right and whose content is not
 * ---------------- */

static void decode_hostile(struct decoder *decoder, uint16_t encoding, const unsigned char *payload,
                           size_t bytes, uint32_t count)
{
    static struct tape_event batch[4096];
    struct tape_error error;
    size_t given, all = 0;
    if (decoder_begin(decoder, encoding, payload, bytes, count, &error) != TAPE_OK)
        return;
    while (decoder_next(decoder, batch, 4096, &given, &error) == TAPE_OK && given) {
        for (size_t i = 0; i < given; i++) {
            unsigned kind = batch[i].kind;
            CHECK(kind > 0 && kind < TAPE_EVENT_KIND_LIMIT);
            CHECK(batch[i].object ||
                  (!tape_kind_allocates(kind) && !tape_kind_frees(kind) && kind != TAPE_REALLOC));
        }
        all += given;
    }
    CHECK_LE_U64(all, count);
}

static void test_the_decoder_survives_sealed_mutants(void)
{
    static unsigned char payload[1 << 20];
    struct encoder *encoder = encoder_new(0);
    struct decoder *decoder =
        decoder_init(aligned_alloc(4096, (decoder_bytes() + 4095) / 4096 * 4096));
    const unsigned char *encoded;
    make_tape();
    for (size_t i = 0; i < EVENTS; i += 2) /* every other block has call sites */
        events[i].site = codec_has_site(events[i].kind) && i % 10000 < 5000 ? i % 97 : 0;
    synth_seed(&dice, 5);
    for (int i = 0; i < 3000; i++) {
        uint32_t count = 1 + (uint32_t)synth_below(&dice, 3000);
        uint32_t from = (uint32_t)synth_below(&dice, EVENTS - 3000);
        size_t bytes = encoder_block(encoder, events + from, count, &encoded);
        if (!CHECK(bytes > 0 && bytes < sizeof payload - 64))
            break;
        memcpy(payload, encoded, bytes);
        /* The front matters most: head, columns, plane words. */
        for (uint64_t flips = 1 + synth_below(&dice, 4); flips--;) {
            size_t reach = synth_below(&dice, 2) && bytes > 200 ? 200 : bytes;
            payload[synth_below(&dice, reach)] ^= (unsigned char)(1 << synth_below(&dice, 8));
        }
        if (synth_below(&dice, 8) == 0)
            bytes = synth_below(&dice, bytes + 1);
        decode_hostile(decoder, synth_below(&dice, 8) ? FORMAT_EVENTS_ENCODING : 1, payload, bytes,
                       synth_below(&dice, 8) ? count : (uint32_t)synth_below(&dice, 70000));
    }
    free(decoder);
    encoder_free(encoder);
    unlink(path);
}

int main(void)
{
    RUN(test_a_thousand_mutants);
    RUN(test_the_tools_survive_mutants);
    RUN(test_the_resolver_survives_mutants);
    RUN(test_the_decoder_survives_sealed_mutants);
    return CHECK_MAIN_END();
}
