#include "traces/block.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "traces/crc32c.h"

/* How far into a file whose header is damaged a block is looked for before it is called no tape. */
#define SEARCH_MAX ((uint64_t)BLOCK_WINDOW_BYTES)

/* What grows is asked for its length again once more was read than it had. */
static void look_at_length(struct block_input *input)
{
    uint64_t position = input->offset + (input->end - input->begin);
    struct stat info;
    if (input->more && input->seekable && position > input->file_bytes &&
        fstat(input->fd, &info) == 0)
        input->file_bytes = (uint64_t)info.st_size;
}

/* Reads until `needed` bytes are in the window, or as many as there are. */
static enum tape_status fill(struct block_input *input, size_t needed, struct tape_error *error)
{
    while (input->end - input->begin < needed && !input->ended) {
        if (input->begin + needed > BLOCK_WINDOW_BYTES) {
            memmove(input->window, input->window + input->begin, input->end - input->begin);
            input->end -= input->begin;
            input->begin = 0;
        }
        /* Not the whole window at once: small tapes and pages never touched cost nothing that way.
         */
        size_t room = BLOCK_WINDOW_BYTES - input->end, ask = needed + (128 << 10);
        if (ask > room)
            ask = room;
        ssize_t got = read(input->fd, input->window + input->end, ask);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return tape_error_set(error, TAPE_SYSTEM, input->offset,
                                  "cannot read at byte %" PRIu64 ": %s", input->offset,
                                  strerror(errno));
        input->end += (size_t)got;
        look_at_length(input);
        input->ended = got == 0 && !(input->more && input->more(input->more_context));
    }
    return TAPE_OK;
}

static size_t available(const struct block_input *input)
{
    return input->end - input->begin;
}

static void skip(struct block_input *input, size_t bytes)
{
    input->begin += bytes;
    input->offset += bytes;
}

/* Sound by itself: magic, checksum, bounds. */
static bool is_header(const unsigned char *at, struct format_block_header *ret_header)
{
    if (memcmp(at, FORMAT_BLOCK_MAGIC, FORMAT_MAGIC_BYTES) != 0)
        return false;
    memmove(ret_header, at, sizeof *ret_header); /* may be the same memory */
    return ret_header->crc == crc32c(at, offsetof(struct format_block_header, crc)) &&
           ret_header->payload_bytes <= FORMAT_PAYLOAD_MAX;
}

/* Skips to the next sound block header, or to the end. */
static enum tape_status resynchronise(struct block_input *input, struct tape_error *error)
{
    const size_t header_bytes = sizeof(struct format_block_header);
    for (;;) {
        enum tape_status status = fill(input, header_bytes, error);
        if (status != TAPE_OK)
            return status;
        if (available(input) < header_bytes) {
            skip(input, available(input));
            return TAPE_OK;
        }
        const unsigned char *at = input->window + input->begin;
        const unsigned char *magic =
            memmem(at, available(input), FORMAT_BLOCK_MAGIC, FORMAT_MAGIC_BYTES);
        if (!magic) {
            skip(input, available(input) - (FORMAT_MAGIC_BYTES - 1));
            if (input->ended)
                skip(input, available(input));
            continue;
        }
        skip(input, (size_t)(magic - at));
        if ((status = fill(input, header_bytes, error)) != TAPE_OK)
            return status;
        struct format_block_header header;
        if (available(input) >= header_bytes && is_header(input->window + input->begin, &header))
            return TAPE_OK;
        skip(input, available(input) < header_bytes ? available(input) : 1);
    }
}

static enum tape_status damaged(struct block_input *input, uint64_t at, const char *what,
                                struct tape_error *error)
{
    /* Past the magic of a block whose header was sound, so as not to find it again. */
    skip(input, available(input) ? 1 : 0);
    enum tape_status status = resynchronise(input, error);
    if (status != TAPE_OK)
        return status;
    /* The hole that this leaves in the sequence is the same damage. */
    struct format_block_header header;
    if (available(input) >= sizeof header && is_header(input->window + input->begin, &header) &&
        header.sequence > input->next_sequence)
        input->next_sequence = header.sequence;
    input->damage++;
    return tape_error_set(error, TAPE_DAMAGED, at,
                          "damaged at byte %" PRIu64 ": %s; %" PRIu64 " bytes skipped", at, what,
                          input->offset - at);
}

/* The sequence number is sound but not the one to come: blocks are missing, or stand here twice. */
static enum tape_status out_of_sequence(struct block_input *input,
                                        const struct format_block_header *header,
                                        struct tape_error *error)
{
    uint64_t at = input->offset, expected = input->next_sequence;
    input->damage++;
    if (header->sequence > expected) {
        input->next_sequence = header->sequence;
        return tape_error_set(error, TAPE_DAMAGED, at,
                              "damaged at byte %" PRIu64 ": %" PRIu64 " blocks are missing here",
                              at, header->sequence - expected);
    }
    skip(input, sizeof *header + header->payload_bytes);
    return tape_error_set(error, TAPE_DAMAGED, at,
                          "damaged at byte %" PRIu64 ": block %" PRIu64
                          " stands here again and is skipped",
                          at, header->sequence);
}

/* Leaves out a block that is not wanted. False: it is, or what is not read yet of it cannot be
 * jumped. */
static bool pass_over(struct block_input *input, const struct format_block_header *header)
{
    size_t bytes = sizeof *header + header->payload_bytes, there = available(input);
    if (!input->pass_over || header->kind != input->pass_over)
        return false;
    if (there < bytes &&
        (!input->seekable || lseek(input->fd, (off_t)(bytes - there), SEEK_CUR) < 0))
        return false;
    if (there < bytes) {
        input->begin = input->end = 0;
        input->offset += bytes;
    } else {
        skip(input, bytes);
    }
    input->next_sequence = header->sequence + 1;
    return true;
}

/* The header of the block to come, in the window; other statuses as block_next(). */
static enum tape_status next_header(struct block_input *input,
                                    struct format_block_header *ret_header,
                                    struct tape_error *error)
{
    const size_t header_bytes = sizeof *ret_header;
    uint64_t at = input->offset;
    enum tape_status status = fill(input, header_bytes, error);
    if (status != TAPE_OK)
        return status;
    if (at == 0) { /* block_input_open() left a damaged file header for here */
        return damaged(input, at, "the file header is not sound", error);
    }
    if (!available(input))
        return TAPE_END;
    if (available(input) < header_bytes)
        return damaged(input, at, "the file ends inside a block header", error);
    if (!is_header(input->window + input->begin, ret_header))
        return damaged(input, at, "no sound block header", error);
    return TAPE_OK;
}

enum tape_status block_next(struct block_input *input, struct block *ret_block,
                            struct tape_error *error)
{
    struct format_block_header header = {0};
    const size_t header_bytes = sizeof header;
    enum tape_status status;
    while ((status = next_header(input, &header, error)) == TAPE_OK && pass_over(input, &header))
        ;
    if (status != TAPE_OK)
        return status;
    uint64_t at = input->offset;
    size_t bytes = header_bytes + header.payload_bytes;
    if ((status = fill(input, bytes, error)) != TAPE_OK)
        return status;
    if (available(input) < bytes)
        return damaged(input, at, "the file ends inside a block", error);
    const unsigned char *payload = input->window + input->begin + header_bytes;
    if (crc32c(payload, header.payload_bytes) != header.payload_crc)
        return damaged(input, at, "a block's checksum is wrong", error);
    if (header.sequence != input->next_sequence)
        return out_of_sequence(input, &header, error);
    input->next_sequence++;
    *ret_block = (struct block){header, payload, at};
    skip(input, bytes);
    return TAPE_OK;
}

enum tape_status block_seek(struct block_input *input, uint64_t offset, struct tape_error *error)
{
    if (!input->seekable || lseek(input->fd, (off_t)offset, SEEK_SET) < 0)
        return tape_error_set(error, TAPE_SYSTEM, UINT64_MAX,
                              "cannot seek: a pipe is read once, front to back");
    input->begin = input->end = 0;
    input->ended = false;
    input->offset = offset;
    struct format_block_header header;
    ssize_t got = pread(input->fd, &header, sizeof header, (off_t)offset);
    bool sound = got == sizeof header && is_header((const unsigned char *)&header, &header);
    input->next_sequence = sound ? header.sequence : 0;
    return TAPE_OK;
}

/* ---- short cuts --------------------------------------------------------------------------------
 */

static bool read_at(int fd, void *buffer, size_t bytes, uint64_t offset)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t got = pread(fd, (char *)buffer + done, bytes - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

bool block_peek(const struct block_input *input, uint64_t offset, struct block *ret_block,
                unsigned char *buffer, size_t capacity)
{
    struct format_block_header header;
    if (!input->seekable || offset > INT64_MAX - FORMAT_PAYLOAD_MAX ||
        !read_at(input->fd, &header, sizeof header, offset) ||
        !is_header((const unsigned char *)&header, &header) || header.payload_bytes > capacity ||
        !read_at(input->fd, buffer, header.payload_bytes, offset + sizeof header) ||
        crc32c(buffer, header.payload_bytes) != header.payload_crc)
        return false;
    *ret_block = (struct block){header, buffer, offset};
    return true;
}

bool block_peek_end(const struct block_input *input, struct block *ret_block,
                    struct format_footer *ret_footer, unsigned char *buffer, size_t capacity)
{
    const uint64_t footer_bytes = sizeof(struct format_block_header) + sizeof(struct format_footer);
    struct format_footer footer;
    struct block block;
    if (input->file_bytes < footer_bytes + sizeof(struct format_file_header) ||
        !block_peek(input, input->file_bytes - footer_bytes, &block, (unsigned char *)&footer,
                    sizeof footer) ||
        block.header.kind != FORMAT_FOOTER || block.header.payload_bytes != sizeof footer ||
        !block_peek(input, footer.end_offset, &block, buffer, capacity) ||
        block.header.kind != FORMAT_END || block.header.payload_bytes < sizeof(struct format_end))
        return false;
    *ret_block = block;
    *ret_footer = footer;
    return true;
}

/* ---- opening -----------------------------------------------------------------------------------
 */

static enum tape_status not_a_tape(const char *path, const char *why, struct tape_error *error)
{
    return tape_error_set(error, TAPE_BAD_INPUT, 0, "%s: not a tape: %s", path, why);
}

/* The file header is not sound. A tape with a damaged one, or something else altogether? */
static enum tape_status search_first_block(struct block_input *input, const char *path,
                                           struct tape_error *error)
{
    struct block_input ahead = *input;
    enum tape_status status = fill(&ahead, BLOCK_WINDOW_BYTES, error);
    *input = ahead;
    if (status != TAPE_OK)
        return status;
    if (!available(input))
        return not_a_tape(path, "the file is empty; was the recording cut at its start?", error);
    const unsigned char *at = input->window + input->begin, *end = input->window + input->end;
    struct format_block_header header;
    while ((at = memmem(at, (size_t)(end - at), FORMAT_BLOCK_MAGIC, FORMAT_MAGIC_BYTES))) {
        if ((size_t)(end - at) >= sizeof header && is_header(at, &header)) {
            bool raw = header.kind >= FORMAT_RAW_RECORDS && header.kind <= FORMAT_RAW_SAMPLE;
            input->kind = raw ? FORMAT_RAW_TAPE : 0;
            return TAPE_OK; /* at offset 0: block_next() reports the damage */
        }
        at++;
    }
    return not_a_tape(path, "it does not begin like one; heaptape record makes them", error);
}

static enum tape_status check_file_header(struct block_input *input, const char *path,
                                          struct tape_error *error)
{
    struct format_file_header header;
    enum tape_status status = fill(input, sizeof header, error);
    if (status != TAPE_OK) {
        tape_error_add(error, "%s", path);
        return status;
    }
    if (available(input) >= sizeof header)
        memcpy(&header, input->window + input->begin, sizeof header);
    if (available(input) < sizeof header ||
        memcmp(header.magic, FORMAT_FILE_MAGIC, FORMAT_MAGIC_BYTES) != 0 ||
        header.crc != crc32c(&header, offsetof(struct format_file_header, crc)))
        return search_first_block(input, path, error);
    if (header.version != FORMAT_VERSION)
        return tape_error_set(error, TAPE_BAD_INPUT, 8,
                              "%s: byte 8: tape format version %" PRIu32
                              ", this heaptape reads version %d; take a newer heaptape",
                              path, header.version, FORMAT_VERSION);
    if (header.kind != FORMAT_TAPE && header.kind != FORMAT_RAW_TAPE)
        return tape_error_set(error, TAPE_BAD_INPUT, 12,
                              "%s: byte 12: file kind %" PRIu32 " is unknown", path, header.kind);
    input->kind = header.kind;
    skip(input, sizeof header);
    return TAPE_OK;
}

enum tape_status block_input_open(struct block_input *input, const char *path,
                                  unsigned char *window, struct tape_error *error)
{
    struct stat info;
    struct block_input opened = {.window = window};
    opened.fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (opened.fd < 0 || fstat(opened.fd, &info) < 0) {
        int failure = errno;
        if (opened.fd >= 0)
            close(opened.fd);
        return tape_error_set(error, failure == ENOENT ? TAPE_BAD_INPUT : TAPE_SYSTEM, UINT64_MAX,
                              "%s: cannot open: %s", path, strerror(failure));
    }
    enum tape_status status = TAPE_OK;
    if (S_ISDIR(info.st_mode))
        status = not_a_tape(path, "it is a folder; name a file in it", error);
    opened.seekable = S_ISREG(info.st_mode);
    opened.file_bytes = opened.seekable ? (uint64_t)info.st_size : 0;
    if (status == TAPE_OK)
        status = check_file_header(&opened, path, error);
    if (status != TAPE_OK) {
        close(opened.fd);
        return status;
    }
    *input = opened;
    return TAPE_OK;
}

void block_input_close(struct block_input *input)
{
    if (input->fd >= 0)
        close(input->fd);
    input->fd = -1;
}
