/* SPDX-License-Identifier: MIT */
/* chan.c - one 8-byte message through one channel of 128, `pairs` producers to as many consumers.
 *
 * With workers=2 producers stay on worker 0 and consumers move to worker 1, so every message
 * crosses. Otherwise whoever is stolen first would decide what is measured. */
#include "bench.h"

#include <ravel.h>

static unsigned workers;
static long pairs;
static size_t capacity;

struct flow {
    rv_chan *ch;
    long each;
};

static int produce(void *arg)
{
    struct flow *f = arg;
    bench_must(rv_migrate(0), "rv_migrate");
    for (long i = 0; i < f->each; i++)
        bench_must(rv_chan_send(f->ch, &i, RV_NEVER), "rv_chan_send");
    return 0;
}

static int consume(void *arg)
{
    struct flow *f = arg;
    bench_must(rv_migrate(workers - 1), "rv_migrate");
    for (long i = 0; i < f->each; i++) {
        long message;
        bench_must(rv_chan_recv(f->ch, &message, RV_NEVER), "rv_chan_recv");
        bench_require(pairs > 1 || message == i, "a message is out of order");
    }
    return 0;
}

static void run(void *arg, long ops)
{
    struct flow *f = arg;
    rv_scope *s;
    f->each = ops / pairs;
    bench_must(rv_scope_open(&s, NULL), "rv_scope_open");
    for (long i = 0; i < pairs; i++) {
        bench_must(rv_go(s, consume, f), "rv_go");
        bench_must(rv_go(s, produce, f), "rv_go");
    }
    bench_must(rv_scope_close(s), "rv_scope_close");
    bench_require(rv_chan_count(f->ch) == 0, "messages are left");
}

static int measure(void *arg)
{
    (void)arg;
    struct flow f;
    bench_must(rv_chan_new(&f.ch, sizeof(long), capacity), "rv_chan_new");
    bench_batches(run, &f, 2000000);
    rv_chan_free(f.ch);
    return 0;
}

int main(int argc, char **argv)
{
    bench_begin("chan", "ravel", argc, argv);
    workers = (unsigned)bench_param_upto("workers", 1, 2);
    pairs = bench_param("pairs", 1);
    capacity = (size_t)bench_param("capacity", 128);
    struct rv_run_opts opts = {.size = sizeof opts, .workers = workers};
    bench_must(rv_run(measure, NULL, &opts), "rv_run");
}
