/* SPDX-License-Identifier: MIT */
/* test_map.c - one job on every element of an array. */
#include "exec/executor.h"

#include "tiers.h"

enum { MANY = 100 };

static void fill(int *in, size_t n)
{
    for (size_t i = 0; i < n; i++)
        in[i] = (int)i;
}

/* Ends the later ones of each pair first. */
static int double_unevenly(const int *in, int *out)
{
    for (int i = 0; i < (*in % 2 ? 0 : 20); i++)
        rv_yield();
    *out = 2 * *in;
    return 0;
}
RV_JOB(double_unevenly, int, int);

static int fail_if_thirteen(const int *in, int *out)
{
    *out = *in;
    rvi_fetch_add_relaxed(&runs, 1);
    return *in == 13 ? -EDOM : 0;
}
RV_JOB(fail_if_thirteen, int, int);

static void results_are_in_the_order_of_the_inputs(void)
{
    rv_executor *ex = open_wide(3, NULL);
    int in[MANY], out[MANY];

    fill(in, MANY);
    RV_CHECK(rv_map(ex, double_unevenly, in, MANY, out, NULL, RV_NEVER) == 0);
    for (int i = 0; i < MANY; i++)
        RV_CHECK(out[i] == 2 * i);
    RV_CHECK(stats_of(ex).ended == MANY);
    close_waiting(ex);
}

static void every_outcome_is_told(void)
{
    rv_executor *ex = open_wide(2, NULL);
    struct rv_outcome outcomes[MANY];
    int in[MANY], out[MANY];

    fill(in, MANY);
    memset(out, 0xff, sizeof(out));
    RV_CHECK(rv_map(ex, fail_if_thirteen, in, MANY, out, outcomes, RV_NEVER) == 0);
    for (int i = 0; i < MANY; i++) {
        RV_CHECK(outcomes[i].kind == (i == 13 ? RV_OUTCOME_ERROR : RV_OUTCOME_VALUE));
        RV_CHECK(out[i] == (i == 13 ? -1 : i));
    }
    RV_CHECK(outcomes[13].error == -EDOM);
    close_waiting(ex);
}

static void without_outcomes_the_first_failure_ends_it(void)
{
    rv_executor *ex = open_wide(2, NULL);
    int in[MANY], out[MANY];

    fill(in, MANY);
    RV_CHECK(rv_map(ex, fail_if_thirteen, in, MANY, out, NULL, RV_NEVER) == -EDOM);
    RV_CHECK(rvi_load_relaxed(&runs) < MANY);
    RV_CHECK(stats_of(ex).submitted == stats_of(ex).ended);
    close_waiting(ex);
}

static void a_map_of_nothing_is_done(void)
{
    rv_executor *ex = open_wide(1, NULL);

    RV_CHECK(rv_map(ex, add_one, (int *)NULL, 0, (int *)NULL, NULL, RV_NEVER) == 0);
    close_waiting(ex);
}

/* --- what is in flight --- */

static rv_executor *own;

static int count_in_flight(const int *in, int *out)
{
    struct rv_executor_stats stats = stats_of(own);
    int flying = (int)(stats.running + stats.waiting), most = rvi_load_relaxed(&most_inside);

    while (flying > most && !rvi_cas_relaxed(&most_inside, &most, flying))
        ;
    *out = *in;
    return 0;
}
RV_JOB(count_in_flight, int, int);

static void no_more_are_in_flight_than_width_and_backlog(void)
{
    const struct rv_executor_opts opts = {.size = sizeof(opts), .backlog = 3};
    int in[MANY], out[MANY];

    own = open_wide(2, &opts);
    fill(in, MANY);
    RV_CHECK(rv_map(own, count_in_flight, in, MANY, out, NULL, RV_NEVER) == 0);
    RV_CHECK(rvi_load_relaxed(&most_inside) <= 5);
    close_waiting(own);
}

/* The first waits for the last: it must not keep the others from their turns. */
static int first_waits_for_last(const int *in, int *out)
{
    if (*in == MANY - 1)
        open_gate();
    *out = *in;
    return *in == 0 ? wait_at_gate() : 0;
}
RV_JOB(first_waits_for_last, int, int);

static void a_slow_element_delays_no_other(void)
{
    const struct rv_executor_opts opts = {.size = sizeof(opts), .backlog = 1};
    rv_executor *ex = open_wide(2, &opts);
    int in[MANY], out[MANY];

    fill(in, MANY);
    RV_CHECK(rv_map(ex, first_waits_for_last, in, MANY, out, NULL, RV_NEVER) == 0);
    close_waiting(ex);
}

static void a_map_shares_the_executor(void)
{
    const struct rv_executor_opts opts = {.size = sizeof(opts), .backlog = 1};
    rv_executor *ex = open_wide(2, &opts);
    rv_future *f[2] = {submit(ex, pass_gate, &(int){1}), submit(ex, add_one, &(int){1})};
    int in[MANY], out[MANY];

    fill(in, MANY);
    RV_CHECK(rv_map(ex, add_one, in, MANY, out, NULL, RV_NEVER) == 0);
    open_gate();
    RV_CHECK(rv_wait(f, 2, RV_FIRST_ERROR, RV_NEVER) == 2);
    free_all(f, 2);
    close_waiting(ex);
}

/* --- when it cannot go on --- */

static void a_deadline_ends_it_and_leaves_nothing_behind(void)
{
    rv_executor *ex = open_wide(1, NULL);
    struct rv_outcome outcomes[MANY];
    int in[MANY], out[MANY];

    memset(in, 0, sizeof(in));
    RV_CHECK(rv_map(ex, stay_until_cancelled, in, MANY, out, outcomes,
                    rv_after(2 * RV_MILLISECOND)) == -ETIME);
    RV_CHECK(stats_of(ex).submitted == stats_of(ex).ended);
    for (int i = 0; i < MANY; i++)
        RV_CHECK(outcomes[i].kind == RV_OUTCOME_CANCELLED);
    RV_CHECK(rv_map(ex, stay_until_cancelled, in, MANY, out, NULL, rv_after(RV_MILLISECOND)) ==
             -ETIME);
    close_waiting(ex);
}

/* The first fails by itself, but only after the second has failed and so ended the map. */
static int fail_in_turn(const int *in, int *out)
{
    *out = 0;
    while (*in == 0 && rv_cancelled() == 0)
        rv_yield();
    return *in == 0 ? -EIO : -EDOM;
}
RV_JOB(fail_in_turn, int, int);

static void the_lowest_failure_counts_even_if_a_higher_one_came_first(void)
{
    rv_executor *ex = open_wide(2, NULL);
    int out[2];

    RV_CHECK(rv_map(ex, fail_in_turn, ((int[]){0, 1}), 2, out, NULL, RV_NEVER) == -EIO);
    RV_CHECK(rv_map(ex, fail_with, ((int[]){-EIO, -EDOM}), 2, out, NULL, RV_NEVER) == -EIO);
    close_waiting(ex);
}

static int stay_or_fail(const int *in, int *out)
{
    return *in == 0 ? stay_until_cancelled(in, out) : *in;
}
RV_JOB(stay_or_fail, int, int);

static void what_it_cancels_itself_is_no_failure(void)
{
    rv_executor *ex = open_wide(2, NULL);
    int out[2];

    RV_CHECK(rv_map(ex, stay_or_fail, ((int[]){0, -EDOM}), 2, out, NULL, RV_NEVER) == -EDOM);
    close_waiting(ex);
}

static int map_in_task(void *arg)
{
    rv_executor *ex = arg;
    struct rv_outcome outcomes[MANY];
    int in[MANY], out[MANY];

    memset(in, 0, sizeof(in));
    RV_CHECK(rv_map(ex, stay_until_cancelled, in, MANY, out, outcomes, RV_NEVER) == -ECANCELED);
    for (int i = 0; i < MANY; i++)
        RV_CHECK(outcomes[i].kind == RV_OUTCOME_CANCELLED);
    return 0;
}

static void a_cancelled_caller_leaves_nothing_behind(void)
{
    rv_executor *ex = open_wide(2, NULL);
    int err;

    RV_SCOPE(s, err) {
        RV_CHECK(rv_go(s, map_in_task, ex) == 0);
        until_inside(2);
        rv_scope_cancel(s, -ECANCELED);
    }
    RV_CHECK(err == -ECANCELED);
    RV_CHECK(stats_of(ex).submitted == stats_of(ex).ended);
    close_waiting(ex);
}

static int widen(const int *in, long *out)
{
    *out = *in;
    return 0;
}
RV_JOB(widen, int, long);

struct page {
    int of[1024];
};

static int copy_page(const struct page *in, struct page *out)
{
    *out = *in;
    return 0;
}
RV_JOB(copy_page, struct page, struct page);

/* Blocks of one size are kept for the next map, of another are not. */
static void maps_of_other_sizes_follow_each_other(void)
{
    rv_executor *ex = open_wide(2, NULL);
    static struct page pages[MANY], copies[MANY];
    int in[MANY], out[MANY];
    long wide[MANY];

    fill(in, MANY);
    for (int turn = 0; turn < 3; turn++) {
        RV_CHECK(rv_map(ex, add_one, in, MANY, out, NULL, RV_NEVER) == 0);
        RV_CHECK(rv_map(ex, widen, in, MANY, wide, NULL, RV_NEVER) == 0);
        pages[turn].of[turn] = turn + 1;
        RV_CHECK(rv_map(ex, copy_page, pages, MANY, copies, NULL, RV_NEVER) == 0);
        for (int i = 0; i < MANY; i++)
            RV_CHECK(out[i] == i + 1 && wide[i] == i);
        RV_CHECK(memcmp(pages, copies, sizeof(pages)) == 0);
    }
    close_waiting(ex);
}

/* Others have what room there is, so that elements go one by one, or not at all. */
static void a_map_without_room_waits_for_it(void)
{
    rv_executor *ex = open_wide(
        1, &(struct rv_executor_opts){.size = sizeof(struct rv_executor_opts), .backlog = 1});
    struct rv_outcome outcomes[3];
    rv_future *f[2];
    int in[3] = {1, 2, 3}, out[3] = {0};

    for (int i = 0; i < 2; i++)
        RV_CHECK(rv_submit(ex, &f[i], pass_gate, &i, RV_NEVER) == 0);
    RV_CHECK(rv_map(ex, add_one, in, 3, out, outcomes, rv_after(RV_MILLISECOND)) == -ETIME);
    for (int i = 0; i < 3; i++)
        RV_CHECK(outcomes[i].kind == RV_OUTCOME_CANCELLED && out[i] == 0);
    open_gate();
    RV_CHECK(rv_map(ex, add_one, in, 3, out, NULL, RV_NEVER) == 0);
    RV_CHECK(out[0] == 2 && out[2] == 4);
    free_all(f, 2);
    close_waiting(ex);
}

static void without_memory_nothing_runs(void)
{
    rv_executor *ex = open_wide(1, NULL);
    struct rv_outcome outcomes[3] = {{0}};
    int in[3] = {1, 2, 3}, out[3];

    for (long n = 1; n <= 2; n++) { /* the map's own memory; the first element's */
        rvi_alloc_fail_after(n);
        RV_CHECK(rv_map(ex, add_one, in, 3, out, outcomes, RV_NEVER) == -ENOMEM);
        RV_CHECK(!rvi_alloc_fail_pending());
        for (int i = 0; i < 3; i++)
            RV_CHECK(outcomes[i].kind == RV_OUTCOME_CANCELLED);
    }
    RV_CHECK(rvi_load_relaxed(&runs) == 0);
    close_waiting(ex);
}

static void other_ends_become_errors(void)
{
    const struct rv_executor_opts opts = {.size = sizeof(opts), .job_timeout = RV_MILLISECOND};
    rv_executor *ex = open_wide(1, &opts);
    int out;

    RV_CHECK(rv_map(ex, stay_until_cancelled, &(int){0}, 1, &out, NULL, RV_NEVER) == -ETIME);
    close_waiting(ex);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_TIER(results_are_in_the_order_of_the_inputs),
        ON_EVERY_TIER(every_outcome_is_told),
        ON_EVERY_TIER(without_outcomes_the_first_failure_ends_it),
        ON_EVERY_TIER(a_map_of_nothing_is_done),
        ON_EVERY_TIER_HERE(no_more_are_in_flight_than_width_and_backlog),
        ON_POOLS(a_slow_element_delays_no_other),
        ON_POOLS(a_map_shares_the_executor),
        ON_POOLS(a_deadline_ends_it_and_leaves_nothing_behind),
        ON_POOLS_HERE(the_lowest_failure_counts_even_if_a_higher_one_came_first),
        ON_POOLS(what_it_cancels_itself_is_no_failure),
        ON_TASKS(a_cancelled_caller_leaves_nothing_behind),
        ON_EVERY_TIER(maps_of_other_sizes_follow_each_other),
        ON_POOLS(a_map_without_room_waits_for_it),
        IN_LINE(without_memory_nothing_runs),
        ON_POOLS(other_ends_become_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
