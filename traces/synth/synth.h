/*
 * Synthetic event streams, the same for the same description and seed on every machine. They are
 * for measuring machinery and for corner cases: a stream of independent random events ranks
 * allocators other than programs do (Zorn and Grunwald, "Evaluating models of memory allocation",
 * 1994).
 */
#ifndef HEAPTAPE_TRACES_SYNTH_SYNTH_H
#define HEAPTAPE_TRACES_SYNTH_SYNTH_H

#include <stdbool.h>
#include <stdint.h>
#include "traces/event.h"

enum synth_sizes {
    SYNTH_UNIFORM, /* every size from least to most equally likely */
    SYNTH_LOG,     /* every doubling equally likely: many small, few large */
    SYNTH_CLASSES, /* 8 fixed sizes between them, as programs with few kinds of objects have */
};

enum synth_lifetimes {
    SYNTH_RANDOM, /* the object to be freed is any live one */
    SYNTH_LIFO,   /* the youngest */
    SYNTH_FIFO,   /* the oldest */
    SYNTH_MIXED,  /* nine in ten die young (among the youngest 16), the others at random */
};

struct synth_options {
    uint64_t events;
    uint64_t seed;
    uint64_t live;               /* objects that are live once it has filled up */
    uint64_t size_min, size_max; /* bytes */
    enum synth_sizes sizes;
    enum synth_lifetimes lifetimes;
    uint32_t lanes;
    uint32_t lane_run;       /* events of one lane in a row, on average */
    double cross_free_share; /* of frees that another lane does than the one that allocated */
    double realloc_share;    /* of events that change a live object's size */
    double calloc_share, aligned_share; /* of allocations */
    uint32_t phases;  /* each with sizes of its own, from small to large and back */
    bool free_at_end; /* let everything that is live die at the end, beyond `events` */
};

/* 1 M events of random churn: 10,000 live, 16 to 1024 bytes, one lane. */
struct synth_options synth_defaults(void);
/*
 * Calls `event` for each event until it returns false. Returns whether all were given; false also
 * where memory for the live set is lacking or an option makes no sense (live or lanes 0, least over
 * most).
 */
bool synth_run(const struct synth_options *options,
               bool (*event)(void *context, const struct tape_event *event), void *context);

/* The generator behind it (xoshiro256**), for whoever needs the same on every machine. */
struct synth_random {
    uint64_t state[4];
};
void synth_seed(struct synth_random *random, uint64_t seed);
uint64_t synth_next(struct synth_random *random);
uint64_t synth_below(struct synth_random *random, uint64_t bound); /* bound > 0 */
double synth_share(struct synth_random *random);                   /* 0 <= x < 1 */

#endif
