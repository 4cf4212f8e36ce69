#include "options.h"

#include "words.h"

#include <signal.h>
#include <string.h>

#ifdef TEXTBOOK_NAME
const char *const options_built_in = TEXTBOOK_NAME;
#else
const char *const options_built_in = "";
#endif

#define LEAST_GROWTH ((size_t)4096)
#define MOST_BYTES   ((size_t)1 << 40)

struct options options;
struct options_defaults options_defaults;

static const struct {
    const char *name;
    enum fit fit;
    enum order order;
} policies[] = {
#define POLICY(name, fit, order) {name, fit, order},
    TEXTBOOK_POLICIES(POLICY)
#undef POLICY
};

bool options_preset(const char *policy, struct options *ret_options)
{
    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
        if (strcmp(policies[i].name, policy) != 0)
            continue;
        *ret_options = (struct options){.policy = policies[i].name,
                                        .fit = policies[i].fit,
                                        .order = policies[i].order,
                                        .growth = 64 << 10,
                                        .mmap_threshold = 128 << 10,
                                        .min_split = 32};
        return true;
    }
    return false;
}

_Noreturn static void refuse(const char *variable, const char *value, const char *expected)
{
    struct words words = {.file = 2};
    words_text(&words, "textbook: ");
    words_text(&words, variable);
    words_text(&words, "=");
    words_text(&words, value);
    words_text(&words, ": ");
    words_text(&words, expected);
    words_text(&words, "\n");
    words_end_program(&words, 2);
}

/* ---- one reader for each kind of value ---- */

static size_t read_size(const char *variable, const char *value, size_t least)
{
    size_t size = 0;
    const char *at = value;
    for (; *at >= '0' && *at <= '9' && size < MOST_BYTES; at++)
        size = size * 10 + (size_t)(*at - '0');
    bool number = at > value;
    if (*at == 'k' || *at == 'M' || *at == 'G')
        size <<= *at == 'k' ? 10 : *at == 'M' ? 20 : 30, at++;
    if (!number || *at || size < least || size > MOST_BYTES)
        refuse(variable, value,
               least >= LEAST_GROWTH ? "a size from 4k to 1024G is expected"
               : least               ? "a size from 32 to 1024G is expected"
                                     : "a size from 0 to 1024G is expected");
    return size;
}

/* The place of `value` among the words, "a, b or c". */
static int read_word(const char *variable, const char *value, const char *const list[],
                     const char *expected)
{
    for (int i = 0; list[i]; i++)
        if (!strcmp(list[i], value))
            return i;
    refuse(variable, value, expected);
}

static bool read_switch(const char *variable, const char *value)
{
    static const char *const words[] = {"0", "1", NULL};
    return read_word(variable, value, words, "0 or 1 is expected");
}

static void read_policy(const char *variable, const char *value)
{
    struct options found;
    if (*options_built_in && strcmp(options_built_in, value) != 0)
        refuse(variable, value, "this library has one policy; libtextbook.so has them all");
    if (!options_preset(value, &found))
#define NAME(name, fit, order) " " name
        refuse(variable, value, "one of these is expected:" TEXTBOOK_POLICIES(NAME));
#undef NAME
    options = found;
}

static void read_file(const char *variable, const char *value)
{
    if (!*value || strlen(value) >= sizeof options.picture_file)
        refuse(variable, value, "the path of a file is expected");
    strcpy(options.picture_file, value);
}

/* ---- the variables ---- */

static void read_variable(const char *variable, const char *value)
{
    static const char *const orders[] = {"lifo", "fifo", "address", NULL};
    static const char *const coalesces[] = {"now", "deferred", NULL};
    static const char *const sources[] = {"brk", "mmap", NULL};
    static const char *const leaks[] = {"0", "1", "sites", NULL};
    static const char *const pictures[] = {"none", "text", "svg", NULL};
    static const char *const moments[] = {"exit", "USR1", "USR2", NULL};
    static const int signals[] = {0, SIGUSR1, SIGUSR2};
    const char *name = variable + strlen("TEXTBOOK_");
    if (!strcmp(name, "POLICY"))
        return; /* has been read first */
    if (!strcmp(name, "ORDER"))
        options.order = read_word(variable, value, orders, "lifo, fifo or address is expected");
    else if (!strcmp(name, "COALESCE"))
        options.coalesce = read_word(variable, value, coalesces, "now or deferred is expected");
    else if (!strcmp(name, "SOURCE"))
        options.source = read_word(variable, value, sources, "brk or mmap is expected");
    else if (!strcmp(name, "GROWTH"))
        options.growth = read_size(variable, value, LEAST_GROWTH);
    else if (!strcmp(name, "SET_ASIDE"))
        options.set_aside = read_size(variable, value, 0);
    else if (!strcmp(name, "MMAP_THRESHOLD"))
        options.mmap_threshold = read_size(variable, value, 0);
    else if (!strcmp(name, "MIN_SPLIT"))
        options.min_split = read_size(variable, value, 32);
    else if (!strcmp(name, "SCRIBBLE"))
        options.scribble = read_switch(variable, value);
    else if (!strcmp(name, "LEAKS"))
        options.leaks = read_word(variable, value, leaks, "0, 1 or sites is expected");
    else if (!strcmp(name, "PICTURE"))
        options.picture = read_word(variable, value, pictures, "none, text or svg is expected");
    else if (!strcmp(name, "PICTURE_AT"))
        options.picture_signal =
            signals[read_word(variable, value, moments, "exit, USR1 or USR2 is expected")];
    else if (!strcmp(name, "PICTURE_FILE"))
        read_file(variable, value);
    else
        refuse(variable, value,
               "no such switch; there are POLICY ORDER COALESCE SOURCE GROWTH SET_ASIDE "
               "MMAP_THRESHOLD MIN_SPLIT SCRIBBLE LEAKS PICTURE PICTURE_AT PICTURE_FILE");
}

/* Calls `read` for each variable of ours; the name is cut off at the "=" in a copy. */
static void for_each(char **environment, bool policy_only)
{
    for (char **entry = environment; entry && *entry; entry++) {
        char name[64] = "";
        const char *equals = strchr(*entry, '=');
        if (strncmp(*entry, "TEXTBOOK_", 9) != 0 || !equals)
            continue;
        size_t length = (size_t)(equals - *entry);
        memcpy(name, *entry, length < sizeof name ? length : sizeof name - 1);
        if (!policy_only)
            read_variable(name, equals + 1);
        else if (!strcmp(name, "TEXTBOOK_POLICY"))
            read_policy(name, equals + 1);
    }
}

void options_read(char **environment)
{
    const char *chosen = options_defaults.policy ? options_defaults.policy : "first-fit";
    options_preset(*options_built_in ? options_built_in : chosen, &options);
    for_each(environment, true);
    options.set_aside = options_defaults.set_aside;
    for_each(environment, false);
}
