/*
 * What changed from one bench to another: each metric asked for, of each allocator on each tape
 * that both have, by name. libc and the null allocator are the measure of the others and are not
 * judged.
 *
 * A change is the ratio of the medians, new over old, with the 95 % interval of
 * statistics_ratio_interval(). It is worse only where it is shown: where the whole interval lies
 * above what --fail-if allows. So a change of exactly that much is taken for worse in 1 of 40
 * comparisons, and a smaller one less often. With fewer than 3 runs of a side there is no interval:
 * the range stands in for memory, which hardly varies, and nothing does for time.
 */
#ifndef HEAPTAPE_REPLAYER_DRIVER_CHANGES_H
#define HEAPTAPE_REPLAYER_DRIVER_CHANGES_H

#include <stdbool.h>
#include <stddef.h>
#include "replayer/driver/metric.h"
#include "replayer/driver/saved.h"
#include "replayer/driver/statistics.h"

enum change_kind {
    CHANGE_WORSE,     /* shown to be worse by more than the limit; or ran before and fails now */
    CHANGE_NOT_SHOWN, /* its median is worse by more than the limit, but not all of its interval */
    CHANGE_WITHIN,    /* within the limit, as far as the median tells */
    CHANGE_BETTER,    /* shown to be better by more than the limit; or failed before and runs now */
    CHANGE_UNKNOWN,   /* a side has no figure: failed in both, or not measured */
    CHANGE_MISSING,   /* a row of the old results that the new ones have not */
    CHANGE_NEW,       /* a row that the old results have not */
    CHANGE_LIMIT,
};
/* "worse", "not_shown", ... */
const char *change_word(enum change_kind kind);

struct change {
    enum change_kind kind;
    const char *tape, *allocator;
    const struct metric *metric; /* NULL where it is about the whole row */
    double limit;                /* as a share */
    double old_median, new_median;
    size_t old_runs, new_runs;
    struct interval ratio;
    char detail[160]; /* why there is no figure; else empty */
};

struct changes {
    const char *old_folder, *new_folder;
    struct change *items;
    size_t count, capacity;
    size_t of[CHANGE_LIMIT]; /* how many of each kind */
    char (*warnings)[256];   /* what makes the two hard to compare, a sentence each */
    size_t warning_count;
};

/* Compares them. Ends the tool with 3 where they have no tape and allocator in common. */
void changes_find(struct changes *changes, const struct saved *old, const struct saved *new,
                  const struct metric_limit *limits, size_t limit_count);
/* Whether a check of them fails: something is worse, or missing and that is asked for. */
bool changes_fail(const struct changes *changes, bool worse_fails, bool missing_fails);

#endif
