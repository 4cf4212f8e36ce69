#include "traces/raw_sites.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "traces/address_map.h"

/* More sites than any recorder writes are damage. */
enum { SITES_MAX = 1 << 24, FRAMES_MAX = 256, TEXT_BYTES = 1 << 20, LINE_BYTES = 2048 };

void raw_sites_end(struct raw_sites *sites)
{
    for (size_t i = 0; i < sites->object_count; i++)
        free(sites->objects[i].path);
    free(sites->objects);
    free(sites->words);
    free(sites->stack);
    *sites = (struct raw_sites){0};
}

/* ---- taking in ---------------------------------------------------------------------------------
 */

/* Room for `more` entries of 8 bytes behind `count`; new ones are 0. */
static bool reserve(uint64_t **table, size_t *capacity, size_t count, size_t more)
{
    if (count + more <= *capacity)
        return true;
    size_t larger = *capacity ? *capacity : 1024;
    while (larger < count + more)
        larger *= 2;
    uint64_t *moved = reallocarray(*table, larger, sizeof *moved);
    if (!moved)
        return false;
    memset(moved + *capacity, 0, (larger - *capacity) * sizeof *moved);
    *table = moved;
    *capacity = larger;
    return true;
}

static bool take_stacks(struct raw_sites *sites, const struct format_block_header *header,
                        const unsigned char *payload)
{
    size_t words = header->payload_bytes / 8, at = 0;
    uint64_t first = header->first_event;
    if (first == 0 || first > SITES_MAX || header->count > SITES_MAX)
        return true;
    if (!reserve(&sites->words, &sites->word_capacity, sites->word_count, words) ||
        !reserve(&sites->stack, &sites->stack_capacity, 0, first + header->count + 1))
        return false;
    for (uint32_t i = 0; i < header->count && at < words; i++) {
        uint64_t frames;
        memcpy(&frames, payload + 8 * at, sizeof frames);
        if (frames > FRAMES_MAX || frames >= words - at)
            break;
        memcpy(sites->words + sites->word_count, payload + 8 * at, 8 * (frames + 1));
        sites->stack[first + i] = frames ? sites->word_count + 1 : 0;
        sites->word_count += frames + 1;
        at += frames + 1;
    }
    if (first + header->count + 1 > sites->stack_count)
        sites->stack_count = first + header->count + 1;
    return true;
}

static bool take_object(struct raw_sites *sites, const struct format_block_header *header,
                        const char *payload)
{
    char line[LINE_BYTES], path[LINE_BYTES];
    struct raw_object object;
    size_t bytes = header->payload_bytes < LINE_BYTES ? header->payload_bytes : LINE_BYTES - 1;
    memcpy(line, payload, bytes);
    line[bytes] = '\0';
    if (sscanf(line, "%" SCNx64 " %" SCNx64 " %" SCNx64 " %2047[^\n]", &object.begin, &object.end,
               &object.bias, path) != 4)
        return true;
    struct raw_object *moved = reallocarray(sites->objects, sites->object_count + 1, sizeof *moved);
    if (!moved)
        return false;
    sites->objects = moved;
    object.path = strdup(path);
    if (!object.path)
        return false;
    moved[sites->object_count++] = object;
    return true;
}

bool raw_sites_take(struct raw_sites *sites, const struct format_block_header *header,
                    const void *payload)
{
    if (header->encoding != 1)
        return true;
    return header->kind == FORMAT_RAW_SITES ? take_stacks(sites, header, payload)
                                            : take_object(sites, header, payload);
}

/* ---- giving out --------------------------------------------------------------------------------
 */

struct sites_text {
    const struct raw_sites *sites;
    struct tape_writer *writer;
    struct tape_error *error;
    symbol_finder *find;
    void *context;
    struct address_map frames; /* of return addresses: their number plus 1 */
    uint32_t frame_count;
    enum tape_status status;
    size_t used;
    char text[TEXT_BYTES];
};

static void flush(struct sites_text *text)
{
    if (text->status == TAPE_OK && text->used)
        text->status = tape_writer_sites(text->writer, text->text, text->used, text->error);
    text->used = 0;
}

static __attribute__((format(printf, 2, 3))) void add(struct sites_text *text, const char *format,
                                                      ...)
{
    va_list list;
    if (text->used > TEXT_BYTES - LINE_BYTES)
        flush(text);
    va_start(list, format);
    int bytes = vsnprintf(text->text + text->used, LINE_BYTES, format, list);
    va_end(list);
    if (bytes > 0 && bytes < LINE_BYTES)
        text->used += (size_t)bytes;
}

/* Lines are told apart by their ends, and function and file by a tabulator. */
static void clean(char *word)
{
    for (; *word; word++)
        if (*word == '\n' || *word == '\t')
            *word = ' ';
}

static size_t object_of(const struct raw_sites *sites, uint64_t address)
{
    size_t i = sites->object_count; /* a later one lies where an earlier one was unloaded */
    while (i-- > 0)
        if (address - sites->objects[i].begin < sites->objects[i].end - sites->objects[i].begin)
            return i + 1;
    return 0;
}

/* The number of the frame that returns to `address`; its line is added at first sight. */
static uint32_t frame_of(struct sites_text *text, uint64_t address)
{
    uint32_t number = address ? address_map_get(&text->frames, address) : 0;
    if (number)
        return number - 1;
    size_t object = object_of(text->sites, address - 1);
    uint64_t offset = address - 1; /* the call, not what follows it */
    struct symbol symbol = {.line = 0};
    if (object) {
        const struct raw_object *found = &text->sites->objects[object - 1];
        offset -= found->bias;
        if (text->find)
            text->find(text->context, found->path, offset, &symbol);
    }
    clean(symbol.function);
    clean(symbol.file);
    number = text->frame_count++;
    add(text, "f %" PRIu32 " %zu %" PRIx64 " %" PRIu32 " %s\t%s\n", number, object, offset,
        symbol.line, symbol.function, symbol.file);
    if (address && !address_map_put(&text->frames, address, number + 1))
        text->status = TAPE_NO_MEMORY;
    return number;
}

static void add_site(struct sites_text *text, uint32_t number)
{
    char line[LINE_BYTES];
    const uint64_t *stack = text->sites->words + text->sites->stack[number] - 1;
    int used = snprintf(line, sizeof line, "s %" PRIu32, number);
    for (uint64_t i = 1; i <= stack[0] && used < LINE_BYTES - 16; i++)
        used += snprintf(line + used, sizeof line - (size_t)used, " %" PRIu32,
                         frame_of(text, stack[i]));
    add(text, "%s\n", line);
}

enum tape_status raw_sites_write(const struct raw_sites *sites, struct tape_writer *writer,
                                 symbol_finder *find, void *context, struct tape_error *error)
{
    struct sites_text *text = calloc(1, sizeof *text);
    if (!text || !address_map_init(&text->frames)) {
        free(text);
        return TAPE_NO_MEMORY;
    }
    text->sites = sites;
    text->writer = writer;
    text->error = error;
    text->find = find;
    text->context = context;
    for (size_t i = 0; i < sites->object_count; i++)
        add(text, "o %zu %s\n", i + 1, sites->objects[i].path);
    for (uint32_t number = 1; number < sites->stack_count && text->status == TAPE_OK; number++)
        if (sites->stack[number])
            add_site(text, number);
    flush(text);
    enum tape_status status = text->status;
    address_map_end(&text->frames);
    free(text);
    return status;
}
