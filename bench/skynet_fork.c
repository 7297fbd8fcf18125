/* SPDX-License-Identifier: MIT */
/* skynet_fork.c - the tree of skynet.c by fork/join: ten children each, `leaves` at the bottom, the
 * sum of their numbers. In nanoseconds a leaf. */
#include "bench.h"

#include <ravel.h>

enum { WIDTH = 10, BATCHES = 11 };

RV_FORKABLE(long, node, long, first, long, leaves)
{
    if (leaves == 1)
        return first;
    RV_FORKED(node) kids[WIDTH - 1];
    long share = leaves / WIDTH;
    for (int i = 0; i < WIDTH - 1; i++)
        RV_FORK(kids[i], node, first + i * share, share);
    long sum = RV_CALL(node, first + (WIDTH - 1) * share, share);
    for (int i = WIDTH - 1; i--;)
        sum += RV_JOIN(kids[i], node);
    return sum;
}

static int measure(void *arg)
{
    long leaves = *(long *)arg;
    double ns[BATCHES];
    for (int i = 0; i < BATCHES; i++) {
        int64_t begin = bench_now();
        bench_require(node(0, leaves) == leaves * (leaves - 1) / 2, "the sum is wrong");
        ns[i] = (double)(bench_now() - begin) / (double)leaves;
    }
    bench_result(NULL, bench_percentile(ns + 1, BATCHES - 1, 50), "ns");
    return 0;
}

int main(int argc, char **argv)
{
    bench_begin("skynet-fork", "ravel", argc, argv);
    long leaves = bench_param("leaves", 1000000);
    for (long left = leaves; left != 1; left /= WIDTH)
        bench_require(left >= WIDTH && left % WIDTH == 0, "leaves: a power of ten, at least 10");
    struct rv_run_opts opts = {.size = sizeof opts, .workers = (unsigned)bench_param("workers", 1)};
    bench_must(rv_run(measure, &leaves, &opts), "rv_run");
}
