/* SPDX-License-Identifier: MIT */
/* bench_explorer.c - schedules to the first failure of each toy bug: median of 20 seeds, for each
 * strategy alone and for the portfolio; the geometric mean is what the lineup is tuned by.
 *
 *     bench_explorer [SEEDS] */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "check/driver/explorer.h"
#include "toy.h"

enum { BUDGET = 1000, SEEDS_MOST = 1000 };

static unsigned schedules_to_failure(const struct toy *toy, uint64_t seed, int only,
                                     struct ck_shared *shared)
{
    struct ck_explorer *e;
    struct ck_explorer_opts opts = {.seed = seed, .schedules = BUDGET, .only_strategy = only};
    unsigned runs = 0;

    if (ck_explorer_new(&opts, &e) < 0)
        abort();
    while (ck_explorer_next(e, shared, 0) == CK_GO_ON) {
        toy_run(toy, shared);
        runs++;
        if (shared->result.failure.kind != CK_FINE && shared->result.failure.kind != CK_STEPS)
            break;
        if (ck_explorer_feed(e, shared) < 0)
            abort();
    }
    ck_explorer_free(e);
    return runs;
}

static int compare(const void *a, const void *b)
{
    const unsigned *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

static double mean_of_logs(const unsigned *runs, unsigned count)
{
    double sum = 0;

    for (unsigned i = 0; i < count; i++)
        sum += log(runs[i]);
    return sum / count;
}

int main(int argc, char **argv)
{
    unsigned seeds = argc > 1 ? (unsigned)atoi(argv[1]) : 20, worst[8] = {0};
    struct ck_shared *shared = toy_shared_new();
    double logs[8] = {0}, all_logs[8] = {0};
    int toys = 0;

    printf("%-28s %6s %6s %6s %6s %6s %6s %6s\n", "", "all", "walk", "pct", "pos", "surw", "locat",
           "aim");
    for (const struct toy *toy = toy_bugs; toy->name; toy++, toys++) {
        printf("%-28s", toy->name);
        for (int only = 0; only <= RVI_STRATEGY_KINDS; only++) {
            unsigned runs[SEEDS_MOST];
            for (unsigned i = 0; i < seeds; i++)
                runs[i] = schedules_to_failure(toy, i + 1, only, shared);
            qsort(runs, seeds, sizeof runs[0], compare);
            logs[only] += log(runs[seeds / 2]);
            all_logs[only] += mean_of_logs(runs, seeds);
            worst[only] = runs[seeds - 1] > worst[only] ? runs[seeds - 1] : worst[only];
            printf(" %6u", runs[seeds / 2]);
            if (only == 0)
                printf("<%-4u", runs[seeds - 1]);
        }
        printf("\n");
    }
    printf("%-28s", "mean of medians");
    for (int only = 0; only <= RVI_STRATEGY_KINDS; only++)
        printf(" %6.2f", exp(logs[only] / toys));
    printf("\n%-28s", "mean of all");
    for (int only = 0; only <= RVI_STRATEGY_KINDS; only++)
        printf(" %6.2f", exp(all_logs[only] / toys));
    printf("\n%-28s", "worst");
    for (int only = 0; only <= RVI_STRATEGY_KINDS; only++)
        printf(" %6u", worst[only]);
    printf("\n");
    toy_shared_free(shared);
    return 0;
}
