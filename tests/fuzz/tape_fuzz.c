/*
 * Fuzzing of all that reads tapes, by libFuzzer where clang has it (make fuzz-tape), or by the
 * mutations in tests/unit/tape_mutated_test.c, which every test run does.
 *
 * The first byte says what the rest is: a payload of events for the decoder; a file, as it is; a
 * file whose checksums are made right first, so that what lies behind them is reached; records for
 * the resolver; text for convert.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "traces/check.h"
#include "traces/codec.h"
#include "traces/convert/convert.h"
#include "traces/crc32c.h"
#include "traces/raw_writer.h"
#include "traces/marks.h"
#include "traces/resolve.h"
#include "traces/sites.h"

enum { BYTES_MAX = 1 << 16 };
static char out_path[32], raw_path[32]; /* of this process: several may share a folder */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void decode(const uint8_t *data, size_t bytes)
{
    static struct decoder *decoder;
    static struct tape_event events[4096];
    struct tape_error error;
    size_t count;
    uint32_t claimed;
    if (bytes < sizeof claimed)
        return;
    if (!decoder)
        decoder = decoder_init(aligned_alloc(4096, (decoder_bytes() + 4095) / 4096 * 4096));
    memcpy(&claimed, data, sizeof claimed);
    /* The upper bits choose the encoding. */
    if (decoder_begin(decoder, 1 + (claimed >> 24) % FORMAT_EVENTS_ENCODING, data + sizeof claimed,
                      bytes - sizeof claimed, (claimed & 0xffffff) % 300000, &error) != TAPE_OK)
        return;
    while (decoder_next(decoder, events, 4096, &count, &error) == TAPE_OK && count) {
        for (size_t i = 0; i < count; i++)
            if (!events[i].kind || events[i].kind >= TAPE_EVENT_KIND_LIMIT)
                abort();
    }
}

/* Makes every checksum right of what looks like a header: by its magic, or where one would follow.
 */
static void seal(uint8_t *data, size_t bytes)
{
    struct format_file_header file;
    struct format_block_header block;
    if (bytes < sizeof file)
        return;
    memcpy(&file, data, sizeof file);
    memcpy(file.magic, FORMAT_FILE_MAGIC, FORMAT_MAGIC_BYTES);
    file.version = FORMAT_VERSION;
    file.kind = 1 + file.kind % 2;
    file.crc = crc32c(&file, offsetof(struct format_file_header, crc));
    memcpy(data, &file, sizeof file);
    uint64_t sequence = 0;
    for (size_t at = sizeof file; at + sizeof block <= bytes;) {
        memcpy(&block, data + at, sizeof block);
        memcpy(block.magic, FORMAT_BLOCK_MAGIC, FORMAT_MAGIC_BYTES);
        size_t left = bytes - at - sizeof block;
        if (block.payload_bytes > left)
            block.payload_bytes = (uint32_t)left;
        block.kind = block.kind < 14 ? block.kind : block.kind % 14;
        block.sequence = sequence++;
        block.payload_crc = crc32c(data + at + sizeof block, block.payload_bytes);
        block.crc = crc32c(&block, offsetof(struct format_block_header, crc));
        memcpy(data + at, &block, sizeof block);
        at += sizeof block + block.payload_bytes;
    }
}

static void read_tape(const char *path);
static void ignore_mark(const struct tape_mark *mark, void *context)
{
    (void)mark;
    (void)context;
}

static void read_file(const uint8_t *data, size_t bytes)
{
    struct tape_check check;
    struct resolve_stats stats;
    struct tape_error error;
    char path[64];
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, bytes) != (ssize_t)bytes)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    tape_check(path, NULL, NULL, &check, &error);
    if (tape_resolve(path, out_path, NULL, &stats, &error) == TAPE_OK &&
        (tape_check(out_path, NULL, NULL, &check, &error) != TAPE_OK || check.damage ||
         check.nonsense))
        abort(); /* whatever comes in, what the resolver writes is sound */
    read_tape(path);
    close(fd);
}

static void resolve_records(const uint8_t *data, size_t bytes)
{
    struct raw_writer *writer;
    struct tape_error error;
    struct tape_check check;
    if (raw_writer_open(raw_path, NULL, 0, &writer, &error) != TAPE_OK)
        abort();
    for (; bytes >= 8; data += 8, bytes -= 8) {
        /* Few addresses, lanes and stamps, so that they meet. */
        struct raw_record record = {
            raw_head(data[0] % RAW_KIND_LIMIT, (uint64_t)(data[1] % 16) << 4, data[2] % 64),
            data[0] % RAW_KIND_LIMIT == RAW_STAMP ? (uint64_t)(data[3] << 8 | data[4]) : data[5]};
        raw_writer_put(writer, data[6] % 4, &record, 1, &error);
        if (data[7] % 16 == 0)
            raw_writer_pass(writer, (uint64_t)(data[3] << 8 | data[4]), &error);
    }
    raw_writer_close(writer, true, NULL, 0, &error);
    if (tape_resolve(raw_path, out_path, NULL, NULL, &error) != TAPE_OK &&
        !strstr(error.message, "in flight"))
        abort();
    if (tape_check(out_path, NULL, NULL, &check, &error) != TAPE_OK || check.damage ||
        check.nonsense)
        abort();
}

/* Call sites and marks, whatever they say, and every event. */
static void read_extra(const struct tape_extra *extra, void *sites)
{
    tape_sites_take(sites, extra);
    tape_marks_each(extra, ignore_mark, NULL);
}

static void read_tape(const char *path)
{
    struct tape_reader *reader;
    struct tape_error error;
    const struct tape_event *events;
    const uint32_t *frames;
    size_t count;
    enum tape_status status;
    struct tape_sites *sites = tape_sites_new();
    if (tape_reader_open(path, &reader, &error) == TAPE_OK) {
        tape_reader_on_extra(reader, read_extra, sites);
        while ((status = tape_reader_next(reader, &events, &count, &error)) == TAPE_OK ||
               status == TAPE_DAMAGED)
            ;
        tape_reader_close(reader);
    }
    for (uint32_t site = 0; site <= tape_sites_highest(sites); site++)
        for (size_t left = tape_sites_frames(sites, site, &frames); left--;)
            tape_sites_frame(sites, frames[left]);
    tape_sites_free(sites);
}

/*
 * Words as a ring has them, of any kind; between them call sites, objects and passes. The first
 * bytes are the window.
 */
static void resolve_words(const uint8_t *data, size_t bytes)
{
    struct raw_writer *writer;
    struct tape_error error;
    struct tape_check check;
    uint64_t words[64];
    if (bytes < 4 || raw_writer_open(raw_path, NULL, 0, &writer, &error) != TAPE_OK)
        return;
    struct resolve_options how = {.start = {data[0] % 4, data[1]}, .stop = {data[2] % 4, data[3]}};
    for (data += 4, bytes -= 4; bytes >= 8;) {
        size_t count = data[0] % 64, most = (bytes - 8) / 8;
        unsigned what = data[1] % 8, lane = data[2] % 4;
        count = count < most ? count : most;
        memcpy(words, data + 8, 8 * count);
        if (what == 0)
            raw_writer_sites(writer, data[3], data[4], words, count, &error);
        else if (what == 1)
            raw_writer_object(writer, (const char *)data + 8, 8 * count, &error);
        else if (what == 2)
            raw_writer_pass(writer, data[3], &error);
        else
            raw_writer_put_words(writer, lane, words, count / 2, words + count / 2,
                                 count - count / 2, &error);
        data += 8 + 8 * count;
        bytes -= 8 + 8 * count;
    }
    raw_writer_close(writer, true, NULL, 0, &error);
    if (tape_resolve(raw_path, out_path, &how, NULL, &error) != TAPE_OK)
        return; /* a realloc in flight too many, a size that cannot be */
    if (tape_check(out_path, NULL, NULL, &check, &error) != TAPE_OK || check.damage)
        abort();
    read_tape(out_path);
}

static void convert_text(const uint8_t *data, size_t bytes)
{
    struct tape_error error;
    FILE *in = fmemopen((void *)data, bytes, "r");
    if (in) {
        convert_file(in, "fuzz.txt", NULL, out_path, &error);
        fclose(in);
    }
}

static void remove_files(void)
{
    unlink(out_path);
    unlink(raw_path);
}

static void choose_names(void)
{
    snprintf(out_path, sizeof out_path, "fuzz.%d.tape", (int)getpid());
    snprintf(raw_path, sizeof raw_path, "fuzz.%d.raw", (int)getpid());
    atexit(remove_files);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static uint8_t copy[BYTES_MAX];
    if (!out_path[0])
        choose_names();
    if (bytes < 2 || bytes > BYTES_MAX)
        return 0;
    memcpy(copy, data + 1, bytes - 1);
    switch (data[0] % 6) {
    case 0:
        decode(copy, bytes - 1);
        break;
    case 1:
        read_file(copy, bytes - 1);
        break;
    case 2:
        seal(copy, bytes - 1);
        read_file(copy, bytes - 1);
        break;
    case 3:
        resolve_records(copy, bytes - 1);
        break;
    case 5:
        resolve_words(copy, bytes - 1);
        break;
    default:
        convert_text(copy, bytes - 1);
        break;
    }
    return 0;
}

#ifdef FUZZ_STANDALONE
/* Without libFuzzer: runs the files named, so that the corpus can be tested with any compiler. */
int main(int argc, char **argv)
{
    static uint8_t data[BYTES_MAX];
    for (int i = 1; i < argc; i++) {
        FILE *in = fopen(argv[i], "rb");
        size_t bytes = in ? fread(data, 1, sizeof data, in) : 0;
        if (in)
            fclose(in);
        LLVMFuzzerTestOneInput(data, bytes);
    }
    printf("%d passed, 0 failed\n", argc - 1);
    return argc < 2;
}
#endif
