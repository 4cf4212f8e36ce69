#include "replayer/driver/score.h"
#include <math.h>
#include <stddef.h>

#define LEAST_SECONDS 1e-6

double score_part(double reference, double own)
{
    if (own <= 0)
        return reference <= 0 ? 1 : INFINITY;
    return log2(reference / own + 1);
}

static double at_least(double seconds)
{
    return seconds > LEAST_SECONDS ? seconds : LEAST_SECONDS;
}

void score_judge(const struct score_cell *reference, struct score_cell *own)
{
    own->time_part = own->mean_part = own->largest_part = 0;
    own->failed = own->failed || own->status != reference->status;
    if (own->failed) {
        if (!own->detail)
            own->detail = "ends otherwise than on libc";
        return;
    }
    own->time_part = score_part(at_least(reference->cpu_seconds), at_least(own->cpu_seconds));
    if (isnan(own->mean_bytes) || isnan(reference->mean_bytes)) {
        own->detail = "its heap is not known";
        own->mean_part = own->largest_part = NAN;
        return;
    }
    own->mean_part = score_part(reference->mean_bytes, own->mean_bytes);
    own->largest_part = score_part(reference->largest_bytes, own->largest_bytes);
}

double score_sum(const struct score_cell *cells, unsigned programs)
{
    double sum = 0;
    for (unsigned i = 0; i < programs; i++)
        sum += cells[i].time_part + cells[i].mean_part + cells[i].largest_part;
    return programs ? 100 * sum / (3 * programs) : NAN;
}
