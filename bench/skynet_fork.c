/* SPDX-License-Identifier: MIT */
/* skynet_fork.c - the tree of skynet.c by fork and join: ten children each, `leaves` at the bottom,
 * the sum of their numbers. In nanoseconds a leaf. As a finished program is built: see fork.c. */
#ifndef NDEBUG
#define NDEBUG
#endif
#include "bench.h"

#include <ravel.h>

enum { WIDTH = 10 };

RV_FORKABLE(long, sum_of_node, long, first, long, leaves)
{
    if (leaves == 1)
        return first;
    RV_FORKED(sum_of_node) kids[WIDTH - 1];
    long share = leaves / WIDTH;
    for (int i = 0; i < WIDTH - 1; i++)
        RV_FORK(kids[i], sum_of_node, first + i * share, share);
    long sum = RV_CALL(sum_of_node, first + (WIDTH - 1) * share, share);
    for (int i = WIDTH - 1; i--;)
        sum += RV_JOIN(kids[i], sum_of_node);
    return sum;
}

static long sum_of_tree(long leaves)
{
    return sum_of_node(0, leaves);
}

static int measure(void *unused)
{
    (void)unused;
    bench_sum_of_leaves(sum_of_tree);
    return 0;
}

int main(int argc, char **argv)
{
    bench_begin("skynet-fork", "ravel", argc, argv);
    struct rv_run_opts opts = {.size = sizeof opts, .workers = (unsigned)bench_param("workers", 1)};
    bench_must(rv_run(measure, NULL, &opts), "rv_run");
}
