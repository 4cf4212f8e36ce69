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

struct schedule_options {
    bool verify;     /* one verify run of each first; who fails it is not measured on that tape */
    unsigned rounds; /* of time mode; 0 = by the length of a run */
    unsigned memory_rounds;
    const char *folder; /* rewritten after each round */
};

/*
 * Runs everything. False where it was interrupted: `results` then holds every run that had ended.
 * results->tapes[].time_rounds are set here.
 */
bool schedule_run(struct results *results, const struct schedule_options *options,
                  struct noise *noise);

#endif
