#include "replayer/driver/changes.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "replayer/driver/allocators.h"
#include "replayer/driver/json_file.h"
#include "traces/cli.h"

#define SEED     1
#define WARNINGS 64

const char *change_word(enum change_kind kind)
{
    static const char *const words[CHANGE_LIMIT] = {
        "worse", "not_shown", "within_limit", "better", "unknown", "missing", "new"};
    return words[kind];
}

__attribute__((format(printf, 2, 3))) static void warn(struct changes *changes, const char *format,
                                                       ...)
{
    va_list arguments;
    if (!changes->warnings)
        changes->warnings = calloc(WARNINGS, sizeof *changes->warnings);
    if (!changes->warnings)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "out of memory");
    if (changes->warning_count == WARNINGS)
        return;
    va_start(arguments, format);
    vsnprintf(changes->warnings[changes->warning_count++], sizeof *changes->warnings, format,
              arguments);
    va_end(arguments);
}

static struct change *add(struct changes *changes, const struct saved_row *row,
                          enum change_kind kind)
{
    if (changes->count == changes->capacity) {
        changes->capacity = changes->capacity ? 2 * changes->capacity : 64;
        changes->items = realloc(changes->items, changes->capacity * sizeof *changes->items);
        if (!changes->items)
            cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "out of memory");
    }
    struct change *change = &changes->items[changes->count++];
    *change = (struct change){.kind = kind,
                              .tape = row->tape,
                              .allocator = row->allocator,
                              .old_median = NAN,
                              .new_median = NAN,
                              .ratio = interval_unknown};
    return change;
}

/* ---- one figure
 * ----------------------------------------------------------------------------------------- */

static enum change_kind judge(const struct change *change)
{
    const struct interval *ratio = &change->ratio;
    if (isnan(ratio->median))
        return CHANGE_UNKNOWN;
    if (ratio->ci_low > 1 + change->limit)
        return CHANGE_WORSE;
    if (ratio->ci_high < 1 - change->limit)
        return CHANGE_BETTER;
    /* Without a limit "not shown" and "within" are one: no change shown. */
    bool beyond = change->limit > 0 && ratio->median > 1 + change->limit;
    return beyond ? CHANGE_NOT_SHOWN : CHANGE_WITHIN;
}

static void compare_figure(struct change *change, const struct saved *old, const struct saved *new,
                           const struct saved_row *before, const struct saved_row *after)
{
    double old_values[STATISTICS_VALUES], new_values[STATISTICS_VALUES];
    const struct metric *metric = change->metric;
    change->old_runs = saved_values(old, before, metric, old_values);
    change->new_runs = saved_values(new, after, metric, new_values);
    if (!change->old_runs || !change->new_runs) {
        snprintf(change->detail, sizeof change->detail, "not measured in the %s results",
                 change->old_runs ? "new" : "old");
        return;
    }
    struct interval *ratio = &change->ratio;
    *ratio =
        statistics_ratio_interval(new_values, change->new_runs, old_values, change->old_runs, SEED);
    change->old_median = statistics_median(old_values, change->old_runs);
    change->new_median = statistics_median(new_values, change->new_runs);
    if (change->old_median <= 0 && change->new_median <= 0)
        *ratio = (struct interval){1, 1, 1, 1, 1};
    if (isnan(ratio->ci_low) && !strcmp(metric->mode, "memory")) {
        ratio->ci_low = ratio->min;
        ratio->ci_high = ratio->max;
    }
    change->kind = judge(change);
    if (isnan(ratio->ci_low))
        snprintf(change->detail, sizeof change->detail, "too few runs to show a change");
}

static void compare_row(struct changes *changes, const struct saved *old, const struct saved *new,
                        const struct saved_row *before, const struct saved_row *after,
                        const struct metric_limit *limits, size_t limit_count)
{
    bool ran = !strcmp(before->status, "ok"), runs = !strcmp(after->status, "ok");
    if (!ran || !runs) {
        struct change *change = add(changes, after,
                                    ran    ? CHANGE_WORSE
                                    : runs ? CHANGE_BETTER
                                           : CHANGE_UNKNOWN);
        const struct saved_row *failed = runs ? before : after;
        snprintf(change->detail, sizeof change->detail, "%s%s: %.110s",
                 ran    ? ""
                 : runs ? "was "
                        : "as before ",
                 failed->status, failed->detail);
        changes->of[change->kind]++;
        return;
    }
    for (size_t i = 0; i < limit_count; i++) {
        struct change *change = add(changes, after, CHANGE_UNKNOWN);
        change->metric = limits[i].metric;
        change->limit = limits[i].share;
        compare_figure(change, old, new, before, after);
        changes->of[change->kind]++;
    }
}

/* ---- what makes two benches hard to compare
 * ------------------------------------------------------------- */

static void compare_word(struct changes *changes, const struct saved *old, const struct saved *new,
                         const char *object, const char *key, const char *what, const char *so)
{
    const char *before = saved_text(old, object, key), *after = saved_text(new, object, key);
    if (strcmp(before, after) != 0)
        warn(changes, "%s: %.60s before, %.60s now; %s", what, *before ? before : "not told",
             *after ? after : "not told", so);
}

static void compare_surroundings(struct changes *changes, const struct saved *old,
                                 const struct saved *new)
{
    static const char times[] = "times may shift by that alone, relative to libc too: bench both "
                                "on one machine";
    static const char peaks[] = "peaks may shift by that alone";
    static const char other[] = "the figures mean something else: bench both alike";
    compare_word(changes, old, new, "machine", "cpu_model", "another CPU", times);
    if (saved_number(old, "machine", "cores") != saved_number(new, "machine", "cores"))
        warn(changes, "another number of cores: %.0f before, %.0f now; %s",
             saved_number(old, "machine", "cores"), saved_number(new, "machine", "cores"), times);
    compare_word(changes, old, new, "machine", "kernel", "another kernel", peaks);
    compare_word(changes, old, new, "machine", "libc", "another libc",
                 "it is what times are relative to");
    compare_word(changes, old, new, "machine", "thp", "other huge pages", peaks);
    compare_word(changes, old, new, "tool", "version", "another heaptape",
                 "the replay's own cost may differ: bench both with one version");
    compare_word(changes, old, new, "tool", "engine_build_id", "another build of the engine",
                 "the replay's own cost may differ: bench both with one build");
    compare_word(changes, old, new, "settings", "touch", "another --touch", other);
    compare_word(changes, old, new, "settings", "order", "another --order", other);
    compare_word(changes, old, new, "settings", "pace", "another --pace", other);
}

static bool is_the_measure(const struct saved_row *row)
{
    return row->is_floor || !strcmp(row->allocator, ALLOCATOR_LIBC);
}

/* Tapes go by name; one that was recorded anew is another tape. */
static bool is_another_tape(const struct saved *old, const struct saved *new, const char *name)
{
    const cJSON *before = saved_entry(old, "tapes", name), *after = saved_entry(new, "tapes", name);
    return json_number(before, "events") != json_number(after, "events") ||
           json_number(before, "peak_live_bytes") != json_number(after, "peak_live_bytes");
}

static const struct saved_row *counterpart(const struct saved *old, const struct saved *new,
                                           const struct saved_row *row, bool row_is_old)
{
    const struct saved_row *other = saved_row_of(row_is_old ? new : old, row->tape, row->allocator);
    return other && is_another_tape(old, new, row->tape) ? NULL : other;
}

static void warn_other_tapes(struct changes *changes, const struct saved *old,
                             const struct saved *new)
{
    const cJSON *tape;
    cJSON_ArrayForEach(tape, cJSON_GetObjectItem(old->json, "tapes"))
    {
        const char *name = cJSON_GetStringValue(cJSON_GetObjectItem(tape, "name"));
        if (name && saved_entry(new, "tapes", name) && is_another_tape(old, new, name))
            warn(changes, "%.60s: not the same tape (%.0f events before, %.0f now), not compared",
                 name, json_number(tape, "events"),
                 json_number(saved_entry(new, "tapes", name), "events"));
    }
}

void changes_find(struct changes *changes, const struct saved *old, const struct saved *new,
                  const struct metric_limit *limits, size_t limit_count)
{
    size_t compared = 0;
    *changes = (struct changes){.old_folder = old->folder, .new_folder = new->folder};
    compare_surroundings(changes, old, new);
    warn_other_tapes(changes, old, new);
    for (size_t i = 0; i < new->row_count; i++) {
        const struct saved_row *row = &new->rows[i];
        if (is_the_measure(row))
            continue;
        const struct saved_row *before = counterpart(old, new, row, false);
        if (before) {
            compare_row(changes, old, new, before, row, limits, limit_count);
            compared++;
        } else {
            changes->of[add(changes, row, CHANGE_NEW)->kind]++;
        }
    }
    for (size_t i = 0; i < old->row_count; i++)
        if (!is_the_measure(&old->rows[i]) && !counterpart(old, new, &old->rows[i], true))
            changes->of[add(changes, &old->rows[i], CHANGE_MISSING)->kind]++;
    if (!compared)
        cli_die(HEAPTAPE_EXIT_BAD_INPUT,
                "%s and %s: have no tape and allocator in common beside libc; bench the same tapes "
                "on allocators of the same names",
                old->folder, new->folder);
}

bool changes_fail(const struct changes *changes, bool worse_fails, bool missing_fails)
{
    return (worse_fails && changes->of[CHANGE_WORSE]) ||
           (missing_fails && changes->of[CHANGE_MISSING]);
}
