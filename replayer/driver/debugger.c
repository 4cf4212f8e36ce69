#include "replayer/driver/debugger.h"
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "traces/cli.h"

static bool is_plain(const char *word)
{
    return *word && !word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                       "0123456789_-./=:,+@%")];
}

static void append(char *text, size_t bytes, const char *more)
{
    size_t used = strlen(text);
    snprintf(text + used, bytes - used, "%s", more);
}

/* As one word of a shell's command line, `depth` shells deep: gdb starts one of its own. */
static void append_word(char *text, size_t bytes, const char *word)
{
    if (is_plain(word)) {
        append(text, bytes, word);
        return;
    }
    append(text, bytes, "'");
    for (; *word; word++) {
        char one[2] = {*word, 0};
        append(text, bytes, *word == '\'' ? "'\\''" : one);
    }
    append(text, bytes, "'");
}

/* Up to the tape: "gdb -q -ex 'set exec-wrapper env ...' -ex run --args ENGINE --tape TAPE". */
static void begin(const char *tape, const struct allocator *allocator, const char *more, char *text,
                  size_t bytes)
{
    char program[PATH_MAX], wrapper[PATH_MAX + 1024];
    bool any = allocator->path[0] || allocator->environment[0];
    snprintf(text, bytes, "gdb -q");
    if (any) {
        snprintf(wrapper, sizeof wrapper, "set exec-wrapper env");
        for (const char *const *at = allocator->environment; *at; at++) {
            append(wrapper, sizeof wrapper, " ");
            append_word(wrapper, sizeof wrapper, *at);
        }
        if (allocator->path[0]) {
            append(wrapper, sizeof wrapper, " LD_PRELOAD=");
            append_word(wrapper, sizeof wrapper, allocator->path);
        }
        append(text, bytes, " -ex ");
        append_word(text, bytes, wrapper);
    }
    append(text, bytes, more);
    append(text, bytes, " -ex run --args ");
    append_word(text, bytes, cli_libexec_path("heaptape-engine", program, sizeof program));
    append(text, bytes, " --tape ");
    append_word(text, bytes, tape);
}

void debugger_rerun(const char *tape, const struct allocator *allocator,
                    const struct engine_settings *settings, enum run_mode mode,
                    enum run_status status, char *text, size_t bytes)
{
    bool by_first = mode == RUN_MODE_TIME || mode == RUN_MODE_LATENCY;
    begin(tape, allocator, status == RUN_ERROR ? " -ex 'catch syscall exit_group'" : "", text,
          bytes);
    append(text, bytes, " --mode=");
    append(text, bytes, run_mode_engine_word(mode));
    append(text, bytes, " --touch=");
    append(text, bytes, settings->touch ? settings->touch : by_first ? "first" : "page");
    append(text, bytes, " --order=");
    append(text, bytes, run_mode_order(mode, settings));
    if (settings->pace) {
        append(text, bytes, " --pace=");
        append(text, bytes, settings->pace);
    }
}

void debugger_command(const char *tape, const struct allocator *allocator,
                      const struct engine_settings *settings, uint64_t event, char *text,
                      size_t bytes)
{
    char stop[48];
    begin(tape, allocator, "", text, bytes);
    append(text, bytes, " --mode=verify --order=");
    append(text, bytes, settings->order);
    if (settings->pace) {
        append(text, bytes, " --pace=");
        append(text, bytes, settings->pace);
    }
    if (settings->usable_skip)
        append(text, bytes, " --usable=skip");
    if (event == ENGINE_NO_EVENT)
        return;
    snprintf(stop, sizeof stop, " --stop-at=%" PRIu64, event);
    append(text, bytes, stop);
}
