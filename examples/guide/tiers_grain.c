/* SPDX-License-Identifier: MIT */
/* tiers_grain.c - the same sum in a few large jobs, and in very many small ones. */
#include <ravel.h>
#include <stdio.h>
#include <stdlib.h>

enum { NUMBERS = 20000000 };

struct range {
    int from, to;
};

static int add_up(const struct range *in, double *out)
{
    for (int i = in->from; i < in->to; i++)
        *out += 1.0 / (i + 1.0);
    return 0;
}
RV_JOB(add_up, struct range, double);

static int add_in(rv_executor *ex, size_t jobs)
{
    struct range *in = calloc(jobs, sizeof(*in));
    double *out = calloc(jobs, sizeof(*out)), sum = 0;
    int each = NUMBERS / (int)jobs, r = -1;
    rv_time begin = rv_now();

    for (size_t i = 0; in && out && i < jobs; i++)
        in[i] = (struct range){(int)i * each, (int)(i + 1) * each};
    if (in && out)
        r = rv_map(ex, add_up, in, jobs, out, NULL, RV_NEVER);
    for (size_t i = 0; i < jobs && r == 0; i++)
        sum += out[i];
    if (r == 0)
        printf("%7zu jobs of %8d additions: %6.3f s, sum %.3f\n", jobs, each,
               (double)(rv_now() - begin) / RV_SECOND, sum);
    free(in);
    free(out);
    return r;
}

static int entry(void *where)
{
    rv_executor *ex;
    int r = rv_executor_open(&ex, where, NULL);

    if (r < 0)
        return r;
    for (size_t jobs = 20; jobs <= 200000 && r == 0; jobs *= 100)
        r = add_in(ex, jobs);
    int closed = rv_executor_close(ex, RV_CLOSE_WAIT, RV_NEVER);
    return r < 0 ? r : closed;
}

int main(int argc, char **argv)
{
    char usual[] = "auto";

    return rv_run(entry, argc > 1 ? argv[1] : usual, NULL) < 0;
}
