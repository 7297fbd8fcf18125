/* SPDX-License-Identifier: MIT */
/* tiers_same.c - the primes below a million, counted wherever the caller says. */
#include <ravel.h>
#include <stdio.h>
#include <string.h>

enum { PARTS = 20, PART = 50000 };

struct range {
    int from, to;
};

static int is_prime(int n)
{
    for (int d = 2; d * d <= n; d++)
        if (n % d == 0)
            return 0;
    return n > 1;
}

/* From bytes to bytes: it could as well run in another process, or on another machine. */
static int count_primes(const struct range *in, int *out)
{
    for (int n = in->from; n < in->to; n++)
        *out += is_prime(n);
    return 0;
}
RV_JOB(count_primes, struct range, int);

static int count_on(rv_executor *ex, int *total)
{
    struct range parts[PARTS];
    int counts[PARTS];

    for (int i = 0; i < PARTS; i++)
        parts[i] = (struct range){i * PART, (i + 1) * PART};
    int r = rv_map(ex, count_primes, parts, PARTS, counts, NULL, rv_after(RV_MINUTE));
    for (int i = 0; i < PARTS && r == 0; i++)
        *total += counts[i];
    return r;
}

static int entry(void *where)
{
    rv_executor *ex;
    int total = 0, r = rv_executor_open(&ex, where, NULL);

    if (r < 0)
        return r;
    r = count_on(ex, &total);
    int closed = rv_executor_close(ex, RV_CLOSE_WAIT, RV_NEVER);
    if (r == 0)
        printf("%d primes, counted on %s\n", total, (const char *)where);
    return r < 0 ? r : closed;
}

int main(int argc, char **argv)
{
    char usual[] = "auto";
    int r = rv_run(entry, argc > 1 ? argv[1] : usual, NULL);

    if (r < 0)
        fprintf(stderr, "%s\n", strerror(-r));
    return r < 0;
}
