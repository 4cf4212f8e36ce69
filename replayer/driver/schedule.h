/*
 * The order of a bench's runs. Round by round, and in each round every tape, and for each tape
 * every allocator in an order of its own drawn from the seed: what drifts on the machine then hits
 * all of them alike and not the one that happened to run last.
 */
#ifndef HEAPTAPE_REPLAYER_DRIVER_SCHEDULE_H
#define HEAPTAPE_REPLAYER_DRIVER_SCHEDULE_H

#include <stdbool.h>
#include "replayer/driver/noise.h"
#include "replayer/driver/progress.h"
#include "replayer/driver/results.h"

/* Failures of an allocator on a tape after which its further rounds are left out; a time-out or too
 * much memory is enough at once, for these cost the most. */
#define SCHEDULE_FAILURES_MAX 2

/*
 * Rounds by themselves (-n auto). There are at least as many as it takes to show one difference
 * among all comparisons (significance_rounds_needed()). From then on an allocator's rounds on a
 * tape end once the 95 % interval of its relative time is at most `precision` wide, at
 * SCHEDULE_AUTO_MAX rounds, or once its runs there have taken max_time_ns. Only the width is looked
 * at, never the verdict: stopping when a difference happens to show would find differences that are
 * none. libc goes on while anyone does, for ratios need its rounds.
 */
#define SCHEDULE_AUTO_MAX    30
#define SCHEDULE_PRECISION   0.02
#define SCHEDULE_MAX_TIME_NS UINT64_C(5000000000)

struct schedule_options {
    bool verify;     /* one verify run of each first; who fails it is not measured on that tape */
    unsigned rounds; /* of time mode; 0 = auto */
    unsigned memory_rounds;
    bool snapshots;     /* of the heap, from the first memory run of each but the floor */
    const char *folder; /* rewritten after each round */
};

/*
 * Runs everything. False where it was interrupted: `results` then holds every run that had ended.
 * results->tapes[].time_rounds are set here.
 */
bool schedule_run(struct results *results, const struct schedule_options *options,
                  struct noise *noise);
/* How many rounds it takes to show one difference among all comparisons of the bench. */
unsigned schedule_least_rounds(const struct results *results);

#endif
