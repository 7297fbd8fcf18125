/* SPDX-License-Identifier: MIT */
/* test_memory.c - the engine in memory, which other tests rest upon, keeps the seam's promises, and
 * breaks those that it is told to. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <ravel/future.h>

#include "../../support/engine_memory.h"
#include "base/atomic.h"
#include "base/check.h"
#include "sys/clock.h"
#include "sys/thread.h"

/* What a client or a worker has heard last. */
struct ear {
    _Atomic(int) stored, ended, leased, stops, links;
    int stored_error, stop_why, link_error;
    struct rvi_engine_result result;
    char out[16], in[16];
    struct rvi_engine_lease *lease;
    unsigned attempt;
};

static void hear_stored(void *arg, const char *id, int error)
{
    struct ear *ear = arg;

    (void)id;
    ear->stored_error = error;
    (void)rvi_fetch_add_release(&ear->stored, 1); /* pairs: test-heard */
}

static void hear_ended(void *arg, const struct rvi_engine_result *result)
{
    struct ear *ear = arg;

    ear->result = *result;
    snprintf(ear->out, sizeof(ear->out), "%.*s", (int)result->out_bytes, (const char *)result->out);
    (void)rvi_fetch_add_release(&ear->ended, 1); /* pairs: test-heard */
}

static void hear_leased(void *arg, struct rvi_engine_lease *lease,
                        const struct rvi_engine_task *task)
{
    struct ear *ear = arg;

    ear->lease = lease;
    ear->attempt = task->attempt;
    snprintf(ear->in, sizeof(ear->in), "%.*s", (int)task->in_bytes, (const char *)task->in);
    (void)rvi_fetch_add_release(&ear->leased, 1); /* pairs: test-heard */
}

static void hear_stop(void *arg, const char *id, int why)
{
    struct ear *ear = arg;

    (void)id;
    ear->stop_why = why;
    (void)rvi_fetch_add_release(&ear->stops, 1); /* pairs: test-heard */
}

static void hear_link(void *arg, int error, const char *words)
{
    struct ear *ear = arg;

    (void)words;
    ear->link_error = error;
    (void)rvi_fetch_add_release(&ear->links, 1); /* pairs: test-heard */
}

static const struct rvi_engine_events events = {
    .stored = hear_stored,
    .ended = hear_ended,
    .leased = hear_leased,
    .stop = hear_stop,
    .link = hear_link,
};

static struct ear client_ear, worker_ear, other_ear;
static struct rvi_engine *client, *worker, *other;

static void until(_Atomic(int) *count, int least)
{
    rv_time deadline = rvi_clock_now() + 10 * RV_SECOND;

    while (rvi_load_acquire(count) < least) { /* pairs: test-heard */
        RV_CHECK(rvi_clock_now() < deadline);
        rvi_thread_yield();
    }
}

static struct rvi_engine *open_as(enum rvi_engine_role role, const char *build, struct ear *ear)
{
    struct rvi_engine_opts opts = {.role = role, .url = "memory://here", .pool = "p"};
    char words[RVI_ENGINE_WORDS];
    struct rvi_engine *e;

    *ear = (struct ear){0};
    snprintf(opts.build, sizeof(opts.build), "%s", build);
    assert_int_equal(rvi_engine_open(&e, &opts, &events, ear, words), 0);
    return e;
}

static int set_up(void **state)
{
    (void)state;
    memory_engine_reset();
    client = open_as(RVI_ENGINE_CLIENT, "one", &client_ear);
    worker = open_as(RVI_ENGINE_WORKER, "one", &worker_ear);
    other = open_as(RVI_ENGINE_WORKER, "two", &other_ear);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rvi_engine_close(client, RV_NEVER);
    rvi_engine_close(worker, RV_NEVER);
    rvi_engine_close(other, RV_NEVER);
    return 0;
}

static struct rvi_engine_task task_of(const char *in)
{
    struct rvi_engine_task task = {.job = "shout", .in = in, .in_bytes = strlen(in)};

    RV_CHECK(rvi_engine_make_id(task.id) == 0);
    return task;
}

static struct rvi_engine_task submit(const char *in)
{
    struct rvi_engine_task task = task_of(in);

    assert_int_equal(rvi_engine_submit(client, &task), 0);
    return task;
}

static void settle(struct ear *ear, const struct rvi_engine_task *task, const char *out)
{
    struct rvi_engine_result result = {.out = out, .out_bytes = strlen(out)};

    memcpy(result.id, task->id, sizeof(result.id));
    rvi_engine_settle(ear->lease, &result);
}

static void a_task_goes_to_a_worker_of_its_build_and_its_result_back(void **state)
{
    struct rvi_engine_task task = submit("hello");

    (void)state;
    rvi_engine_want(other, 1);
    rvi_engine_want(worker, 1);
    until(&worker_ear.leased, 1);
    assert_string_equal(worker_ear.in, "hello");
    assert_int_equal(worker_ear.attempt, 1);
    settle(&worker_ear, &task, "HELLO");
    until(&client_ear.ended, 1);
    assert_int_equal(client_ear.stored_error, 0);
    assert_string_equal(client_ear.out, "HELLO");
    assert_string_equal(client_ear.result.id, task.id);
    assert_int_equal(rvi_load_acquire(&other_ear.leased), 0); /* pairs: test-heard */
}

static void what_waits_is_deleted_and_what_runs_is_told_to_stop(void **state)
{
    struct rvi_engine_task task = submit("a");

    (void)state;
    rvi_engine_cancel(client, task.id, -ECANCELED);
    until(&client_ear.ended, 1);
    assert_int_equal(client_ear.result.kind, RV_OUTCOME_CANCELLED);
    task = submit("b");
    rvi_engine_want(worker, 1);
    until(&worker_ear.leased, 1);
    rvi_engine_cancel(client, task.id, -ECANCELED);
    until(&worker_ear.stops, 1);
    assert_int_equal(worker_ear.stop_why, -ECANCELED);
    settle(&worker_ear, &task, "");
    until(&client_ear.ended, 2);
}

static void a_lease_that_lapses_is_given_again_and_the_first_result_stays(void **state)
{
    memory_engine_break(&(struct memory_faults){.lease_ns = RV_MILLISECOND});
    struct rvi_engine_task task = submit("a");

    (void)state;
    rvi_engine_want(worker, 2);
    until(&worker_ear.leased, 1);
    memory_engine_break(&(struct memory_faults){0});
    until(&worker_ear.leased, 2);
    assert_int_equal(worker_ear.attempt, 2);
    settle(&worker_ear, &task, "A");
    until(&client_ear.ended, 1);
    assert_int_equal(memory_engine_count().lapsed, 1);
    assert_int_equal(memory_engine_count().held, 0);
}

static void what_is_handed_back_counts_as_an_attempt_if_it_has_begun(void **state)
{
    struct rvi_engine_task task = submit("a");

    (void)state;
    rvi_engine_want(worker, 3);
    until(&worker_ear.leased, 1);
    rvi_engine_hand_back(worker_ear.lease, false, 0);
    until(&worker_ear.leased, 2);
    assert_int_equal(worker_ear.attempt, 1);
    rvi_engine_hand_back(worker_ear.lease, true, RV_MILLISECOND);
    until(&worker_ear.leased, 3);
    assert_int_equal(worker_ear.attempt, 2);
    settle(&worker_ear, &task, "");
    until(&client_ear.ended, 1);
}

static void it_fails_when_it_is_told_to(void **state)
{
    struct rvi_engine_task task = task_of("a");

    (void)state;
    memory_engine_break(&(struct memory_faults){.submit = -ENOMEM, .submits = 1});
    assert_int_equal(rvi_engine_submit(client, &task), -ENOMEM);
    memory_engine_break(&(struct memory_faults){.store = -EAGAIN, .stores = 1});
    assert_int_equal(rvi_engine_submit(client, &task), 0);
    until(&client_ear.stored, 1);
    assert_int_equal(client_ear.stored_error, -EAGAIN);
    memory_engine_break(&(struct memory_faults){.doubled_results = 1});
    assert_int_equal(rvi_engine_submit(client, &task), 0);
    rvi_engine_cancel(client, task.id, -ECANCELED);
    until(&client_ear.ended, 2);
}

static void without_a_link_what_was_said_waits(void **state)
{
    (void)state;
    memory_engine_link(RVI_ENGINE_CLIENT, -ENOTCONN, "gone");
    until(&client_ear.links, 1);
    assert_int_equal(client_ear.link_error, -ENOTCONN);
    (void)submit("a");
    rvi_engine_want(worker, 1);
    assert_int_equal(memory_engine_count().stored, 0);
    memory_engine_link(RVI_ENGINE_CLIENT, 0, "");
    until(&worker_ear.leased, 1);
    until(&client_ear.links, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_task_goes_to_a_worker_of_its_build_and_its_result_back,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_waits_is_deleted_and_what_runs_is_told_to_stop, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            a_lease_that_lapses_is_given_again_and_the_first_result_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_handed_back_counts_as_an_attempt_if_it_has_begun,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_fails_when_it_is_told_to, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_link_what_was_said_waits, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
