/* SPDX-License-Identifier: MIT */
/* stats.c - summaries of samples, and the fit of the scalability law.
 *
 * Means and standard deviations are not used: one sample in which somebody else had the processor
 * moves both as far as it likes. The median and the quartiles stay where they are, and order
 * statistics bound the median without a guess at the distribution.
 *
 * The law is linear in its unknowns when it is written as workers / rate = a + b (n - 1) + c n (n
 * - 1), with a = 1 / single, b = contention / single, c = coherence / single. Each equation is
 * divided by its left side, so that relative errors count. A coefficient below 0 has no meaning:
 * of all choices of which of b and c are 0 the best one with none below 0 is taken, which for two
 * is the whole of non-negative least squares.
 *
 * Rejected: the bootstrap, which needs random numbers and comes to the same interval for a median.
 *
 * Checked by: tests/unit/lab/test_stats.c */
#include "lab/stats.h"

#include <math.h>
#include <stdlib.h>

enum { UNKNOWNS = 3 };

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double lab_quantile(const double *sorted, size_t count, double share)
{
    double at = share * (double)(count - 1);
    size_t below = (size_t)at;

    if (below + 1 >= count)
        return sorted[count - 1];
    return sorted[below] + (at - (double)below) * (sorted[below + 1] - sorted[below]);
}

/* The chance that of `count` fair coins at most `most` show heads. */
static double coins(size_t count, size_t most)
{
    double one = exp2(-(double)count), sum = 0;

    for (size_t k = 0; k <= most; k++) {
        sum += one;
        one *= (double)(count - k) / (double)(k + 1);
    }
    return sum;
}

/* The narrowest pair of samples, equally far from both ends, that has the median between them in
 * 95 of 100 cases; the outermost pair where none has. */
static void bound_median(const double *sorted, struct lab_summary *s)
{
    size_t aside = 0;

    if (s->count <= 1000) {
        while (aside + 1 < (s->count + 1) / 2 && 1 - 2 * coins(s->count, aside + 1) >= 0.95)
            aside++;
        s->confidence = s->count > 1 ? 1 - 2 * coins(s->count, aside) : 0;
    } else { /* 2^-n underflows; the normal distribution is as good there */
        aside = (size_t)((double)s->count / 2 - 0.98 * sqrt((double)s->count)) - 1;
        s->confidence = 0.95;
    }
    s->low = sorted[aside];
    s->high = sorted[s->count - 1 - aside];
}

struct lab_summary lab_summarise(double *samples, size_t count)
{
    struct lab_summary s = {.count = count};

    qsort(samples, count, sizeof *samples, compare);
    s.median = lab_quantile(samples, count, 0.5);
    s.q1 = lab_quantile(samples, count, 0.25);
    s.q3 = lab_quantile(samples, count, 0.75);
    bound_median(samples, &s);
    s.is_noisy = s.q3 - s.q1 > LAB_NOISY * fabs(s.median);
    return s;
}

/* --- the scalability law --- */

static void fill_row(double n, double rate, unsigned used, double *row)
{
    double left = n / rate;

    row[0] = 1 / left;
    row[1] = used & 1 ? (n - 1) / left : 0;
    row[2] = used & 2 ? n * (n - 1) / left : 0;
}

/* Gauss with pivots, of the normal equations; a column of zeros gives a zero. */
static bool solve(double m[UNKNOWNS][UNKNOWNS + 1], double *ret)
{
    for (int i = 0; i < UNKNOWNS; i++) {
        if (m[i][i] == 0) /* left out, and so 0 in all other rows */
            continue;
        for (int k = 0; k < UNKNOWNS; k++) {
            double share = k == i ? 0 : m[k][i] / m[i][i];
            for (int j = i; j <= UNKNOWNS && share != 0; j++)
                m[k][j] -= share * m[i][j];
        }
    }
    for (int i = 0; i < UNKNOWNS; i++)
        ret[i] = m[i][i] == 0 ? 0 : m[i][UNKNOWNS] / m[i][i];
    return ret[0] > 0 && ret[1] >= 0 && ret[2] >= 0;
}

static double error_of(const double *n, const double *rates, size_t count, const double *x)
{
    double sum = 0, row[UNKNOWNS];

    for (size_t i = 0; i < count; i++) {
        fill_row(n[i], rates[i], 3, row);
        double off = row[0] * x[0] + row[1] * x[1] + row[2] * x[2] - 1;
        sum += off * off;
    }
    return sqrt(sum / (double)count);
}

static bool fit_with(const double *n, const double *rates, size_t count, unsigned used, double *ret)
{
    double m[UNKNOWNS][UNKNOWNS + 1] = {0}, row[UNKNOWNS];

    for (size_t i = 0; i < count; i++) {
        fill_row(n[i], rates[i], used, row);
        for (int a = 0; a < UNKNOWNS; a++) {
            for (int b = 0; b < UNKNOWNS; b++)
                m[a][b] += row[a] * row[b];
            m[a][UNKNOWNS] += row[a];
        }
    }
    return solve(m, ret);
}

static size_t different(const double *values, size_t count)
{
    size_t found = 0;

    for (size_t i = 0; i < count; i++) {
        size_t k = 0;
        while (k < i && values[k] != values[i])
            k++;
        found += k == i;
    }
    return found;
}

static double best_of(double contention, double coherence)
{
    if (contention >= 1)
        return 1;
    return coherence > 0 ? fmax(1, sqrt((1 - contention) / coherence)) : INFINITY;
}

bool lab_usl_fit(const double *workers, const double *rates, size_t count, struct lab_usl *ret)
{
    double x[UNKNOWNS], error = INFINITY;

    if (different(workers, count) < 3)
        return false;
    for (unsigned used = 0; used < 4; used++) {
        if (!fit_with(workers, rates, count, used, x))
            continue;
        double its = error_of(workers, rates, count, x);
        if (its >= error - 1e-12) /* as good with fewer unknowns */
            continue;
        error = its;
        *ret = (struct lab_usl){1 / x[0], x[1] / x[0], x[2] / x[0],
                                best_of(x[1] / x[0], x[2] / x[0]), its};
    }
    return isfinite(error);
}

double lab_usl_at(const struct lab_usl *law, double n)
{
    return n * law->single / (1 + law->contention * (n - 1) + law->coherence * n * (n - 1));
}
