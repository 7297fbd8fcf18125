/* SPDX-License-Identifier: MIT */
/* test_tier_cluster_life.c - the tier from opening to closing: an engine that is away or sends us
 * away, nobody who works for us, and a cut anywhere. The engine is one in memory. */
#include "../../support/every_point.h"

#include "cluster_in_memory.h"
#include "exec/tier_cluster.h"

/* --- the link --- */

static void while_the_engine_is_away_jobs_wait_here(void)
{
    needs_hand(1);
    rv_executor *ex = OPEN(0);
    rv_future *f[20];

    memory_engine_link(RVI_ENGINE_CLIENT, -ENOTCONN, "the cable was pulled");
    while (stats_of(ex).away_ns == 0)
        rv_yield();
    for (int i = 0; i < 20; i++)
        f[i] = submit(ex, add_one, &i);
    RV_CHECK(stats_of(ex).waiting == 20);
    rv_future_cancel(f[19]);
    RV_CHECK(kind_of(f[19]) == RV_OUTCOME_CANCELLED);
    memory_engine_link(RVI_ENGINE_CLIENT, 0, "");
    for (int i = 0; i < 19; i++)
        RV_CHECK(value_of(f[i]) == i + 1);
    RV_CHECK(stats_of(ex).away_ns == 0);
    free_all(f, 20);
    close_waiting(ex);
}

static void regress_nobody_looks_around_while_the_engine_is_away(void)
{
    rv_executor *ex = OPEN(.worker_wait = RV_NEVER);
    struct rvi_cluster *pool = rvi_cluster_of(ex);
    rv_future *f = submit(ex, add_one, &(int){1});

    memory_engine_until(is_one_stored);
    memory_engine_link(RVI_ENGINE_CLIENT, -ENOTCONN, "");
    while (stats_of(ex).away_ns == 0)
        rv_yield();
    uint32_t kicks = rvi_load_relaxed(&pool->kicks);
    usleep(10000);
    RV_CHECK(rvi_load_relaxed(&pool->kicks) <= kicks + 1); /* the link's own */
    memory_engine_link(RVI_ENGINE_CLIENT, 0, "");
    needs_hand(1);
    RV_CHECK(value_of(f) == 2);
    f = rv_future_free(f);
    close_waiting(ex);
}

static void results_come_when_the_engine_is_back(void)
{
    needs_hand(1);
    rv_executor *ex = OPEN(0);
    rv_future *f = submit(ex, pass_gate, &(int){3});

    until_inside(1);
    memory_engine_link(RVI_ENGINE_CLIENT, -ENOTCONN, "");
    open_gate();
    RV_CHECK(rv_future_wait(f, rv_after(5 * RV_MILLISECOND)) == -ETIME);
    memory_engine_link(RVI_ENGINE_CLIENT, 0, "");
    RV_CHECK(value_of(f) == 3);
    f = rv_future_free(f);
    close_waiting(ex);
}

static void an_engine_that_is_away_for_too_long_is_given_up(void)
{
    rv_executor *ex = OPEN(.window = 1, .link_wait = 10 * RV_MILLISECOND);
    rv_future *f[3] = {submit(ex, add_one, &(int){1}), submit(ex, add_one, &(int){2})};

    memory_engine_until(is_one_stored);
    memory_engine_link(RVI_ENGINE_CLIENT, -ENOTCONN, "the cable was pulled");
    RV_CHECK(kind_of(f[0]) == RV_OUTCOME_LOST);
    RV_CHECK(outcome_of(f[1]).error == -ENOTCONN);
    expect_words(f[0], "cable");
    f[2] = submit(ex, add_one, &(int){3});
    RV_CHECK(outcome_of(f[2]).error == -ENOTCONN);
    free_all(f, 3);
    close_waiting(ex);
}

static void an_engine_that_sends_us_away_ends_everything(void)
{
    rv_executor *ex = OPEN(.window = 1);
    rv_future *f[3] = {submit(ex, add_one, &(int){1}), submit(ex, add_one, &(int){2})};

    memory_engine_until(is_one_stored);
    memory_engine_link(RVI_ENGINE_CLIENT, -EACCES, "your key was revoked");
    RV_CHECK(kind_of(f[0]) == RV_OUTCOME_LOST);
    expect_words(f[0], "revoked");
    RV_CHECK(outcome_of(f[1]).error == -EACCES);
    while (rv_submit(ex, &f[2], add_one, &(int){3}, RV_NEVER) == 0) {
        RV_CHECK(outcome_of(f[2]).error == -EACCES);
        f[2] = rv_future_free(f[2]);
    }
    RV_CHECK(rv_submit(ex, &f[2], add_one, &(int){3}, RV_NEVER) == -EACCES);
    free_all(f, 2);
    close_waiting(ex);
}

static void closing_does_not_wait_for_an_engine_that_is_away(void)
{
    rv_executor *ex = OPEN(.cancel_wait = 10 * RV_MILLISECOND);
    rv_future *f = submit(ex, add_one, &(int){1});

    memory_engine_until(is_one_stored);
    memory_engine_link(RVI_ENGINE_CLIENT, -ENOTCONN, "");
    RV_CHECK(rv_executor_close(ex, RV_CLOSE_CANCEL, RV_NEVER) == 0); /* it was not cancelled */
    RV_CHECK(kind_of(f) == RV_OUTCOME_LOST);
    f = rv_future_free(f);
}

/* --- nobody works for us --- */

#define SHORT_WAIT .worker_wait = 40 * RV_MILLISECOND

static bool is_none_waiting(const struct memory_counts *counts)
{
    return counts->waiting == 0;
}

static void where_nobody_works_jobs_end_in_words(void)
{
    rv_executor *ex = OPEN(SHORT_WAIT);
    rv_future *f = submit(ex, add_one, &(int){1});

    RV_CHECK(outcome_of(f).kind == RV_OUTCOME_ERROR && outcome_of(f).error == -EHOSTDOWN);
    expect_words(f, "ravel worker");
    f = rv_future_free(f);
    memory_engine_until(is_none_waiting); /* nobody does it for nothing */
    needs_hand(1);
    f = submit(ex, add_one, &(int){1});
    RV_CHECK(value_of(f) == 2);
    f = rv_future_free(f);
    close_waiting(ex);
}

static void where_only_others_work_jobs_end_in_words(void)
{
    memory_engine_add_member(URL, POOL, "0123456789abcdef0123456789abcdef");
    rv_executor *ex = OPEN(SHORT_WAIT);
    rv_future *f = submit(ex, add_one, &(int){1});

    RV_CHECK(outcome_of(f).kind == RV_OUTCOME_ERROR && outcome_of(f).error == -ESTALE);
    expect_words(f, "01234567");
    f = rv_future_free(f);
    close_waiting(ex);
}

static void a_worker_that_is_busy_is_there(void)
{
    needs_hand(1);
    rv_executor *ex = OPEN(SHORT_WAIT);
    rv_future *f[2] = {submit(ex, pass_gate, &(int){1}), submit(ex, add_one, &(int){1})};

    RV_CHECK(rv_future_wait(f[1], rv_after(100 * RV_MILLISECOND)) == -ETIME);
    open_gate();
    RV_CHECK(value_of(f[1]) == 2);
    free_all(f, 2);
    close_waiting(ex);
}

static void when_nobody_can_be_asked_jobs_wait(void)
{
    BREAK(.survey = -ETIME);
    rv_executor *ex = OPEN(SHORT_WAIT);
    rv_future *f = submit(ex, add_one, &(int){1});

    RV_CHECK(rv_future_wait(f, rv_after(100 * RV_MILLISECOND)) == -ETIME);
    BREAK(0);
    RV_CHECK(outcome_of(f).error == -EHOSTDOWN);
    f = rv_future_free(f);
    close_waiting(ex);
}

/* --- opening --- */

static int try_open(const char *spec, struct rv_cluster_opts cluster)
{
    struct rv_executor_opts opts = {.size = sizeof(opts), .cluster = &cluster};
    rv_executor *ex = NULL;

    cluster.size = sizeof(cluster);
    cluster.words = words;
    cluster.words_bytes = sizeof(words);
    words[0] = '\0';
    int r = rv_executor_open(&ex, spec, &opts);
    RV_CHECK((r == 0) == (ex != NULL));
    if (ex)
        close_waiting(ex);
    return r;
}

static void why_opening_fails_is_told_in_words(void)
{
    const struct rv_cluster_opts usual = {0};

    BREAK(.open = -ECONNREFUSED, .open_words = "nobody listens there");
    RV_CHECK(try_open(SPEC, usual) == -ECONNREFUSED);
    RV_CHECK(strcmp(words, "nobody listens there") == 0);
    BREAK(0);
    RV_CHECK(try_open("cluster:pigeon://roof/pool", usual) == -EPROTONOSUPPORT);
    RV_CHECK(strstr(words, "pigeon://roof"));
    RV_CHECK(try_open("cluster:memory://here/a.b", usual) == -EINVAL);
    RV_CHECK(strstr(words, "a.b"));
    RV_CHECK(try_open("cluster:", usual) == -EINVAL);
    RV_CHECK(strstr(words, "no cluster is named"));
    RV_CHECK(try_open(SPEC, (struct rv_cluster_opts){.window = 65537}) == -EINVAL);
    RV_CHECK(try_open(SPEC, (struct rv_cluster_opts){.link_wait = -1}) == -EINVAL);
    RV_CHECK(try_open(SPEC, usual) == 0);
}

static void the_environment_names_a_cluster(void)
{
    rv_executor *ex;

    RV_CHECK(unsetenv("RAVEL_CLUSTER") == 0);
    RV_CHECK(rv_executor_open(&ex, "cluster", NULL) == -EINVAL);
    RV_CHECK(setenv("RAVEL_CLUSTER", URL "/" POOL, 1) == 0);
    RV_CHECK(rv_executor_open(&ex, "cluster", NULL) == 0);
    RV_CHECK(strcmp(rv_executor_choice(ex), SPEC) == 0);
    close_waiting(ex);
    RV_CHECK(rv_executor_open(&ex, "auto", NULL) == 0);
    RV_CHECK(strcmp(rv_executor_choice(ex), SPEC " (auto: RAVEL_CLUSTER)") == 0);
    close_waiting(ex);
    RV_CHECK(setenv("RAVEL_CLUSTER", "", 1) == 0);
    RV_CHECK(rv_executor_open(&ex, "auto", NULL) == 0);
    RV_CHECK(strncmp(rv_executor_choice(ex), "cluster", 7) != 0);
    close_waiting(ex);
    RV_CHECK(unsetenv("RAVEL_CLUSTER") == 0);
}

static int open_in_simulation(void *arg)
{
    rv_executor *ex;

    (void)arg;
    return rv_executor_open(&ex, SPEC, NULL);
}

static void a_simulation_has_no_cluster(void)
{
    RV_CHECK(rv_sim_run(open_in_simulation, NULL, NULL) == -EOPNOTSUPP);
}

static void a_forked_process_may_end(void)
{
    needs_hand(1);
    rv_executor *ex = OPEN(0);
    pid_t pid = fork();
    int status;

    if (pid == 0)
        _exit(7);
    RV_CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 7);
    rv_future *f = submit(ex, add_one, &(int){1});
    RV_CHECK(value_of(f) == 2);
    f = rv_future_free(f);
    close_waiting(ex);
}

/* --- closing --- */

static void closing_waits_for_everything(void)
{
    needs_hand(2);
    rv_executor *ex = OPEN(.window = 4);
    rv_future *f[20];

    for (int i = 0; i < 20; i++)
        f[i] = submit(ex, add_one, &i);
    close_waiting(ex);
    for (int i = 0; i < 20; i++)
        RV_CHECK(value_of(f[i]) == i + 1);
    free_all(f, 20);
}

static void closing_can_cancel(void)
{
    needs_hand(1);
    rv_executor *ex = OPEN(.window = 2);
    rv_future *f[5] = {submit(ex, stay_until_cancelled, &(int){0})};

    for (int i = 1; i < 5; i++)
        f[i] = submit(ex, add_one, &i);
    until_inside(1);
    RV_CHECK(rv_executor_close(ex, RV_CLOSE_CANCEL, RV_NEVER) == -ECANCELED);
    for (int i = 0; i < 5; i++) /* the second may have begun when the first had stopped */
        RV_CHECK(kind_of(f[i]) == RV_OUTCOME_CANCELLED || (i == 1 && value_of(f[i]) == 2));
    free_all(f, 5);
}

static void a_deadline_turns_waiting_into_cancelling(void)
{
    needs_hand(1);
    rv_executor *ex = OPEN(0);
    rv_future *f = submit(ex, stay_until_cancelled, &(int){0});

    until_inside(1);
    RV_CHECK(rv_executor_close(ex, RV_CLOSE_WAIT, rv_after(RV_MILLISECOND)) == -ETIME);
    RV_CHECK(kind_of(f) == RV_OUTCOME_CANCELLED);
    f = rv_future_free(f);
}

/* --- wherever it is cut --- */

static int use_it(void *arg)
{
    struct rv_cluster_opts cluster = {.size = sizeof(cluster), .window = 2};
    struct rv_executor_opts opts = {.size = sizeof(opts), .cluster = &cluster};
    rv_executor *ex;
    rv_future *f[4] = {0};
    struct rv_outcome outcome;
    int value, out[8], in[8] = {0};

    (void)arg;
    int r = rv_executor_open(&ex, SPEC, &opts);
    if (r < 0)
        return r;
    for (int i = 0; r == 0 && i < 4; i++)
        r = rv_submit(ex, &f[i], add_one, &i, RV_NEVER);
    for (int i = 0; r == 0 && i < 4; i++)
        r = rv_future_get(f[i], &value, &outcome, RV_NEVER);
    free_all(f, 4);
    if (r == 0)
        r = rv_map(ex, add_one, in, 8, out, NULL, RV_NEVER);
    int closed = rv_executor_close(ex, RV_CLOSE_WAIT, RV_NEVER);
    return r < 0 ? r : closed;
}

static void it_can_be_cancelled_at_every_point(void)
{
    needs_hand(2);
    cancel_at_every_point(use_it, 1);
}

static void every_allocation_may_fail(void)
{
    needs_hand(2);
    fail_every_allocation(use_it, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HERE(while_the_engine_is_away_jobs_wait_here),
        HERE(regress_nobody_looks_around_while_the_engine_is_away),
        HERE(results_come_when_the_engine_is_back),
        BOTH(an_engine_that_is_away_for_too_long_is_given_up),
        HERE(an_engine_that_sends_us_away_ends_everything),
        HERE(closing_does_not_wait_for_an_engine_that_is_away),
        BOTH(where_nobody_works_jobs_end_in_words),
        HERE(where_only_others_work_jobs_end_in_words),
        HERE(a_worker_that_is_busy_is_there),
        HERE(when_nobody_can_be_asked_jobs_wait),
        BOTH(why_opening_fails_is_told_in_words),
        HERE(the_environment_names_a_cluster),
        HERE(a_simulation_has_no_cluster),
        HERE(a_forked_process_may_end),
        BOTH(closing_waits_for_everything),
        BOTH(closing_can_cancel),
        BOTH(a_deadline_turns_waiting_into_cancelling),
        HERE(it_can_be_cancelled_at_every_point),
        HERE(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
