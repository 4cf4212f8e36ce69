#include "replayer/driver/significance.h"
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "replayer/driver/statistics.h"

#define EXACT_MAX 64 /* values; the normal distribution is as good beyond */

_Static_assert(STATISTICS_MIN >= 2, "a t-test needs a spread");

/* Twice the rank of each |value|, ties sharing theirs, so that all are whole numbers; those of the
 * upper half count as the middle rank. */
static void double_ranks(const double *values, size_t count, unsigned *ranks)
{
    for (size_t i = 0; i < count; i++) {
        unsigned below = 0, equal = 0;
        for (size_t j = 0; j < count; j++) {
            below += fabs(values[j]) < fabs(values[i]);
            equal += fabs(values[j]) == fabs(values[i]);
        }
        ranks[i] = 2 * below + equal + 1;
        if (ranks[i] > count + 1)
            ranks[i] = (unsigned)count + 1;
    }
}

/* The share of the 2^count ways to give signs in which the sum of positive ranks is at most `sum`.
 */
static double share_up_to(const unsigned *ranks, size_t count, unsigned sum)
{
    static double ways[EXACT_MAX * (EXACT_MAX + 1) + 1];
    unsigned most = 0;
    memset(ways, 0, sizeof ways);
    ways[0] = 1;
    for (size_t i = 0; i < count; i++) {
        most += ranks[i];
        for (unsigned at = most + 1; at-- > 0;)
            ways[at] = ways[at] / 2 + (at >= ranks[i] ? ways[at - ranks[i]] / 2 : 0);
    }
    double share = 0;
    for (unsigned at = 0; at <= sum; at++)
        share += ways[at];
    return share;
}

/* With many values; a half step towards the middle for continuity. */
static double normal_tails(const unsigned *ranks, size_t count, unsigned least, unsigned most)
{
    double squares = 0;
    for (size_t i = 0; i < count; i++)
        squares += (double)ranks[i] * ranks[i];
    double away = most / 2.0 - least - 1;
    return away <= 0 ? 1 : erfc(away / sqrt(squares / 4) / M_SQRT2);
}

double significance_signed_rank(const double *logs, size_t count)
{
    double values[STATISTICS_VALUES];
    unsigned ranks[STATISTICS_VALUES], positive = 0, all = 0;
    size_t kept = 0;
    if (count < STATISTICS_MIN || count > STATISTICS_VALUES)
        return NAN;
    for (size_t i = 0; i < count; i++)
        if (logs[i] != 0)
            values[kept++] = logs[i];
    double_ranks(values, kept, ranks);
    for (size_t i = 0; i < kept; i++) {
        all += ranks[i];
        positive += values[i] > 0 ? ranks[i] : 0;
    }
    unsigned least = positive < all - positive ? positive : all - positive;
    if (kept > EXACT_MAX)
        return normal_tails(ranks, kept, least, all);
    double p = 2 * share_up_to(ranks, kept, least);
    return p < 1 ? p : 1;
}

/* Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4: P(|T| < t) as a sum
 * over the cosine of atan(t / sqrt(freedom)). */
double significance_t_tails(double t, unsigned freedom)
{
    double angle = atan(fabs(t) / sqrt(freedom)), cosine = cos(angle);
    double term = freedom % 2 ? cosine : 1, sum = freedom == 1 ? 0 : term;
    for (unsigned i = freedom % 2 ? 3 : 2; i < freedom; i += 2) {
        term *= cosine * cosine * (i - 1) / i;
        sum += term;
    }
    double inside = freedom % 2 ? (angle + sin(angle) * sum) * 2 / M_PI : sin(angle) * sum;
    return inside < 1 ? 1 - inside : 0;
}

double significance_t_quantile(double two_sided, unsigned freedom)
{
    double low = 0, high = 1000;
    for (unsigned i = 0; i < 60; i++) {
        double middle = (low + high) / 2;
        if (significance_t_tails(middle, freedom) > two_sided)
            low = middle;
        else
            high = middle;
    }
    return high;
}

double significance_paired_t(const double *logs, size_t count)
{
    double sum = 0, squares = 0, n = (double)count;
    if (count < STATISTICS_MIN)
        return NAN;
    for (size_t i = 0; i < count; i++)
        sum += logs[i];
    double mean = sum / n;
    for (size_t i = 0; i < count; i++)
        squares += (logs[i] - mean) * (logs[i] - mean);
    /* All alike: what is the same in every round is there, or is nothing. The sum of rounding
     * errors is no spread. */
    if (squares <= n * mean * mean * 1e-24)
        return mean == 0 ? 1 : 0;
    return significance_t_tails(mean / sqrt(squares / (n - 1) / n), (unsigned)count - 1);
}

struct place {
    double p;
    size_t at;
};

static int compare_places(const void *left, const void *right)
{
    double a = ((const struct place *)left)->p, b = ((const struct place *)right)->p;
    return (a > b) - (a < b);
}

void significance_adjust(double *p, size_t count)
{
    struct place *places = calloc(count ? count : 1, sizeof *places);
    size_t asked = 0;
    double least = 1;
    if (!places)
        abort();
    for (size_t i = 0; i < count; i++)
        if (!isnan(p[i]))
            places[asked++] = (struct place){p[i], i};
    qsort(places, asked, sizeof *places, compare_places);
    for (size_t i = asked; i-- > 0;) {
        double adjusted = places[i].p * (double)asked / (double)(i + 1);
        least = adjusted < least ? adjusted : least;
        p[places[i].at] = least;
    }
    free(places);
}

unsigned significance_rounds_needed(unsigned comparisons)
{
    unsigned rounds = 1;
    while (ldexp(comparisons, 1 - (int)rounds) > SIGNIFICANCE_LEVEL)
        rounds++;
    return rounds < STATISTICS_MIN ? STATISTICS_MIN : rounds;
}
