#include "options.h"

#include "message.h"

#include <string.h>
#include <sys/auxv.h>

struct options options = {
#define OPTION_INITIAL(name, initial, least, greatest, meaning) .name = (initial),
    OPTIONS(OPTION_INITIAL)
#undef OPTION_INITIAL
};

static const struct {
    const char *name, *meaning;
    size_t initial, least, greatest;
    size_t *value;
} known[] = {
#define OPTION_KNOWN(name, initial, least, greatest, meaning)                                      \
    {#name, meaning, initial, least, greatest, &options.name},
    OPTIONS(OPTION_KNOWN)
#undef OPTION_KNOWN
};

#define KNOWN (sizeof known / sizeof *known)

/* 262144 is 256k. */
static void line_size(struct ht_line *line, size_t size)
{
    static const char *const suffixes[] = {"", "k", "M", "G"};
    unsigned thousands = 0;
    while (thousands < 3 && size >= 1024 && size % 1024 == 0) {
        size /= 1024;
        thousands++;
    }
    line_number(line, size);
    line_text(line, suffixes[thousands]);
}

static void line_range(struct ht_line *line, size_t least, size_t greatest)
{
    line_size(line, least);
    if (greatest == SIZE_MAX) {
        line_text(line, " or more");
    } else {
        line_text(line, " to ");
        line_size(line, greatest);
    }
}

static void line_column(struct ht_line *line, size_t column)
{
    do
        line_text(line, " ");
    while (line->length < column);
}

static void print_help(void)
{
    struct ht_line line = {.length = 0};
    line_text(&line, "htmalloc: HTMALLOC_OPTIONS=NAME=VALUE,NAME=VALUE... where NAME, its default "
                     "and its range are:");
    line_write(&line);
    for (size_t i = 0; i < KNOWN; i++) {
        line_text(&line, "  ");
        line_text(&line, known[i].name);
        line_column(&line, 15);
        line_size(&line, known[i].initial);
        line_column(&line, 21);
        line_range(&line, known[i].least, known[i].greatest);
        line_column(&line, 33);
        line_text(&line, known[i].meaning);
        line_write(&line);
    }
    line_text(&line, "  " OPTION_STATS_FILE);
    line_column(&line, 15);
    line_text(&line, "none");
    line_column(&line, 21);
    line_text(&line, "a path");
    line_column(&line, 33);
    line_text(&line, OPTION_STATS_FILE_HELP);
    line_write(&line);
    line_text(&line, "Sizes are bytes; k, M and G multiply by 1024, 1024k and 1024M.");
    line_write(&line);
}

/* "htmalloc: HTMALLOC_OPTIONS: WORD: " */
static void complaint_begin(struct ht_line *line, const char *word, size_t length)
{
    char copy[64];
    size_t copied = length < sizeof copy - 1 ? length : sizeof copy - 1;
    for (size_t i = 0; i < copied; i++)
        copy[i] = word[i];
    copy[copied] = '\0';
    line->length = 0;
    line_text(line, "htmalloc: HTMALLOC_OPTIONS: ");
    line_text(line, copy);
    line_text(line, length > copied ? "...: " : ": ");
}

static void complaint_end(struct ht_line *line)
{
    line_text(line, "; ignored; HTMALLOC_OPTIONS=help lists the options");
    line_write(line);
}

static void complain(const char *word, size_t length, const char *what)
{
    struct ht_line line;
    complaint_begin(&line, word, length);
    line_text(&line, what);
    complaint_end(&line);
}

static void complain_range(const char *word, size_t length, size_t least, size_t greatest)
{
    struct ht_line line;
    complaint_begin(&line, word, length);
    line_text(&line, "must be a number, ");
    line_range(&line, least, greatest);
    complaint_end(&line);
}

/* A number with its suffix, up to `end`; false when it is none or too great. */
static bool parse_size(const char *text, const char *end, size_t *ret_size)
{
    size_t size = 0;
    if (text == end || *text < '0' || *text > '9')
        return false;
    for (; text < end && *text >= '0' && *text <= '9'; text++) {
        if (__builtin_mul_overflow(size, 10, &size) ||
            __builtin_add_overflow(size, (size_t)(*text - '0'), &size))
            return false;
    }
    unsigned shift = 0;
    if (text < end)
        shift = *text == 'k' ? 10 : *text == 'M' ? 20 : *text == 'G' ? 30 : 64;
    if (shift == 64 || (shift > 0 && text + 1 != end) || size > SIZE_MAX >> shift)
        return false;
    *ret_size = size << shift;
    return true;
}

static void read_stats_file(const char *word, size_t length, const char *value)
{
    size_t bytes = (size_t)(word + length - value);
    if (bytes == 0 || bytes >= sizeof options.stats_file) {
        complain(word, length, "must be a path of 1 to 255 bytes");
        return;
    }
    memcpy(options.stats_file, value, bytes);
    options.stats_file[bytes] = '\0';
}

static bool is_name(const char *word, size_t length, const char *name)
{
    return strlen(name) == length && memcmp(name, word, length) == 0;
}

static void read_word(const char *word, size_t length)
{
    const char *equals = memchr(word, '=', length);
    if (equals == NULL && is_name(word, length, "help")) {
        print_help();
        return;
    }
    if (equals == NULL) {
        complain(word, length, "not of the form NAME=VALUE");
        return;
    }
    size_t name_length = (size_t)(equals - word), value;
    if (is_name(word, name_length, OPTION_STATS_FILE)) {
        read_stats_file(word, length, equals + 1);
        return;
    }
    for (size_t i = 0; i < KNOWN; i++) {
        if (!is_name(word, name_length, known[i].name))
            continue;
        if (parse_size(equals + 1, word + length, &value) && value >= known[i].least &&
            value <= known[i].greatest)
            *known[i].value = value;
        else
            complain_range(word, length, known[i].least, known[i].greatest);
        return;
    }
    complain(word, length, "no such option");
}

/* The value of HTMALLOC_OPTIONS, or "". */
static const char *find_value(char **environment)
{
    static const char name[] = "HTMALLOC_OPTIONS=";
    for (; environment != NULL && *environment != NULL; environment++) {
        if (strncmp(*environment, name, sizeof name - 1) == 0)
            return *environment + sizeof name - 1;
    }
    return "";
}

void options_read(char **environment)
{
    const char *at = getauxval(AT_SECURE) != 0 ? "" : find_value(environment);
    while (*at != '\0') {
        size_t length = strcspn(at, ",");
        if (length > 0)
            read_word(at, length);
        at += length;
        at += *at == ',';
    }
}
