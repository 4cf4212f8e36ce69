#include "analysis/heap_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC         UINT64_C(0x0053504e53504148) /* "HAPSNPS" */
#define VERSION       1
#define RANGE_PARTS   3
#define BLOCK_COLUMNS 5

struct file_head {
    uint64_t magic;
    uint32_t version, page_bytes, count, head_bytes;
    uint64_t left;
};
_Static_assert(sizeof(struct file_head) == 32, "on disk as is");

#define ENTRY_MIN (sizeof(struct heap_head) + 32)

static bool bad(struct tape_error *error, const char *path, const char *what)
{
    tape_error_set(error, TAPE_BAD_INPUT, UINT64_MAX, "%s: %s; take the snapshots again", path,
                   what);
    return false;
}

static bool fails(struct tape_error *error, const char *path)
{
    tape_error_set(error, TAPE_SYSTEM, UINT64_MAX, "%s: %s", path, strerror(errno));
    return false;
}

/* ---- the file ----------------------------------------------------------------------------------
 */

/* Maps it; an empty file is mapped as nothing. */
static bool map(struct heap_file *file, const char *path, struct tape_error *error)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fails(error, path);
    void *bytes = MAP_FAILED;
    if (!fstat(fd, &info) && info.st_size > 0)
        bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (bytes == MAP_FAILED)
        return bad(error, path, "not snapshots of a heap");
    file->bytes = bytes;
    file->size = (size_t)info.st_size;
    return true;
}

/* Finds where each snapshot begins. */
static bool find_entries(struct heap_file *file, const char *path, struct tape_error *error)
{
    struct file_head head = {0};
    if (file->size >= sizeof head)
        memcpy(&head, file->bytes, sizeof head);
    if (head.magic != MAGIC)
        return bad(error, path, "not snapshots of a heap");
    if (head.version != VERSION || head.page_bytes != HEAP_PAGE || head.head_bytes < ENTRY_MIN)
        return bad(error, path, "snapshots of a version that is not read here");
    file->count = head.count;
    file->entry_bytes = head.head_bytes;
    if (head.count > file->size / head.head_bytes)
        return bad(error, path, "cut short");
    file->entries = calloc(head.count + (size_t)1, sizeof *file->entries);
    if (!file->entries)
        return fails(error, path);
    size_t at = sizeof head;
    for (uint32_t i = 0; i < head.count; i++) {
        file->entries[i] = at;
        if (file->size - at < head.head_bytes)
            return bad(error, path, "cut short");
        at += head.head_bytes;
        uint64_t coded = heap_file_head(file, i).coded_bytes;
        if (coded > file->size - at)
            return bad(error, path, "cut short");
        at += coded;
    }
    return true;
}

bool heap_file_open(struct heap_file *file, const char *path, struct tape_error *error)
{
    *file = (struct heap_file){0};
    if (!map(file, path, error))
        return false;
    if (find_entries(file, path, error))
        return true;
    heap_file_close(file);
    return false;
}

void heap_file_close(struct heap_file *file)
{
    if (file->bytes)
        munmap((void *)(uintptr_t)file->bytes, file->size);
    free(file->entries);
    *file = (struct heap_file){0};
}

struct heap_head heap_file_head(const struct heap_file *file, uint32_t index)
{
    struct heap_head head;
    memcpy(&head, file->bytes + file->entries[index], sizeof head);
    return head;
}

/* ---- one snapshot ------------------------------------------------------------------------------
 */

struct cursor {
    const unsigned char *at, *end;
    bool failed;
};

static uint64_t get(struct cursor *cursor)
{
    uint64_t value = 0;
    for (unsigned shift = 0; cursor->at < cursor->end && shift < 64; shift += 7) {
        unsigned char byte = *cursor->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    cursor->failed = true;
    return 0;
}

static uint64_t get_signed(struct cursor *cursor)
{
    uint64_t value = get(cursor);
    return value >> 1 ^ -(value & 1);
}

static void get_ranges(struct cursor *cursor, struct heap_range *ranges, uint64_t count)
{
    uint64_t page = 0;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t before = page;
        uint64_t start = page += get(cursor);
        ranges[i].start = page * HEAP_PAGE;
        page += get(cursor);
        ranges[i].end = page * HEAP_PAGE;
        ranges[i].flags = get(cursor);
        /* Lowest first, apart from each other, and nothing that wraps. */
        if (page > UINT64_MAX / HEAP_PAGE || page < start || start < before)
            cursor->failed = true;
    }
}

static void get_blocks(struct cursor *cursor, struct heap_block *blocks, uint64_t count)
{
    uint64_t address = 0, birth = 0;
    for (uint64_t i = 0; i < count; i++)
        blocks[i].address = address += get(cursor);
    for (uint64_t i = 0; i < count; i++)
        blocks[i].requested = get(cursor);
    for (uint64_t i = 0; i < count; i++)
        blocks[i].usable = blocks[i].requested + get_signed(cursor);
    for (uint64_t i = 0; i < count; i++)
        blocks[i].birth = birth += get_signed(cursor);
    for (uint64_t i = 0; i < count; i++)
        blocks[i].lane = (uint32_t)get(cursor);
}

/* What the rest relies on: ascending addresses, and no block that wraps. */
static bool is_sound(const struct heap_snapshot *snapshot)
{
    const struct heap_block *blocks = snapshot->blocks;
    for (uint64_t i = 0; i < snapshot->head.blocks; i++)
        if ((i && blocks[i].address < blocks[i - 1].address) ||
            blocks[i].requested > UINT64_MAX / 4 || blocks[i].usable > UINT64_MAX / 4 ||
            blocks[i].address > UINT64_MAX / 4)
            return false;
    return true;
}

/* That of zlib and gzip. */
static uint32_t crc32(const unsigned char *bytes, size_t count)
{
    uint32_t table[256], crc = UINT32_MAX;
    for (uint32_t i = 0; i < 256; i++) {
        table[i] = i;
        for (int bit = 0; bit < 8; bit++)
            table[i] = table[i] >> 1 ^ (table[i] & 1 ? UINT32_C(0xedb88320) : 0);
    }
    for (size_t i = 0; i < count; i++)
        crc = crc >> 8 ^ table[(crc ^ bytes[i]) & 0xff];
    return ~crc;
}

static void *array(uint64_t count, size_t bytes)
{
    return calloc((size_t)count + 1, bytes);
}

bool heap_file_read(const struct heap_file *file, uint32_t index, struct heap_snapshot *ret,
                    struct tape_error *error)
{
    struct heap_head head = heap_file_head(file, index);
    const unsigned char *coded = file->bytes + file->entries[index] + file->entry_bytes;
    size_t bytes = (size_t)head.coded_bytes;
    /* A value is a byte at least: so no count is larger than what is there. */
    if (head.mappings > bytes / RANGE_PARTS || head.runs > bytes / RANGE_PARTS ||
        head.blocks > bytes / BLOCK_COLUMNS || crc32(coded, bytes) != head.crc32)
        return bad(error, "snapshot", "damaged");
    struct heap_snapshot read = {.head = head,
                                 .mappings = array(head.mappings, sizeof *read.mappings),
                                 .runs = array(head.runs, sizeof *read.runs),
                                 .blocks = array(head.blocks, sizeof *read.blocks)};
    bool memory = read.mappings && read.runs && read.blocks;
    struct cursor cursor = {coded, coded + bytes, false};
    if (memory) {
        get_ranges(&cursor, read.mappings, head.mappings);
        get_ranges(&cursor, read.runs, head.runs);
        get_blocks(&cursor, read.blocks, head.blocks);
    }
    if (memory && !cursor.failed && is_sound(&read)) {
        *ret = read;
        return true;
    }
    heap_snapshot_free(&read);
    return memory ? bad(error, "snapshot", "damaged") : fails(error, "snapshot");
}

void heap_snapshot_free(struct heap_snapshot *snapshot)
{
    free(snapshot->mappings);
    free(snapshot->runs);
    free(snapshot->blocks);
    *snapshot = (struct heap_snapshot){0};
}
