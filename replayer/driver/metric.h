/*
 * The figures that two benches are compared by, and the words of --fail-if. All of them are such
 * that less is better.
 */
#ifndef HEAPTAPE_REPLAYER_DRIVER_METRIC_H
#define HEAPTAPE_REPLAYER_DRIVER_METRIC_H

#include <stdbool.h>
#include <stddef.h>

enum metric_base {
    METRIC_ABSOLUTE, /* the figure of a run */
    METRIC_TO_LIBC,  /* over that of libc's run of the same round */
    METRIC_NET,      /* the same, the null allocator's taken off both */
};

struct metric {
    const char *name, *unit, *meaning;
    const char *mode, *key; /* of results.json's runs */
    enum metric_base base;
    bool by_default; /* compared where nothing was asked for */
};
extern const struct metric metrics[];
extern const size_t metrics_count;

/* A metric and how much worse is too much: 0.03 is 3 %. */
struct metric_limit {
    const struct metric *metric;
    double share;
};
#define METRIC_LIMITS_MAX 32

/*
 * "time>3%,peak_resident>1%" into limits; how many. NULL: the metrics that are compared by default,
 * any change counting. A mistake is a usage error that names `option` and the character it is at.
 */
size_t metric_limits(const char *option, const char *text,
                     struct metric_limit limits[METRIC_LIMITS_MAX]);

#endif
