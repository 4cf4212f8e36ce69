#include "options.h"

#include "message.h"

#include <string.h>

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

static void print_help(void)
{
    struct ht_line line = {.length = 0};
    line_text(&line, "htmalloc: HTMALLOC_OPTIONS=name=value,... ; k, M and G multiply; defaults:");
    line_write(&line);
    for (size_t i = 0; i < KNOWN; i++) {
        line_text(&line, "  ");
        line_text(&line, known[i].name);
        line_text(&line, "=");
        line_number(&line, known[i].initial);
        line_text(&line, "  ");
        line_text(&line, known[i].meaning);
        line_write(&line);
    }
}

static void complain(const char *word, size_t length, const char *what)
{
    char copy[64];
    size_t copied = length < sizeof copy - 1 ? length : sizeof copy - 1;
    memcpy(copy, word, copied);
    copy[copied] = '\0';
    struct ht_line line = {.length = 0};
    line_text(&line, "htmalloc: HTMALLOC_OPTIONS: ");
    line_text(&line, copy);
    line_text(&line, ": ");
    line_text(&line, what);
    line_text(&line, "; HTMALLOC_OPTIONS=help lists what there is");
    line_write(&line);
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

static void read_word(const char *word, size_t length)
{
    const char *equals = memchr(word, '=', length);
    if (equals == NULL) {
        if (length == 4 && memcmp(word, "help", 4) == 0)
            print_help();
        else
            complain(word, length, "not of the form name=value");
        return;
    }
    size_t name_length = (size_t)(equals - word), value;
    for (size_t i = 0; i < KNOWN; i++) {
        if (strlen(known[i].name) != name_length || memcmp(known[i].name, word, name_length) != 0)
            continue;
        if (!parse_size(equals + 1, word + length, &value))
            complain(word, length, "not a size");
        else if (value < known[i].least || value > known[i].greatest)
            complain(word, length, "out of range");
        else
            *known[i].value = value;
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
    const char *at = find_value(environment);
    while (*at != '\0') {
        size_t length = strcspn(at, ",");
        if (length > 0)
            read_word(at, length);
        at += length;
        at += *at == ',';
    }
}
