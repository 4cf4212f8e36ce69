/*
 * The .rep files of the CMU malloc lab. A header of plain numbers, one a line, of which there are
 * three dialects (two, three or four lines: heap size, ids, operations, weight), then one call a
 * line: a ID BYTES    malloc        r ID BYTES    realloc        f ID    free (f -1: free(NULL))
 * The header's numbers are skipped however many there are: the calls say it all.
 */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "traces/convert/convert.h"
#include "traces/reader.h"
#include "traces/summary.h"
#include "traces/track.h"

/* An id stands for an address of its own. */
#define ID_MAX ((UINT64_C(1) << 40) - 2)
static uint64_t address_of(uint64_t id)
{
    return (id + 1) << 4;
}

static bool is_number(const char *line)
{
    uint64_t value;
    return convert_number(&line, 10, &value) && !*line;
}

static bool recognizes(const char *line)
{
    return is_number(line) || (strchr("arf", line[0]) && (line[1] == ' ' || line[1] == '\t'));
}

/* Which ids are live decides what `r` and a second `a` mean; the resolver knows and does that. */
static const char *take_line(struct convert *convert, const char *line)
{
    uint64_t id, size = 0;
    char call = line[0];
    if (!convert->calls && is_number(line)) {
        convert->header_lines++;
        return NULL;
    }
    if (!strchr("arf", call) || !call)
        return "not a call (a, r or f)";
    const char *at = line + 1;
    while (*at == ' ' || *at == '\t')
        at++;
    if (call == 'f' && !strcmp(at, "-1")) {
        convert_put(convert, 0, RAW_FREE, 0, 0, 0);
        return NULL;
    }
    if (!convert_number(&at, 10, &id) || id > ID_MAX)
        return "the id is no number, or too large";
    if (call != 'f' && !convert_number(&at, 10, &size))
        return "the size is no number";
    if (*at)
        return "more on the line than a call";
    if (call == 'a')
        convert_put(convert, 0, RAW_MALLOC, address_of(id), size, 0);
    else if (call == 'f')
        convert_put(convert, 0, RAW_FREE, address_of(id), 0, 0);
    else
        convert_realloc(convert, 0, address_of(id), size ? address_of(id) : 0, size);
    return NULL;
}

const struct convert_format convert_rep = {
    "rep",
    "CMU malloc lab .rep",
    recognizes,
    take_line,
};

/* ---- and back ----------------------------------------------------------------------------------
 */

static void write_call(FILE *out, const struct tape_event *event)
{
    uint32_t id = event->object - 1;
    if (tape_kind_allocates(event->kind))
        fprintf(out, "a %" PRIu32 " %" PRIu64 "\n", id, event->size);
    else if (event->kind == TAPE_REALLOC)
        fprintf(out, "r %" PRIu32 " %" PRIu64 "\n", id, event->size);
    else if (tape_kind_frees(event->kind))
        fprintf(out, "f %" PRIu32 "\n", id);
}

static bool is_call(const struct tape_event *event)
{
    return tape_kind_allocates(event->kind) || tape_kind_frees(event->kind) ||
           event->kind == TAPE_REALLOC;
}

/* Once over the tape: counts calls, and prints them where `out` is given. */
static enum tape_status each_call(struct tape_reader *reader, FILE *out, uint64_t *ret_calls,
                                  uint64_t *ret_ids, struct tape_error *error)
{
    struct tape_track track;
    const struct tape_event *events;
    size_t count;
    enum tape_status status;
    *ret_calls = *ret_ids = 0;
    tape_track_init(&track);
    tape_reader_rewind(reader);
    while ((status = tape_reader_next(reader, &events, &count, error)) == TAPE_OK) {
        for (size_t i = 0; i < count; i++) {
            enum tape_track_action action = tape_track_event(&track, &events[i], NULL);
            if (action == TAPE_TRACK_DROP || action == TAPE_TRACK_NO_MEMORY || !is_call(&events[i]))
                continue;
            if (events[i].object > *ret_ids)
                *ret_ids = events[i].object;
            ++*ret_calls;
            if (out)
                write_call(out, &events[i]);
        }
    }
    tape_track_end(&track);
    return status == TAPE_END ? TAPE_OK : status;
}

enum tape_status convert_to_rep(const char *tape_path, FILE *out, struct tape_error *error)
{
    struct tape_reader *reader;
    uint64_t calls, ids;
    enum tape_status status = tape_reader_open(tape_path, &reader, error);
    if (status != TAPE_OK)
        return status;
    status = each_call(reader, NULL, &calls, &ids, error);
    if (status == TAPE_OK) {
        fprintf(out, "0\n%" PRIu64 "\n%" PRIu64 "\n1\n", ids, calls);
        status = each_call(reader, out, &calls, &ids, error);
    }
    if (status != TAPE_OK)
        tape_error_add(error, "%s", tape_path);
    tape_reader_close(reader);
    return status;
}
