#include "replayer/driver/options.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "replayer/driver/engine_run.h"
#include "traces/cli.h"

const char *const options_touch_words[] = {"none", "first", "page", "full", NULL};
static const char *const options_usable_words[] = {"write", "skip", NULL};
const char *const options_order_words[] = {"causal", "strict", "serial", NULL};

/* The option as it was typed, for messages. */
static const char *typed(char **argv, const struct option *table, char text[32])
{
    if (optopt && optopt < 256) {
        text[0] = '-', text[1] = (char)optopt, text[2] = 0;
        return text;
    }
    for (; optopt && table->name; table++)
        if (table->val == optopt) {
            snprintf(text, 32, "--%.28s", table->name);
            return text;
        }
    return argv[optind - 1];
}

int options_next(int argc, char **argv, const char *letters, const struct option *table,
                 const char *usage)
{
    char text[32];
    opterr = 0;
    int option = getopt_long(argc, argv, letters, table, NULL);
    switch (option) {
    case OPTION_HELP:
        cli_help(usage);
    case OPTION_VERSION:
        cli_version();
    case ':':
        cli_die_usage("%s needs a value", typed(argv, table, text));
    case '?':
        cli_die_usage("no option %s", typed(argv, table, text));
    default:
        return option;
    }
}

enum emit_format options_format(const char *text)
{
    enum emit_format format;
    if (!emit_parse_format(text, &format))
        cli_die_usage("--format=%s: not table, json or csv", text);
    return format;
}

const char *options_word(const char *option, const char *text, const char *const *words)
{
    char all[128] = "";
    for (size_t i = 0; words[i]; i++) {
        if (!strcmp(words[i], text))
            return words[i];
        strncat(all, i ? ", " : "", sizeof all - strlen(all) - 1);
        strncat(all, words[i], sizeof all - strlen(all) - 1);
    }
    cli_die_usage("%s=%s: not one of %s", option, text, all);
}

unsigned options_number(const char *option, const char *text, unsigned most)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    bool digits = *text >= '0' && *text <= '9' && !*end;
    if (!digits || value < 1 || value > most)
        cli_die_usage("%s %s: not a whole number from 1 to %u", option, text, most);
    return (unsigned)value;
}

bool options_colour(void)
{
    return isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
}

double options_share(const char *option, const char *text)
{
    char *end;
    double value = strtod(text, &end);
    bool digits = (*text >= '0' && *text <= '9') || *text == '.';
    if (*end == '%') {
        value /= 100;
        end++;
    }
    if (!digits || *end || !(value > 0 && value <= 10))
        cli_die_usage("%s=%s: not a share such as 2%% or 0.02", option, text);
    return value;
}

/* One word for one pace: "1.0" is "recorded", "02" is "2". */
static void take_pace(const char *text, struct engine_settings *settings)
{
    static char number[32];
    settings->speed = cli_speed("--pace", text);
    snprintf(number, sizeof number, "%.9g", settings->speed);
    settings->pace = settings->speed <= 0 ? NULL : !strcmp(number, "1") ? "recorded" : number;
    if (settings->pace == number)
        settings->speed = strtod(number, NULL);
}

void options_engine(int option, const char *text, struct engine_settings *settings)
{
    if (option == OPTION_TOUCH)
        settings->touch = options_word("--touch", text, options_touch_words);
    else if (option == OPTION_USABLE)
        settings->usable_skip =
            !strcmp(options_word("--usable", text, options_usable_words), "skip");
    else if (option == OPTION_ORDER)
        settings->order = options_word("--order", text, options_order_words);
    else if (option == OPTION_PACE)
        take_pace(text, settings);
    else if (option == OPTION_TIMEOUT)
        settings->timeout_ns = cli_duration("--timeout", text);
    else if (option == OPTION_MEMORY_LIMIT)
        settings->memory_bytes = cli_size("--memory-limit", text);
    else
        abort();
}

void options_collect(struct options_texts *texts, const char *option, const char *text)
{
    if (texts->count == sizeof texts->items / sizeof *texts->items)
        cli_die_usage("%s: given too often", option);
    texts->items[texts->count++] = text;
}
