#include "traces/convert/convert.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "traces/resolve.h"

enum { PASS_CALLS = 200000, NS_A_CALL = 100 };

static const struct convert_format *const formats[] = {&convert_mtrace, &convert_android,
                                                       &convert_rep};

/* ---- calls -------------------------------------------------------------------------------------
 */

static uint32_t lane_of(struct convert *convert, uint64_t thread)
{
    uint32_t lane = address_map_get(&convert->lanes, thread + 1);
    if (lane)
        return lane - 1;
    if (!address_map_put(&convert->lanes, thread + 1, convert->lane_count + 1)) {
        tape_error_set(&convert->error, TAPE_NO_MEMORY, UINT64_MAX, "no memory");
        convert->failed = true;
    }
    return convert->lane_count++;
}

static void put_record(struct convert *convert, unsigned kind, uint64_t address, uint64_t value,
                       unsigned align_log2)
{
    struct raw_record record = {raw_head(kind, address, align_log2 & 63), value};
    if (!convert->failed &&
        raw_writer_put(convert->writer, convert->lane, &record, 1, &convert->error) != TAPE_OK)
        convert->failed = true;
}

/* Before each call its moment: the order of the file is the order of the tape. */
static void begin_call(struct convert *convert, uint64_t thread)
{
    uint32_t lane = lane_of(convert, thread);
    convert->tsc += NS_A_CALL;
    bool stamp = lane != convert->lane || convert->calls % 64 == 0;
    convert->lane = lane;
    if (!convert->failed && ++convert->calls - convert->pass_calls >= PASS_CALLS) {
        convert->pass_calls = convert->calls;
        convert->failed =
            raw_writer_pass(convert->writer, convert->tsc, &convert->error) != TAPE_OK;
    }
    if (stamp)
        put_record(convert, RAW_STAMP, 0, convert->tsc, 0);
}

void convert_put(struct convert *convert, uint64_t thread, unsigned kind, uint64_t address,
                 uint64_t value, unsigned align_log2)
{
    begin_call(convert, thread);
    put_record(convert, kind, address, value, align_log2);
}

void convert_realloc(struct convert *convert, uint64_t thread, uint64_t old, uint64_t address,
                     uint64_t size)
{
    begin_call(convert, thread);
    put_record(convert, RAW_REALLOC_BEGIN, old, size, 0);
    put_record(convert, RAW_REALLOC_END, address, size, 0);
}

void convert_time(struct convert *convert, uint64_t ns)
{
    if (ns > convert->tsc && ns < UINT64_C(1) << 62)
        convert->tsc = ns;
}

/* ---- text --------------------------------------------------------------------------------------
 */

static void skip_blanks(const char **at)
{
    while (**at == ' ' || **at == '\t' || **at == '\r')
        ++*at;
}

bool convert_number(const char **at, int base, uint64_t *ret_value)
{
    const char *from = *at;
    char *end;
    if (!isxdigit((unsigned char)*from))
        return false;
    errno = 0;
    uint64_t value = strtoull(from, &end, base);
    if (end == from || errno == ERANGE || isalnum((unsigned char)*end))
        return false;
    *at = end;
    skip_blanks(at);
    *ret_value = value;
    return true;
}

bool convert_word(const char **at, const char *word)
{
    size_t length = strlen(word);
    if (strncmp(*at, word, length) || isalnum((unsigned char)(*at)[length]))
        return false;
    *at += length;
    skip_blanks(at);
    return true;
}

static const struct convert_format *recognize(const char *line)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (formats[i]->recognizes(line))
            return formats[i];
    }
    return NULL;
}

/* ---- a file ------------------------------------------------------------------------------------
 */

static enum tape_status wrong_line(const char *path, uint64_t number, const char *what,
                                   struct tape_error *error)
{
    return tape_error_set(error, TAPE_BAD_INPUT, UINT64_MAX, "%s: line %" PRIu64 ": %s", path,
                          number, what);
}

#define LINE_BYTES 16384 /* two paths of the longest and numbers */

static enum tape_status read_lines(struct convert *convert, FILE *in, const char *path,
                                   struct tape_error *error)
{
    char line[LINE_BYTES];
    uint64_t number = 0;
    enum tape_status status = TAPE_OK;
    while (status == TAPE_OK && fgets(line, sizeof line, in)) {
        size_t length = strlen(line);
        number++;
        if (!length || (line[length - 1] != '\n' && !feof(in))) {
            status = wrong_line(path, number, "not text, or longer than a line can be", error);
            break;
        }
        while (length && isspace((unsigned char)line[length - 1]))
            line[--length] = 0;
        const char *text = line;
        skip_blanks(&text);
        if (!*text)
            continue;
        if (!convert->format && !(convert->format = recognize(text)))
            status = wrong_line(path, number,
                                "neither .rep nor memory_replay nor mtrace; say which with --from",
                                error);
        const char *wrong = convert->format ? convert->format->line(convert, text) : NULL;
        if (wrong)
            status = wrong_line(path, number, wrong, error);
        if (convert->failed)
            status = (*error = convert->error).status;
    }
    if (status == TAPE_OK && ferror(in))
        status = tape_error_set(error, TAPE_SYSTEM, UINT64_MAX, "%s: cannot read: %s", path,
                                strerror(errno));
    if (status == TAPE_OK && !convert->calls)
        status =
            tape_error_set(error, TAPE_BAD_INPUT, UINT64_MAX, "%s: no allocator call in it", path);
    return status;
}

static enum tape_status read_to_raw(struct convert *convert, FILE *in, const char *path,
                                    const char *raw_path, struct tape_error *error)
{
    const struct tape_meta meta[] = {{"program", path}, {"tool", "heaptape " HEAPTAPE_VERSION}};
    struct tape_sample moment = {0};
    if (!address_map_init(&convert->lanes))
        return tape_error_set(error, TAPE_NO_MEMORY, UINT64_MAX, "no memory");
    enum tape_status status = raw_writer_open(raw_path, meta, 2, &convert->writer, error);
    if (status == TAPE_OK) {
        raw_writer_sample(convert->writer, 0, &moment, NULL);
        status = read_lines(convert, in, path, error);
        moment.time_ns = convert->tsc; /* the stamps are nanoseconds */
        raw_writer_sample(convert->writer, convert->tsc, &moment, NULL);
        const struct tape_meta last[] = {
            {"converted_from", convert->format ? convert->format->title : "?"}};
        struct tape_error closing;
        enum tape_status closed =
            raw_writer_close(convert->writer, status == TAPE_OK, last, 1, &closing);
        if (status == TAPE_OK && closed != TAPE_OK)
            status = (*error = closing).status;
    }
    address_map_end(&convert->lanes);
    return status;
}

enum tape_status convert_file(FILE *in, const char *path, const struct convert_format *format,
                              const char *tape_path, struct tape_error *error)
{
    struct convert convert = {.format = format};
    struct resolve_stats stats;
    char raw_path[4096];
    if (snprintf(raw_path, sizeof raw_path, "%s.raw.%d", tape_path, (int)getpid()) >=
        (int)sizeof raw_path)
        return tape_error_set(error, TAPE_BAD_INPUT, UINT64_MAX, "%s: the name is too long",
                              tape_path);
    enum tape_status status = read_to_raw(&convert, in, path, raw_path, error);
    if (status == TAPE_OK)
        status = tape_resolve(raw_path, tape_path, NULL, &stats, error);
    unlink(raw_path);
    return status;
}
