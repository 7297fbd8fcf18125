/* SPDX-License-Identifier: MIT */
/* test_processes_service.c - what the service thread owes to workers and to those who wait: an
 * answer to each question, a look when there is something to look at. This program is its own
 * worker. */
#include "exec/executor.h"

#include "exec/processes.h"
#include "sys/call.h"
#include "sys/clock.h"
#include "tiers.h"

#define SOON rv_after(RV_MINUTE)

static struct rv_shm share(void)
{
    struct rv_shm shm;

    RV_CHECK(rv_shm_alloc(&shm, 1) == 0);
    return shm;
}

/* --- questions --- */

/* Asks once it is let. */
static int ask_when_let(const struct rv_shm *in, int *out)
{
    void *memory;

    rvi_fetch_add_relaxed(&inside, 1);
    wait_at_gate();
    *out = rv_shm_map(*in, &memory);
    return 0;
}
RV_JOB(ask_when_let, struct rv_shm, int);

/* That call of the service's, the next it makes there, fails once; the worker waits all the same
 * for no longer than until it succeeds. */
static void check_is_answered(enum rvi_call_site call)
{
    rv_executor *ex = open_wide(1, NULL);
    struct rv_shm shm = share();
    rv_future *f = submit(ex, ask_when_let, &shm);
    struct rv_outcome outcome;
    int mapped = 1;

    until_inside(1);
    rvi_call_fail_at(call);
    open_gate();
    RV_CHECK(rv_future_get(f, &mapped, &outcome, SOON) == 0);
    RV_CHECK(outcome.kind == RV_OUTCOME_VALUE && mapped == 0);
    RV_CHECK(RVI_DEBUG_CHECKS == 0 || !rvi_call_fail_pending());
    rvi_call_fail_after(-1, 0, false);
    f = rv_future_free(f);
    rv_shm_free(shm);
    close_waiting(ex);
}

static void regress_an_answer_that_could_not_be_sent_is_sent_again(void)
{
    check_is_answered(RVI_CALL_SEND);
}

static void regress_a_question_that_could_not_be_read_is_read_again(void)
{
    check_is_answered(RVI_CALL_RECV);
}

/* With no descriptor left for what is lent. */
static int ask_when_full(const struct rv_shm *in, int *out)
{
    static int taken[4096];
    struct rlimit limit = {sizeof(taken) / sizeof(taken[0]), sizeof(taken) / sizeof(taken[0])};
    void *memory;
    int count = 0;

    RV_CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    while ((taken[count] = dup(0)) >= 0)
        count++;
    *out = rv_shm_map(*in, &memory);
    while (count > 0)
        close(taken[--count]);
    return rv_shm_map(*in, &memory);
}
RV_JOB(ask_when_full, struct rv_shm, int);

static void regress_a_worker_without_descriptors_is_told_so_and_lives(void)
{
    rv_executor *ex = open_wide(1, NULL);
    struct rv_shm shm = share();
    rv_future *f = submit(ex, ask_when_full, &shm);

    RV_CHECK(value_of(f) == -EMFILE);
    f = rv_future_free(f);
    rv_shm_free(shm);
    close_waiting(ex);
}

/* --- questions of tasks in a worker --- */

enum { ASKED = 80 }; /* more than what one task may call without giving others a turn */

struct many {
    struct rv_shm shm[ASKED];
};

static int map_all(void *arg)
{
    const struct many *many = arg;
    void *memory;

    for (int i = 0; i < ASKED; i++)
        RV_CHECK(rv_shm_map(many->shm[i], &memory) == 0);
    return 0;
}

static int map_all_backwards(void *arg)
{
    const struct many *many = arg;
    void *memory;

    for (int i = ASKED; i-- > 0;)
        RV_CHECK(rv_shm_map(many->shm[i], &memory) == 0);
    return 0;
}

static int map_as_two_tasks(void *arg)
{
    int err;

    RV_SCOPE(scope, err) {
        RV_CHECK(rv_go(scope, map_all, arg) == 0);
        RV_CHECK(rv_go(scope, map_all_backwards, arg) == 0);
    }
    return err;
}

static int ask_in_tasks(const struct many *in, int *out)
{
    struct rv_run_opts opts = {.size = sizeof(opts), .workers = 1};

    *out = ASKED;
    return rv_run(map_as_two_tasks, (void *)(uintptr_t)in, &opts);
}
RV_JOB(ask_in_tasks, struct many, int);

static void regress_two_tasks_of_a_job_may_ask_at_a_time(void)
{
    rv_executor *ex = open_wide(1, NULL);
    struct rv_outcome outcome;
    struct many many;
    int asked;

    for (int i = 0; i < ASKED; i++)
        many.shm[i] = share();
    rv_future *f = submit(ex, ask_in_tasks, &many);
    RV_CHECK(rv_future_get(f, &asked, &outcome, SOON) == 0);
    RV_CHECK(outcome.kind == RV_OUTCOME_VALUE && asked == ASKED);
    f = rv_future_free(f);
    for (int i = 0; i < ASKED; i++)
        rv_shm_free(many.shm[i]);
    close_waiting(ex);
}

/* --- its sleep --- */

static int overstay(const int *in, int *out)
{
    (void)in, (void)out;
    for (;;)
        pause();
    return 0;
}
RV_JOB(overstay, int, int);

static rv_time looks_next(rv_executor *ex)
{
    bool biased = rvi_bias_lock(&ex->lock);
    rv_time when = ex->looked_until;

    rvi_bias_unlock(&ex->lock, biased);
    return when;
}

/* It sleeps until a time that is far away, for another job's sake. */
static void regress_a_limit_holds_while_a_job_waits_for_its_time(void)
{
    const struct rv_process_opts impatient = {
        .size = sizeof(impatient), .cancel_grace = RV_MILLISECOND, .term_grace = RV_MILLISECOND};
    const struct rv_executor_opts opts = {
        .size = sizeof(opts), .process = &impatient, .job_timeout = 5 * RV_MILLISECOND};
    const struct rv_submit_opts late = {.size = sizeof(late),
                                        .not_before = rv_after(1000 * RV_MINUTE)};
    rv_executor *ex = open_wide(1, &opts);
    struct rv_outcome outcome;
    rv_future *f[2];

    RV_CHECK(rv_submit_with(ex, &f[0], overstay, &(int){0}, &late, RV_NEVER) == 0);
    while (looks_next(ex) != late.not_before)
        rv_yield();
    f[1] = submit(ex, overstay, &(int){0});
    RV_CHECK(rv_future_get(f[1], NULL, &outcome, SOON) == 0);
    RV_CHECK(outcome.kind == RV_OUTCOME_TIMEOUT);
    rv_future_cancel(f[0]);
    free_all(f, 2);
    close_waiting(ex);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_PROCESSES(regress_an_answer_that_could_not_be_sent_is_sent_again),
        ON_PROCESSES(regress_a_question_that_could_not_be_read_is_read_again),
        ON_PROCESSES(regress_a_worker_without_descriptors_is_told_so_and_lives),
        ON_PROCESSES(regress_two_tasks_of_a_job_may_ask_at_a_time),
        ON_PROCESSES(regress_a_limit_holds_while_a_job_waits_for_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
