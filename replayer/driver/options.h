/*
 * Command line options that the driver's tools share, on top of getopt_long. Mistakes end the tool
 * with status 2 and one line. Strings point into argv.
 */
#ifndef HEAPTAPE_REPLAYER_DRIVER_OPTIONS_H
#define HEAPTAPE_REPLAYER_DRIVER_OPTIONS_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include "traces/emit.h"

/* Values of options that have no letter. */
enum {
    OPTION_HELP = 'h',
    OPTION_VERSION = 256,
    OPTION_FORMAT,
    OPTION_TOUCH,
    OPTION_ORDER,
    OPTION_PACE,
    OPTION_TIMEOUT,
    OPTION_MEMORY_LIMIT,
    OPTION_SEED,
    OPTION_QUICK,
    OPTION_STRICT,
    OPTION_INPUT,
    OPTION_NO_HYPERFINE,
    OPTION_VERIFY,
    OPTION_SNAPSHOTS,
    OPTION_SNAPSHOT_AT,
    OPTION_MEMORY,
    OPTION_USABLE,
    OPTION_PRECISION,
    OPTION_MAX_TIME,
    OPTION_LATENCY,
    OPTION_ALLOCATORS,
    OPTION_AGAINST,
    OPTION_FAIL_IF,
    OPTION_FAIL_MISSING,
};

/* Lines for every tool's table; put them last. */
#define OPTIONS_COMMON                                                                             \
    {"help", no_argument, NULL, OPTION_HELP}, {"version", no_argument, NULL, OPTION_VERSION},      \
    {                                                                                              \
        0                                                                                          \
    }

/*
 * getopt_long() whose mistakes are told in our words; `letters` begins with ":" (or "+:" to stop at
 * the first argument). --help and --version are dealt with here.
 */
int options_next(int argc, char **argv, const char *letters, const struct option *table,
                 const char *usage);
/* The value of --format, or a usage error. */
enum emit_format options_format(const char *text);
/* `text` if it is one of the words (NULL at the end), or a usage error naming the option and them
 * all. */
const char *options_word(const char *option, const char *text, const char *const *words);
/* A whole number from 1 to `most`. */
unsigned options_number(const char *option, const char *text, unsigned most);

/* "2%" or "0.02" is 0.02; above 0, at most 10. */
double options_share(const char *option, const char *text);

/* Whether stdout is a terminal that wants colour. */
bool options_colour(void);

/* The values that --touch and --order take, as the engine has them. */
extern const char *const options_touch_words[], *const options_order_words[];

/*
 * Takes --touch, --order, --pace, --usable, --timeout and --memory-limit into *settings; any other
 * option is a mistake in the caller's table and aborts.
 */
struct engine_settings;
void options_engine(int option, const char *text, struct engine_settings *settings);

/* Texts given with an option that may come again; the capacity is fixed, more is a usage error. */
struct options_texts {
    const char *items[256];
    size_t count;
};
void options_collect(struct options_texts *texts, const char *option, const char *text);

#endif
