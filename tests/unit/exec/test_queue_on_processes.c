/* SPDX-License-Identifier: MIT */
/* test_queue_on_processes.c - jobs of worker processes share a queue with their parent. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>
#include <ravel.h>

#include "base/check.h"
#include "task/queue_shared.h"

enum { ITEMS = 100, DEADLY = 13 };

struct work {
    struct rv_queue_ref ref;
    int dies_of; /* this item, before it is done; -1: of none */
};

struct report {
    int items;
    long sum;
    pid_t pid;
};

static int serve(const struct work *in, struct report *out)
{
    rv_queue *q;
    int item, r = rv_queue_attach(&q, in->ref);

    if (r < 0)
        return r;
    out->pid = getpid();
    while (r == 0 && (r = rv_queue_get(q, &item, RV_NEVER)) == 0) {
        if (item == in->dies_of)
            kill(getpid(), SIGKILL);
        out->items++;
        out->sum += item;
        r = rv_queue_done(q);
    }
    rv_queue_free(q);
    return r == -EPIPE ? 0 : r;
}
RV_JOB(serve, struct work, struct report);

static struct work work_on(rv_queue *q, int dies_of)
{
    struct work work = {.dies_of = dies_of};
    RV_CHECK(rv_queue_ref_of(q, &work.ref) == 0);
    return work;
}

static void put_all(rv_queue *q)
{
    for (int i = 0; i < ITEMS; i++)
        RV_CHECK(rv_queue_put(q, &i, RV_NEVER) == 0);
}

static rv_executor *open_two(rv_queue **ret)
{
    rv_executor *ex;
    int r = rv_executor_open(&ex, "processes:2", NULL);
    if (r == -EOPNOTSUPP || r == -EPERM)
        skip();
    assert_int_equal(r, 0);
    assert_int_equal(rv_queue_new_shared(ret, sizeof(int), 8), 0);
    return ex;
}

static void two_processes_share_the_work(void **state)
{
    (void)state;
    rv_queue *q;
    rv_executor *ex = open_two(&q);
    struct work work = work_on(q, -1);
    struct report reports[2];
    struct rv_outcome outcome;
    rv_future *futures[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(rv_submit(ex, &futures[i], serve, &work, RV_NEVER), 0);
    put_all(q);
    assert_int_equal(rv_queue_join(q, RV_NEVER), 0);
    rv_queue_close(q);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(rv_future_get(futures[i], &reports[i], &outcome, RV_NEVER), 0);
        assert_int_equal(outcome.kind, RV_OUTCOME_VALUE);
        assert_int_not_equal(reports[i].pid, getpid());
        rv_future_free(futures[i]);
    }
    assert_int_equal(reports[0].items + reports[1].items, ITEMS);
    assert_int_equal(reports[0].sum + reports[1].sum, ITEMS * (ITEMS - 1) / 2);
    rv_queue_free(q);
    assert_int_equal(rv_executor_close(ex, RV_CLOSE_WAIT, RV_NEVER), 0);
}

/* Nobody looks for the dead by himself here: the executor says so. */
static void what_a_killed_worker_had_is_done_by_the_other(void **state)
{
    (void)state;
    rv_queue *q;
    rv_executor *ex = open_two(&q);
    struct work deadly = work_on(q, DEADLY), work = work_on(q, -1);
    struct report report;
    struct rv_outcome outcome;
    rv_future *victim, *other;
    rv_time before = rvi_queue_look_ns;
    rvi_queue_look_ns = RV_NEVER / 2;
    assert_int_equal(rv_submit(ex, &victim, serve, &deadly, RV_NEVER), 0);
    for (int i = 0; i <= DEADLY; i++)
        assert_int_equal(rv_queue_put(q, &i, RV_NEVER), 0);
    assert_int_equal(rv_future_get(victim, &report, &outcome, RV_NEVER), 0);
    assert_int_equal(outcome.kind, RV_OUTCOME_SIGNAL);
    rv_future_free(victim);
    assert_int_equal(rv_submit(ex, &other, serve, &work, RV_NEVER), 0);
    assert_int_equal(rv_queue_join(q, RV_NEVER), 0);
    rv_queue_close(q);
    assert_int_equal(rv_future_get(other, &report, &outcome, RV_NEVER), 0);
    assert_int_equal(outcome.kind, RV_OUTCOME_VALUE);
    assert_int_equal(report.items, 1);
    assert_int_equal(report.sum, DEADLY);
    rv_future_free(other);
    rv_queue_free(q);
    assert_int_equal(rv_executor_close(ex, RV_CLOSE_WAIT, RV_NEVER), 0);
    rvi_queue_look_ns = before;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_processes_share_the_work),
        cmocka_unit_test(what_a_killed_worker_had_is_done_by_the_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
