/*
 * Is an allocator shown to differ from the baseline? Asked of the logarithms of its ratios to the
 * baseline, paired by round, since the runs of one round share the machine's mood.
 *
 * Time: an exact sign-flip test (R. A. Fisher, The Design of Experiments, 1935, section 21). Were
 * the two allocators the same, their names could be swapped in any round, so each logarithm would
 * be as likely with the other sign: that is all that is taken for granted, outliers or not. Each
 * round counts by the rank of its logarithm's size, as in Wilcoxon's signed-rank test, but none by
 * more than the middle rank: where a neighbour spoils one run in ten, 15
 * rounds miss a difference of 5 % one time in seven, with Wilcoxon's own ranks one in three; where
 * none is spoilt both find the same. With n rounds p cannot be less than 2^(1 - n): 5 rounds
 * never show a difference at 5 %, 6 just can.
 *
 * Memory: Student's paired t-test. Peaks hardly vary from round to round (addresses, the threads'
 * timing), so that three rounds are enough, which ranks could never be. What varies hardly has
 * outliers; where it has, the test misses differences and does not invent them.
 *
 * A bench asks many such questions at once. The values of all its tapes and allocators are adjusted
 * together (Y. Benjamini and Y. Hochberg, Controlling the False Discovery Rate, JRSS B 57, 1995):
 * of the differences that are told, one in twenty is expected to be none; and where no two
 * allocators differ at all, the chance of telling any is 5 % for the whole bench.
 */
#ifndef HEAPTAPE_REPLAYER_DRIVER_SIGNIFICANCE_H
#define HEAPTAPE_REPLAYER_DRIVER_SIGNIFICANCE_H

#include <stddef.h>

#define SIGNIFICANCE_LEVEL 0.05
#define SIGNIFICANCE_METHOD                                                                        \
    "time: exact sign-flip test on log ratios paired by round, by ranks capped at the middle "     \
    "one; "                                                                                        \
    "memory: paired t-test on log ratios; p adjusted over all tapes and allocators by Benjamini "  \
    "and Hochberg; a "                                                                             \
    "difference is shown where the adjusted p is at most 0.05 and the interval excludes 1"

/* Both two-sided; NAN for fewer than STATISTICS_MIN (statistics.h) values. Zeros take no side. */
double significance_signed_rank(const double *logs, size_t count);
double significance_paired_t(const double *logs, size_t count);
/* Adjusts them all in place. NAN is no question and stays. */
void significance_adjust(double *p, size_t count);
/* The rounds with which one difference among `comparisons` can be shown at all. */
unsigned significance_rounds_needed(unsigned comparisons);

/* P(|T| > t) for Student's T, and the t for which it is `two_sided`; freedom >= 1. */
double significance_t_tails(double t, unsigned freedom);
double significance_t_quantile(double two_sided, unsigned freedom);

#endif
