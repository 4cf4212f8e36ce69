#include "traces/block.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "traces/crc32c.h"

static enum tape_status sticky(const struct block_output *output, struct tape_error *error)
{
    if (error)
        *error = output->error;
    return output->error.status;
}

static enum tape_status fail(struct block_output *output, const char *what,
                             struct tape_error *error)
{
    int failure = errno;
    const char *hint = failure == ENOSPC || failure == EDQUOT
                           ? "; make room or write elsewhere, what was written so far can be read"
                           : "";
    tape_error_set(&output->error, TAPE_SYSTEM, output->offset,
                   "%s: cannot %s at byte %" PRIu64 ": %s%s", output->path, what, output->offset,
                   strerror(failure), hint);
    return sticky(output, error);
}

static enum tape_status write_all(struct block_output *output, struct iovec *parts, int count,
                                  struct tape_error *error)
{
    while (count) {
        ssize_t wrote = writev(output->fd, parts, count);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return fail(output, "write", error);
        output->offset += (uint64_t)wrote;
        for (; count && (size_t)wrote >= parts->iov_len; parts++, count--)
            wrote -= (ssize_t)parts->iov_len;
        if (count) {
            parts->iov_base = (char *)parts->iov_base + wrote;
            parts->iov_len -= (size_t)wrote;
        }
    }
    return TAPE_OK;
}

enum tape_status block_output_open(struct block_output *output, const char *path,
                                   enum format_file_kind kind, struct tape_error *error)
{
    struct block_output opened = {.error = {.status = TAPE_OK, .offset = UINT64_MAX}};
    snprintf(opened.path, sizeof opened.path, "%s", path);
    opened.fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
    if (opened.fd < 0)
        return tape_error_set(error, TAPE_SYSTEM, UINT64_MAX, "%s: cannot create: %s", path,
                              strerror(errno));
    struct format_file_header header = {.version = FORMAT_VERSION, .kind = kind};
    memcpy(header.magic, FORMAT_FILE_MAGIC, FORMAT_MAGIC_BYTES);
    header.crc = crc32c(&header, offsetof(struct format_file_header, crc));
    struct iovec part = {&header, sizeof header};
    enum tape_status status = write_all(&opened, &part, 1, error);
    if (status != TAPE_OK) {
        close(opened.fd);
        return status;
    }
    *output = opened;
    return TAPE_OK;
}

enum tape_status block_append_both(struct block_output *output, struct format_block_header header,
                                   const void *payload, size_t bytes, const void *more,
                                   size_t more_bytes, struct tape_error *error)
{
    size_t all = bytes + more_bytes;
    if (output->error.status != TAPE_OK)
        return sticky(output, error);
    if (all > FORMAT_PAYLOAD_MAX)
        return tape_error_set(&output->error, TAPE_BAD_INPUT, output->offset,
                              "%s: a block of %zu bytes is too large", output->path, all),
               sticky(output, error);
    memcpy(header.magic, FORMAT_BLOCK_MAGIC, FORMAT_MAGIC_BYTES);
    header.sequence = output->sequence++;
    header.payload_bytes = (uint32_t)all;
    header.payload_crc = crc32c_more(crc32c(payload, bytes), more, more_bytes);
    memset(header.reserved, 0, sizeof header.reserved);
    header.crc = crc32c(&header, offsetof(struct format_block_header, crc));
    struct iovec parts[3] = {
        {&header, sizeof header}, {(void *)payload, bytes}, {(void *)more, more_bytes}};
    return write_all(output, parts, 1 + !!bytes + !!more_bytes, error);
}

enum tape_status block_output_begin(struct block_output *output, const char *path,
                                    enum format_file_kind kind, const void *meta, size_t meta_bytes,
                                    struct tape_error *error)
{
    struct format_block_header header = {.kind = FORMAT_META, .encoding = 1};
    enum tape_status status = block_output_open(output, path, kind, error);
    if (status != TAPE_OK)
        return status;
    status = block_append(output, header, meta, meta_bytes, error);
    if (status != TAPE_OK)
        block_output_close(output, NULL);
    return status;
}

enum tape_status block_append(struct block_output *output, struct format_block_header header,
                              const void *payload, size_t bytes, struct tape_error *error)
{
    return block_append_both(output, header, payload, bytes, NULL, 0, error);
}

enum tape_status block_output_close(struct block_output *output, struct tape_error *error)
{
    if (close(output->fd) < 0 && errno != EINTR && output->error.status == TAPE_OK)
        fail(output, "close", NULL);
    output->fd = -1;
    return sticky(output, error);
}
