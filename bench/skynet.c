/* SPDX-License-Identifier: MIT */
/* skynet.c - a tree of tasks, ten children each, `leaves` at the bottom; every inner task sums what
 * its children send it through a channel of its own (A. Temerev's skynet). In nanoseconds a leaf; a
 * million leaves are 1,111,111 tasks. */
#include "bench.h"

#include <ravel.h>

enum { WIDTH = 10 };

struct node {
    rv_chan *up;
    long first, leaves;
};

static int node_run(void *arg);

static long sum_of_children(const struct node *n)
{
    struct node kids[WIDTH];
    long sum = 0, share = n->leaves / WIDTH;
    int err;
    rv_chan *ch;
    bench_must(rv_chan_new(&ch, sizeof(long), WIDTH), "rv_chan_new");
    RV_SCOPE(s, err) {
        for (int i = 0; i < WIDTH; i++) {
            kids[i] = (struct node){ch, n->first + i * share, share};
            bench_must(rv_go(s, node_run, &kids[i]), "rv_go");
        }
        for (int i = 0; i < WIDTH; i++) {
            long part;
            bench_must(rv_chan_recv(ch, &part, RV_NEVER), "rv_chan_recv");
            sum += part;
        }
    }
    bench_must(err, "RV_SCOPE");
    rv_chan_free(ch);
    return sum;
}

static int node_run(void *arg)
{
    struct node *n = arg;
    long sum = n->leaves == 1 ? n->first : sum_of_children(n);
    return rv_chan_send(n->up, &sum, RV_NEVER);
}

static int measure(void *arg)
{
    long leaves = *(long *)arg;
    struct node top = {NULL, 0, leaves};
    (void)sum_of_children(&top); /* makes the stacks */
    int64_t begin = bench_now();
    bench_require(sum_of_children(&top) == leaves * (leaves - 1) / 2, "the sum is wrong");
    bench_result(NULL, (double)(bench_now() - begin) / (double)leaves, "ns");
    return 0;
}

int main(int argc, char **argv)
{
    bench_begin("skynet", "ravel", argc, argv);
    long leaves = bench_param("leaves", 1000000);
    for (long left = leaves; left != 1; left /= WIDTH)
        bench_require(left >= WIDTH && left % WIDTH == 0, "leaves: a power of ten, at least 10");
    struct rv_run_opts opts = {.size = sizeof opts, .workers = (unsigned)bench_param("workers", 1)};
    bench_must(rv_run(measure, &leaves, &opts), "rv_run");
}
