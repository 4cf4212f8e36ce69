#include "traces/raw_clock.h"

void raw_clock_pair(struct raw_clock *clock, uint64_t tsc, uint64_t ns)
{
    if (!clock->pairs) {
        *clock = (struct raw_clock){.first_tsc = tsc, .first_ns = ns, .pairs = 1};
        return;
    }
    if (tsc <= clock->first_tsc || ns <= clock->first_ns)
        return;
    clock->ns_per_tick = (double)(ns - clock->first_ns) / (double)(tsc - clock->first_tsc);
    clock->pairs = 2;
}

uint64_t raw_clock_ns(const struct raw_clock *clock, uint64_t tsc)
{
    if (tsc >= clock->first_tsc) {
        double after = (double)(tsc - clock->first_tsc) * clock->ns_per_tick;
        double ns = (double)clock->first_ns + after;
        return ns < 9e18 ? (uint64_t)ns : UINT64_C(9000000000000000000);
    }
    double earlier = (double)(clock->first_tsc - tsc) * clock->ns_per_tick;
    return earlier < (double)clock->first_ns ? clock->first_ns - (uint64_t)earlier : 0;
}
