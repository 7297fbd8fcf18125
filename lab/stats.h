/* SPDX-License-Identifier: MIT */
/* stats.h - what a set of repeated measurements says. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct lab_summary {
    size_t count;      /* of samples */
    double median;     /* with an even count the mean of the middle two */
    double low, high;  /* bounds of the median of what was sampled */
    double confidence; /* that it lies between them: 0.95 if there are samples enough */
    double q1, q3;     /* quartiles */
    bool is_noisy;     /* the quartiles are further apart than LAB_NOISY of the median */
};

#define LAB_NOISY 0.15

/** The value below which a share of all lie, between neighbours in proportion (Hyndman and Fan
 * 1996, number 7).
 *
 * @param sorted  ascending, at least one */
double lab_quantile(const double *sorted, size_t count, double share);

/** Median, quartiles, and an interval for the median by order statistics (Conover, Practical
 * Nonparametric Statistics, 3.2), which asks nothing of how the samples are distributed.
 *
 * @param samples  at least one; sorted by the call */
struct lab_summary lab_summarise(double *samples, size_t count);

/* Gunther's Universal Scalability Law: with n workers, n * single / (1 + contention * (n - 1) +
 * coherence * n * (n - 1)) is done in a second. */
struct lab_usl {
    double single;     /* what one worker does in a second */
    double contention; /* share that is done one after another */
    double coherence;  /* what each pair of workers costs */
    double best;       /* workers at which most is done; infinite: each one more helps */
    double error;      /* root mean square of the relative errors */
};

/** Fit the law (N. J. Gunther, Guerrilla Capacity Planning, 5) with no coefficient below 0.
 *
 * @param workers  how many, for each measurement
 * @param rates    what they did in a second; above 0
 * @return whether there are enough: three different numbers of workers */
bool lab_usl_fit(const double *workers, const double *rates, size_t count, struct lab_usl *ret);

/** @return what the law foretells for so many workers, in a second */
double lab_usl_at(const struct lab_usl *law, double workers);
