#include "replayer/driver/noise.h"
#include <string.h>
#include <time.h>
#include "replayer/driver/statistics.h"

#define SPIN_STEPS 1000000

static double spin(void)
{
    struct timespec begin, end;
    struct random_source source = {1};
    uint64_t sum = 0;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (unsigned i = 0; i < SPIN_STEPS; i++)
        sum ^= random_next(&source);
    __asm__ volatile("" : : "r"(sum));
    clock_gettime(CLOCK_MONOTONIC, &end);
    return (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
}

void noise_sample(struct noise *noise, unsigned count)
{
    while (count--)
        noise->seconds[noise->count++ % NOISE_SAMPLES] = spin();
}

double noise_percent(const struct noise *noise)
{
    double sorted[NOISE_SAMPLES];
    unsigned count = noise->count < NOISE_SAMPLES ? noise->count : NOISE_SAMPLES;
    if (count < 5)
        return 0;
    memcpy(sorted, noise->seconds, count * sizeof *sorted);
    statistics_median(sorted, count); /* sorts */
    return 100 * (sorted[count - 1 - count / 10] / sorted[0] - 1);
}
