/* SPDX-License-Identifier: MIT */
/* pingpong.c - one round trip over two channels between two tasks of one worker. */
#include "bench.h"

#include <ravel.h>

static size_t capacity;

struct table {
    rv_chan *ping, *pong;
    long rounds;
};

static int answer(void *arg)
{
    struct table *t = arg;
    for (long left = t->rounds; left > 0; left--) {
        long ball;
        bench_must(rv_chan_recv(t->ping, &ball, RV_NEVER), "rv_chan_recv");
        bench_must(rv_chan_send(t->pong, &ball, RV_NEVER), "rv_chan_send");
    }
    return 0;
}

static void run(void *arg, long ops)
{
    struct table *t = arg;
    rv_scope *s;
    t->rounds = ops;
    bench_must(rv_scope_open(&s, NULL), "rv_scope_open");
    bench_must(rv_go(s, answer, t), "rv_go");
    for (long i = 0; i < ops; i++) {
        long ball = i;
        bench_must(rv_chan_send(t->ping, &ball, RV_NEVER), "rv_chan_send");
        bench_must(rv_chan_recv(t->pong, &ball, RV_NEVER), "rv_chan_recv");
        bench_require(ball == i, "the wrong ball came back");
    }
    bench_must(rv_scope_close(s), "rv_scope_close");
}

static int measure(void *arg)
{
    (void)arg;
    struct table t;
    bench_must(rv_chan_new(&t.ping, sizeof(long), capacity), "rv_chan_new");
    bench_must(rv_chan_new(&t.pong, sizeof(long), capacity), "rv_chan_new");
    bench_batches(run, &t, 1000000);
    rv_chan_free(t.ping);
    rv_chan_free(t.pong);
    return 0;
}

int main(int argc, char **argv)
{
    bench_begin("pingpong", "ravel", argc, argv);
    capacity = (size_t)bench_param("capacity", 1);
    struct rv_run_opts opts = {.size = sizeof opts, .workers = 1};
    bench_must(rv_run(measure, NULL, &opts), "rv_run");
}
