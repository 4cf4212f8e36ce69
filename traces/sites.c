#include "traces/sites.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "traces/format.h"

/* More of anything is damage. */
enum { NUMBER_MAX = 1 << 24, FRAMES_MAX = 256 };

struct site {
    uint32_t count, *frames;
};

struct tape_sites {
    char **text; /* unpacked blocks: names point into them */
    const char **objects;
    struct tape_frame *frames;
    struct site *sites;
    size_t text_count, object_capacity, frame_capacity, site_capacity;
    uint32_t highest;
};

struct tape_sites *tape_sites_new(void)
{
    return calloc(1, sizeof(struct tape_sites));
}

void tape_sites_free(struct tape_sites *sites)
{
    if (!sites)
        return;
    for (size_t i = 0; i < sites->site_capacity; i++)
        free(sites->sites[i].frames);
    for (size_t i = 0; i < sites->text_count; i++)
        free(sites->text[i]);
    free(sites->text);
    free(sites->objects);
    free(sites->frames);
    free(sites->sites);
    free(sites);
}

/* Entry `number` of a table, which grows; new ones are 0. NULL: no memory. */
static void *entry(void **table, size_t *capacity, size_t unit, uint64_t number)
{
    if (number >= *capacity) {
        size_t larger = *capacity ? *capacity : 64;
        while (larger <= number)
            larger *= 2;
        char *moved = reallocarray(*table, larger, unit);
        if (!moved)
            return NULL;
        memset(moved + *capacity * unit, 0, (larger - *capacity) * unit);
        *table = moved;
        *capacity = larger;
    }
    return (char *)*table + number * unit;
}

/* A number and the space behind it; NUMBER_MAX where there is none that makes sense. */
static uint64_t take_number(char **at, int base)
{
    char *end;
    uint64_t number = strtoull(*at, &end, base);
    bool sound = end != *at && (*end == ' ' || *end == '\0');
    *at = *end ? end + 1 : end;
    return sound ? number : UINT64_MAX;
}

static bool take_object(struct tape_sites *sites, char *line)
{
    uint64_t number = take_number(&line, 10);
    if (number >= NUMBER_MAX)
        return true;
    const char **object =
        entry((void **)&sites->objects, &sites->object_capacity, sizeof *object, number);
    if (object)
        *object = line;
    return object;
}

static bool take_frame(struct tape_sites *sites, char *line)
{
    uint64_t number = take_number(&line, 10), object = take_number(&line, 10);
    uint64_t offset = take_number(&line, 16), source_line = take_number(&line, 10);
    char *file = strchr(line, '\t');
    if (number >= NUMBER_MAX || source_line > UINT32_MAX || !file)
        return true;
    *file++ = '\0';
    const char *path = object < sites->object_capacity ? sites->objects[object] : NULL;
    struct tape_frame *frame =
        entry((void **)&sites->frames, &sites->frame_capacity, sizeof *frame, number);
    if (frame)
        *frame = (struct tape_frame){line, file, path ? path : "", offset, (uint32_t)source_line};
    return frame;
}

static bool take_site(struct tape_sites *sites, char *line)
{
    uint64_t number = take_number(&line, 10), frame;
    uint32_t frames[FRAMES_MAX], count = 0;
    while (*line && count < FRAMES_MAX && (frame = take_number(&line, 10)) < NUMBER_MAX)
        frames[count++] = (uint32_t)frame;
    if (!number || number >= NUMBER_MAX || !count)
        return true;
    struct site *site = entry((void **)&sites->sites, &sites->site_capacity, sizeof *site, number);
    uint32_t *kept = site && !site->frames ? malloc(count * sizeof *kept) : NULL;
    if (!kept)
        return site && site->frames; /* stands there already */
    memcpy(kept, frames, count * sizeof *kept);
    *site = (struct site){count, kept};
    if (number > sites->highest)
        sites->highest = (uint32_t)number;
    return true;
}

static bool take_line(struct tape_sites *sites, char *line)
{
    if (line[0] == '\0' || line[1] != ' ')
        return true;
    switch (line[0]) {
    case 'o':
        return take_object(sites, line + 2);
    case 'f':
        return take_frame(sites, line + 2);
    case 's':
        return take_site(sites, line + 2);
    default: /* a later version's */
        return true;
    }
}

bool tape_sites_take(struct tape_sites *sites, const struct tape_extra *extra)
{
    if (extra->kind != FORMAT_SITES || extra->encoding != FORMAT_TEXT_ZSTD ||
        extra->unpacked_bytes > FORMAT_TEXT_MAX)
        return true;
    char *text = malloc(extra->unpacked_bytes + 1);
    char **kept = text ? reallocarray(sites->text, sites->text_count + 1, sizeof *kept) : NULL;
    if (!kept) {
        free(text);
        return false;
    }
    sites->text = kept;
    sites->text[sites->text_count++] = text;
    size_t bytes = ZSTD_decompress(text, extra->unpacked_bytes, extra->payload, extra->bytes);
    text[ZSTD_isError(bytes) ? 0 : bytes] = '\0';
    bool good = true;
    for (char *line = text, *next; good && line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        good = take_line(sites, line);
    }
    return good;
}

uint32_t tape_sites_highest(const struct tape_sites *sites)
{
    return sites->highest;
}

size_t tape_sites_frames(const struct tape_sites *sites, uint32_t site, const uint32_t **ret_frames)
{
    if (site >= sites->site_capacity)
        return 0;
    *ret_frames = sites->sites[site].frames;
    return sites->sites[site].count;
}

const struct tape_frame *tape_sites_frame(const struct tape_sites *sites, uint32_t frame)
{
    bool known = frame < sites->frame_capacity && sites->frames[frame].function;
    return known ? &sites->frames[frame] : NULL;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

void tape_frame_describe(const struct tape_frame *frame, char *text, size_t bytes)
{
    if (!frame)
        snprintf(text, bytes, "?");
    else if (frame->function[0] && frame->line)
        snprintf(text, bytes, "%s %s:%" PRIu32, frame->function, base_name(frame->file),
                 frame->line);
    else if (frame->function[0])
        snprintf(text, bytes, "%s %s", frame->function, base_name(frame->object));
    else
        snprintf(text, bytes, "%s+0x%" PRIx64, base_name(frame->object), frame->offset);
}
