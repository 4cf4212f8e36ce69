#include "replayer/driver/snapshots.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "replayer/engine/result.h"
#include "traces/cli.h"

#define VARINT_MAX  10
#define PAGE_BYTES  4096
#define BLOCK_PARTS 5 /* columns */

static _Noreturn void die(const char *path, const char *reason)
{
    cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "%s: %s; give another place for the snapshots", path,
            reason);
}

int snapshots_raw(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int length = slash == path ? 1 : slash ? (int)(slash - path) : 1;
    snprintf(folder, sizeof folder, "%.*s", length, slash ? path : ".");
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR))
        fd = memfd_create("heaptape-snapshots", MFD_CLOEXEC);
    if (fd < 0)
        die(folder, strerror(errno));
    return fd;
}

/* ---- the raw file ------------------------------------------------------------------------------
 */

struct raw {
    const struct engine_snapshot *head;
    const struct engine_snapshot_mapping *mappings;
    const struct engine_snapshot_run *runs;
    const struct engine_snapshot_block *blocks;
};

/* The snapshot at *at, which goes behind it. False: there is no whole one (the engine may have been
 * killed while it wrote). */
static bool raw_next(const char *bytes, size_t size, size_t *at, struct raw *ret)
{
    const struct engine_snapshot *head = (const void *)(bytes + *at);
    if (size - *at < sizeof *head || head->magic != ENGINE_SNAPSHOT_MAGIC)
        return false;
    size_t room = size - *at - sizeof *head;
    if (head->mappings > room / sizeof *ret->mappings || head->runs > room / sizeof *ret->runs ||
        head->blocks > room / sizeof *ret->blocks)
        return false;
    size_t rest = head->mappings * sizeof *ret->mappings + head->runs * sizeof *ret->runs +
                  head->blocks * sizeof *ret->blocks;
    if (rest > room)
        return false;
    ret->head = head;
    ret->mappings = (const void *)(head + 1);
    ret->runs = (const void *)(ret->mappings + head->mappings);
    ret->blocks = (const void *)(ret->runs + head->runs);
    *at += sizeof *head + rest;
    return true;
}

/* ---- coding ------------------------------------------------------------------------------------
 */

struct coder {
    unsigned char *bytes;
    size_t used, room;
    struct engine_snapshot_block *sorted;
};

static void *grown(void *old, size_t bytes)
{
    void *block = realloc(old, bytes);
    if (!block)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "out of memory");
    return block;
}

static void put(struct coder *coder, uint64_t value)
{
    while (value >= 0x80) {
        coder->bytes[coder->used++] = (unsigned char)(value | 0x80);
        value >>= 7;
    }
    coder->bytes[coder->used++] = (unsigned char)value;
}

/* Zigzag: small for small differences of either sign. */
static void put_signed(struct coder *coder, int64_t value)
{
    put(coder, (uint64_t)value << 1 ^ (uint64_t)(value >> 63));
}

static int by_address(const void *left, const void *right)
{
    uint64_t a = ((const struct engine_snapshot_block *)left)->address,
             b = ((const struct engine_snapshot_block *)right)->address;
    return a < b ? -1 : a > b;
}

static void code_ranges(struct coder *coder, const struct raw *raw)
{
    uint64_t end = 0;
    for (uint64_t i = 0; i < raw->head->mappings; i++) {
        put(coder, (raw->mappings[i].start - end) / PAGE_BYTES);
        put(coder, (raw->mappings[i].end - raw->mappings[i].start) / PAGE_BYTES);
        put(coder, raw->mappings[i].flags);
        end = raw->mappings[i].end;
    }
    end = 0;
    for (uint64_t i = 0; i < raw->head->runs; i++) {
        put(coder, (raw->runs[i].start - end) / PAGE_BYTES);
        put(coder, (raw->runs[i].end - raw->runs[i].start) / PAGE_BYTES);
        put(coder, raw->runs[i].flags);
        end = raw->runs[i].end;
    }
}

static void code_blocks(struct coder *coder, uint64_t count)
{
    const struct engine_snapshot_block *blocks = coder->sorted;
    const uint64_t mask = (UINT64_C(1) << ENGINE_BIRTH_LANE) - 1;
    uint64_t address = 0, birth = 0;
    for (uint64_t i = 0; i < count; i++) {
        put(coder, blocks[i].address - address);
        address = blocks[i].address;
    }
    for (uint64_t i = 0; i < count; i++)
        put(coder, blocks[i].requested);
    for (uint64_t i = 0; i < count; i++)
        put_signed(coder, (int64_t)(blocks[i].usable - blocks[i].requested));
    for (uint64_t i = 0; i < count; i++) {
        put_signed(coder, (int64_t)((blocks[i].birth & mask) - birth));
        birth = blocks[i].birth & mask;
    }
    for (uint64_t i = 0; i < count; i++)
        put(coder, blocks[i].birth >> ENGINE_BIRTH_LANE);
}

static void code(struct coder *coder, const struct raw *raw)
{
    size_t values =
        3 * (raw->head->mappings + raw->head->runs) + BLOCK_PARTS * raw->head->blocks + 1;
    if (coder->room < values * VARINT_MAX) {
        coder->room = values * VARINT_MAX;
        coder->bytes = grown(coder->bytes, coder->room);
    }
    size_t bytes = raw->head->blocks * sizeof *coder->sorted;
    coder->sorted = grown(coder->sorted, bytes + 1);
    memcpy(coder->sorted, raw->blocks, bytes);
    qsort(coder->sorted, raw->head->blocks, sizeof *coder->sorted, by_address);
    coder->used = 0;
    code_ranges(coder, raw);
    code_blocks(coder, raw->head->blocks);
}

/* Of all snapshots, which have the last peak of R and the highest P. */
struct peaks {
    size_t requested, resident;
    uint64_t resident_bytes;
    unsigned count;
};

static struct peaks find_peaks(const char *bytes, size_t size)
{
    struct peaks peaks = {SIZE_MAX, SIZE_MAX, 0, 0};
    struct raw raw;
    for (size_t at = 0, from = 0; raw_next(bytes, size, &at, &raw); from = at) {
        peaks.count++;
        if (raw.head->kinds & ENGINE_SNAPSHOT_PEAK)
            peaks.requested = from;
        if (peaks.resident == SIZE_MAX || raw.head->sample.resident_bytes > peaks.resident_bytes) {
            peaks.resident = from;
            peaks.resident_bytes = raw.head->sample.resident_bytes;
        }
    }
    return peaks;
}

/* That of zlib and gzip. */
static uint32_t crc32(const unsigned char *bytes, size_t count)
{
    static uint32_t table[256];
    for (uint32_t i = 0; i < 256 && !table[255]; i++) {
        table[i] = i;
        for (int bit = 0; bit < 8; bit++)
            table[i] = table[i] >> 1 ^ (table[i] & 1 ? UINT32_C(0xedb88320) : 0);
    }
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < count; i++)
        crc = crc >> 8 ^ table[(crc ^ bytes[i]) & 0xff];
    return ~crc;
}

static bool write_entry(FILE *file, struct coder *coder, const struct raw *raw, unsigned kinds)
{
    const struct engine_sample *sample = &raw->head->sample;
    code(coder, raw);
    struct snapshots_entry entry = {
        .kinds = kinds,
        .crc32 = crc32(coder->bytes, coder->used),
        .event = raw->head->event,
        .operation = sample->operation,
        .time_ns = sample->time_ns,
        .requested_bytes = sample->requested_bytes,
        .usable_bytes = sample->usable_bytes,
        .held_bytes = sample->held_bytes,
        .resident_bytes = sample->resident_bytes,
        .blocks = raw->head->blocks,
        .mappings = raw->head->mappings,
        .runs = raw->head->runs,
        .coded_bytes = coder->used,
    };
    return fwrite(&entry, sizeof entry, 1, file) == 1 &&
           fwrite(coder->bytes, 1, coder->used, file) == coder->used;
}

static bool write_all(FILE *file, const char *bytes, size_t size, const struct peaks *peaks)
{
    struct snapshots_head head = {SNAPSHOTS_MAGIC,
                                  SNAPSHOTS_VERSION,
                                  PAGE_BYTES,
                                  peaks->count,
                                  sizeof(struct snapshots_entry),
                                  0};
    struct coder coder = {0};
    struct raw raw;
    bool done = fwrite(&head, sizeof head, 1, file) == 1;
    for (size_t at = 0, from = 0; done && raw_next(bytes, size, &at, &raw); from = at) {
        unsigned kinds = raw.head->kinds & (SNAPSHOTS_END | SNAPSHOTS_NO_PAGES | SNAPSHOTS_ASKED);
        kinds |= from == peaks->requested ? SNAPSHOTS_PEAK_REQUESTED : 0;
        kinds |= from == peaks->resident ? SNAPSHOTS_PEAK_RESIDENT : 0;
        kinds |=
            raw.head->kinds & (ENGINE_SNAPSHOT_GRID | ENGINE_SNAPSHOT_PEAK) ? SNAPSHOTS_GRID : 0;
        done = write_entry(file, &coder, &raw, kinds);
    }
    free(coder.bytes);
    free(coder.sorted);
    return done;
}

unsigned snapshots_write(int fd, const char *path)
{
    char draft[PATH_MAX];
    struct stat info;
    struct peaks peaks = {SIZE_MAX, SIZE_MAX, 0, 0};
    char *bytes = NULL;
    if (fstat(fd, &info) < 0)
        die(path, strerror(errno));
    size_t size = (size_t)info.st_size;
    if (size) {
        bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes == MAP_FAILED)
            die(path, strerror(errno));
        peaks = find_peaks(bytes, size);
    }
    /* What is not an ordinary file, /dev/full say, is written to and not replaced. */
    bool replace = stat(path, &info) < 0 || S_ISREG(info.st_mode);
    snprintf(draft, sizeof draft, "%s%s", path, replace ? ".tmp" : "");
    FILE *file = fopen(draft, "we");
    if (!file)
        die(draft, strerror(errno));
    bool done = write_all(file, bytes, size, &peaks);
    done &= !fclose(file);
    if (!done || (replace && rename(draft, path) < 0)) {
        int error = errno;
        if (replace)
            unlink(draft);
        die(path, strerror(error));
    }
    if (bytes)
        munmap(bytes, size);
    close(fd);
    return peaks.count;
}
