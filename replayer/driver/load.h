/*
 * What else the machine did while a bench ran: told by the kernel, beside what the probe of noise.h
 * feels. Everything is NAN where the system does not tell.
 */
#ifndef HEAPTAPE_REPLAYER_DRIVER_LOAD_H
#define HEAPTAPE_REPLAYER_DRIVER_LOAD_H

struct load_reading {
    double wall_seconds;                /* of the monotonic clock */
    double busy_seconds, steal_seconds; /* of all processors, since boot */
    double own_seconds;                 /* our own processor time and that of children that ended */
    double average;                     /* runnable tasks, over a minute */
    double throttled;                   /* times that a processor was slowed for its heat */
    double mhz;                         /* of the slowest processor now */
};

struct load {
    double average_before, average_after;
    double others_cores; /* processors that other programs kept busy, on average */
    double steal_share;  /* of the wall time of one processor, that the hypervisor gave to others */
    double throttled;    /* times, during the bench */
    double mhz_low, mhz_high;
};

#define LOAD_WARN_CORES 0.25
#define LOAD_WARN_STEAL 0.02

struct load_reading load_read(void);
struct load load_between(const struct load_reading *before, const struct load_reading *after);

#endif
