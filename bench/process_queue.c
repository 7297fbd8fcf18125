/* SPDX-License-Identifier: MIT */
/* process_queue.c - one 8-byte item put into a shared queue by this process, got and said done by
 * a job in a worker process; a batch ends with a join. */
#include "bench.h"

#include <errno.h>
#include <ravel.h>

struct served {
    long items;
};

static int serve(const struct rv_queue_ref *in, struct served *out)
{
    rv_queue *q;
    long item;
    int r = rv_queue_attach(&q, *in);

    if (r < 0)
        return r;
    while (r == 0 && (r = rv_queue_get(q, &item, RV_NEVER)) == 0) {
        out->items++;
        r = rv_queue_done(q);
    }
    rv_queue_free(q);
    return r == -EPIPE ? 0 : r;
}
RV_JOB(serve, struct rv_queue_ref, struct served);

static void run(void *arg, long ops)
{
    for (long i = 0; i < ops; i++)
        bench_must(rv_queue_put(arg, &i, RV_NEVER), "rv_queue_put");
    bench_must(rv_queue_join(arg, RV_NEVER), "rv_queue_join");
}

int main(int argc, char **argv)
{
    bench_begin("process-queue", "ravel", argc, argv);
    struct rv_queue_ref ref;
    struct served served;
    struct rv_outcome outcome;
    rv_executor *ex;
    rv_future *f;
    rv_queue *q;
    bench_must(rv_executor_open(&ex, "processes:1", NULL), "rv_executor_open");
    bench_must(rv_queue_new_shared(&q, sizeof(long), (size_t)bench_param("capacity", 128)),
               "rv_queue_new_shared");
    bench_must(rv_queue_ref_of(q, &ref), "rv_queue_ref_of");
    bench_must(rv_submit(ex, &f, serve, &ref, RV_NEVER), "rv_submit");
    bench_batches(run, q, 200000);
    rv_queue_close(q);
    bench_must(rv_future_get(f, &served, &outcome, RV_NEVER), "rv_future_get");
    bench_require(outcome.kind == RV_OUTCOME_VALUE && served.items > 0, "the job has failed");
    rv_future_free(f);
    rv_queue_free(q);
    bench_must(rv_executor_close(ex, RV_CLOSE_WAIT, RV_NEVER), "rv_executor_close");
}
