/* SPDX-License-Identifier: MIT */
/* test_processes_stop.c - who is hit when a job is to stop: that job, and nobody else. What a
 * worker may do between two looks of the service is brought about by holding the executor's lock
 * meanwhile. This program is its own worker. */
#include "exec/executor.h"

#include "exec/processes.h"
#include "sys/clock.h"
#include "tiers.h"

static struct rvi_entry *entry_of(const rv_future *f)
{
    return f->context;
}

static rv_executor *open_one(const struct rv_process_opts *process)
{
    const struct rv_executor_opts opts = {.size = sizeof(opts), .process = process};

    return open_wide(1, &opts);
}

static void check_outcome(rv_future *f, enum rv_outcome_kind kind)
{
    struct rv_outcome outcome;

    RV_CHECK(rv_future_get(f, NULL, &outcome, rv_after(RV_MINUTE)) == 0);
    RV_CHECK(outcome.kind == kind && outcome.deaths == 0);
}

/* With the lock, f[0] at the gate, and f[1] behind it in the same worker: f[0] ends, which nobody
 * takes in, and f[1] begins. */
static void let_the_next_begin(rv_future *f[2])
{
    const struct rvi_entry *next = entry_of(f[1]);

    open_gate();
    while (!rvi_ring_has_begun(&next->member->ring, next->index))
        usleep(50);
    RV_CHECK(f[0]->state == RVI_FUTURE_RUNNING);
}

static void submit_two(rv_executor *ex, rv_future *f[2])
{
    f[0] = submit(ex, pass_gate, &(int){1});
    f[1] = submit(ex, stay_until_cancelled, &(int){0});
    until_inside(1);
}

static void regress_a_stop_that_comes_too_late_does_not_hide_another(void)
{
    rv_executor *ex = open_one(NULL);
    rv_future *f[2];

    submit_two(ex, f);
    bool biased = rvi_bias_lock(&ex->lock);
    let_the_next_begin(f);
    rvi_backlog_stop(f[1], -ECANCELED);
    rvi_backlog_stop(f[0], -ECANCELED);
    rvi_bias_unlock(&ex->lock, biased);
    check_outcome(f[0], RV_OUTCOME_VALUE);
    check_outcome(f[1], RV_OUTCOME_CANCELLED);
    free_all(f, 2);
    close_waiting(ex);
}

static void until_told_to_stop(rv_executor *ex, const rv_future *f)
{
    bool is_told = false;

    while (!is_told) {
        bool biased = rvi_bias_lock(&ex->lock);
        const struct rvi_member *member = entry_of(f)->member;
        is_told = member->stopping && member->steps > 0;
        rvi_bias_unlock(&ex->lock, biased);
        rv_yield();
    }
}

static void regress_a_signal_does_not_hit_the_next_job(void)
{
    const struct rv_process_opts patient = {.size = sizeof(patient), .cancel_grace = RV_MINUTE};
    rv_executor *ex = open_one(&patient);
    rv_future *f[2];

    submit_two(ex, f);
    rv_future_cancel(f[0]);
    until_told_to_stop(ex, f[0]);
    bool biased = rvi_bias_lock(&ex->lock);
    let_the_next_begin(f);
    entry_of(f[0])->member->step_due = 0;
    (void)rvi_processes_step(rvi_processes_of(ex), rvi_clock_now());
    rvi_bias_unlock(&ex->lock, biased);
    check_outcome(f[0], RV_OUTCOME_VALUE);
    rv_future_cancel(f[1]);
    check_outcome(f[1], RV_OUTCOME_CANCELLED);
    RV_CHECK(stats_of(ex).deaths == 0);
    free_all(f, 2);
    close_waiting(ex);
}

/* --- a member that is to leave for its memory, and gets a signal for its job --- */

static volatile sig_atomic_t has_signal;

static void note_signal(int signal)
{
    (void)signal;
    has_signal = 1;
}

static int stay_until_signal(const int *in, int *out)
{
    (void)in;
    signal(SIGTERM, note_signal);
    rvi_fetch_add_relaxed(&inside, 1);
    while (!has_signal)
        usleep(50);
    *out = getpid();
    return 0;
}
RV_JOB(stay_until_signal, int, int);

static int tell_process(const int *in, int *out)
{
    (void)in;
    *out = getpid();
    return 0;
}
RV_JOB(tell_process, int, int);

static void until_fat(rv_executor *ex, const rv_future *f)
{
    bool is_fat = false;

    while (!is_fat) {
        bool biased = rvi_bias_lock(&ex->lock);
        is_fat = entry_of(f)->member->is_fat;
        /* And slim, when it is weighed once more. */
        rvi_processes_of(ex)->opts.recycle_bytes = is_fat ? UINT64_MAX : 1;
        rvi_bias_unlock(&ex->lock, biased);
        rv_yield();
    }
}

static void regress_one_that_got_a_signal_gets_no_more_jobs(void)
{
    const struct rv_process_opts process = {
        .size = sizeof(process), .recycle_bytes = UINT64_MAX, .cancel_grace = RV_MILLISECOND};
    rv_executor *ex = open_one(&process);
    rv_future *f[2] = {submit(ex, stay_until_signal, &(int){0})};

    until_inside(1);
    until_fat(ex, f[0]);
    rv_future_cancel(f[0]);
    check_outcome(f[0], RV_OUTCOME_VALUE);
    f[1] = submit(ex, tell_process, &(int){0});
    RV_CHECK(value_of(f[1]) != value_of(f[0]));
    free_all(f, 2);
    close_waiting(ex);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_PROCESSES(regress_a_stop_that_comes_too_late_does_not_hide_another),
        ON_PROCESSES(regress_a_signal_does_not_hit_the_next_job),
        ON_PROCESSES(regress_one_that_got_a_signal_gets_no_more_jobs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
