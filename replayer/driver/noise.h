/*
 * How steady is the machine? A fixed piece of work that touches no memory is timed again and again;
 * on a quiet machine it always takes the same time, so what it varies by is what every figure
 * varies by.
 */
#ifndef HEAPTAPE_REPLAYER_DRIVER_NOISE_H
#define HEAPTAPE_REPLAYER_DRIVER_NOISE_H

#include <stdint.h>

#define NOISE_SAMPLES      256
#define NOISE_WARN_PERCENT 5.0
#define NOISE_TELL_PERCENT 25.0 /* differences below this are hopeless */

struct noise {
    double seconds[NOISE_SAMPLES]; /* the last ones */
    uint32_t count;                /* taken in all */
};

/* Takes `count` samples of about 2 ms each. */
void noise_sample(struct noise *noise, unsigned count);
/* How far the slow tenth of the samples lies above the fastest, in per cent; 0 with under 5
 * samples. */
double noise_percent(const struct noise *noise);

#endif
