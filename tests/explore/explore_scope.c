/* SPDX-License-Identifier: MIT */
/* explore_scope.c - scopes whose tasks are started, stolen, cancelled, moved and ended everywhere
 * at once: each task is accounted for once, and a cancellation reaches everybody. */
#include "explore.h"

static struct {
    _Atomic(int) begun, ended;
    rv_scope *shared;
} on;

static void begin(void)
{
    rvi_store_relaxed(&on.begun, 0);
    rvi_store_relaxed(&on.ended, 0);
}

static int come_and_go(void *arg)
{
    (void)arg;
    rvi_fetch_add_relaxed(&on.begun, 1);
    rv_yield();
    rvi_fetch_add_relaxed(&on.ended, 1);
    return 0;
}

static int sleep_long(void *arg)
{
    (void)arg;
    rvi_fetch_add_relaxed(&on.begun, 1);
    int r = rv_sleep(RV_SECOND);
    rvi_fetch_add_relaxed(&on.ended, 1);
    return r;
}

static int break_down(void *arg)
{
    (void)arg;
    return -EDOM;
}

static void check_all_ended(void)
{
    RV_CHECK(rvi_load_relaxed(&on.begun) == rvi_load_relaxed(&on.ended));
}

/* Whoever is in a scope may start more in it, from any worker. */
static int start_more(void *arg)
{
    for (int i = 0; i < 2; i++)
        go(arg, come_and_go, NULL);
    return 0;
}

static int start_from_everywhere(void *arg)
{
    struct rv_scope_stats stats = {.size = sizeof(stats)};
    int err;

    (void)arg;
    begin();
    RV_SCOPE(s, err) {
        for (int i = 0; i < 3; i++)
            go(s, start_more, s);
        rv_yield();
        RV_CHECK(rv_scope_stats_read(s, &stats) == 0);
        RV_CHECK(stats.succeeded <= stats.started && stats.started <= 9);
    }
    check_all_ended();
    RV_CHECK(rvi_load_relaxed(&on.ended) == 6);
    return err;
}

static int start_sleepers(void *arg)
{
    for (int i = 0; i < 2; i++)
        try_go(arg, sleep_long, NULL);
    return 0;
}

static int cancel_what_was_started_everywhere(void *arg)
{
    int err;

    (void)arg;
    begin();
    RV_SCOPE(s, err) {
        for (int i = 0; i < 3; i++)
            try_go(s, start_sleepers, s);
        rv_yield();
        rv_scope_cancel(s, -EDOM);
    }
    check_all_ended();
    return err == -EDOM ? 0 : -EPROTO;
}

static int first_failure_ends_all(void *arg)
{
    int err;

    (void)arg;
    begin();
    RV_SCOPE(s, err) {
        go(s, sleep_long, NULL);
        go(s, sleep_long, NULL);
        try_go(s, break_down, NULL);
    }
    check_all_ended();
    return err == -EDOM ? 0 : -EPROTO;
}

static int first_success_ends_all(void *arg)
{
    int err;

    (void)arg;
    begin();
    RV_SCOPE(s, err, .policy = RV_FIRST_SUCCESS) {
        go(s, sleep_long, NULL);
        go(s, sleep_long, NULL);
        try_go(s, come_and_go, NULL);
    }
    check_all_ended();
    return err;
}

/* Three deep, everybody waits in the innermost scope. */
static int nest(void *arg)
{
    int depth = *(const int *)arg, inner = depth - 1, err = 0;

    if (depth == 0)
        return sleep_long(NULL);
    RV_SCOPE(s, err) {
        try_go(s, nest, &inner);
        try_go(s, nest, &inner);
    }
    return err;
}

static int cancel_a_tree(void *arg)
{
    int depth = 2, err;

    (void)arg;
    begin();
    RV_SCOPE(s, err) {
        try_go(s, nest, &depth);
        rv_yield();
        rv_scope_cancel(s, -EDOM);
    }
    check_all_ended();
    return err == -EDOM ? 0 : -EPROTO;
}

static int cancel_shared(void *arg)
{
    (void)arg;
    rv_scope_cancel(on.shared, -EDOM);
    return 0;
}

static int cancel_from_elsewhere(void *arg)
{
    int depth = 1, err;

    (void)arg;
    begin();
    RV_SCOPE(s, err) {
        on.shared = s;
        go(s, cancel_shared, NULL);
        try_go(s, nest, &depth);
        try_go(s, cancel_shared, NULL);
        try_go(s, sleep_long, NULL);
    }
    check_all_ended();
    return err == -EDOM ? 0 : -EPROTO;
}

static int time_out(void *arg)
{
    int depth = 1, err;

    (void)arg;
    begin();
    RV_SCOPE(s, err, .deadline = rv_after(20 * RV_MICROSECOND)) {
        try_go(s, nest, &depth);
        try_go(s, sleep_long, NULL);
    }
    check_all_ended();
    return err == -ETIME ? 0 : -EPROTO;
}

static int move_about(void *arg)
{
    (void)arg;
    rvi_fetch_add_relaxed(&on.begun, 1);
    for (unsigned i = 0; i < 3; i++) {
        unsigned to = i % rv_run_workers();
        int r = rv_migrate(to);
        if (r == 0)
            RV_CHECK(rv_task_worker() == (int)to);
        else
            RV_CHECK(r == -ECANCELED);
    }
    int r = rv_sleep(5 * RV_MICROSECOND);
    rvi_fetch_add_relaxed(&on.ended, 1);
    return r;
}

static int cancel_while_they_move(void *arg)
{
    int err;

    (void)arg;
    begin();
    RV_SCOPE(s, err) {
        for (int i = 0; i < 3; i++)
            go(s, move_about, NULL);
        rv_yield();
        rv_scope_cancel(s, -EDOM);
    }
    check_all_ended();
    return err == -EDOM ? 0 : -EPROTO;
}

static int keep_a_limit(void *arg)
{
    int err;

    (void)arg;
    begin();
    RV_SCOPE(s, err, .limit = 2) {
        for (int i = 0; i < 5; i++) {
            go(s, come_and_go, NULL);
            RV_CHECK(i + 1 - rvi_load_relaxed(&on.ended) <= 2 + 1);
        }
    }
    RV_CHECK(rvi_load_relaxed(&on.ended) == 5);
    return err;
}

/* --- shields --- */

static int shielded_cleanup(void *arg)
{
    (void)arg;
    int r = rv_sleep(RV_SECOND);
    RV_CHECK(rv_shield_begin(rv_after(RV_MILLISECOND)) == 0);
    int inside = rv_sleep(RV_MICROSECOND);
    rv_shield_end();
    RV_CHECK(inside == 0);
    return r;
}

/* Two of them, in a scope that is cancelled at some moment. */
static int cancel_two(rv_fn *fn)
{
    int err;

    RV_SCOPE(s, err) {
        go(s, fn, NULL);
        go(s, fn, NULL);
        RV_CHECK(rv_sleep(20 * RV_MICROSECOND) == 0);
        rv_scope_cancel(s, -EDOM);
    }
    return err == -EDOM ? 0 : -EPROTO;
}

static int clean_up_under_a_shield(void *arg)
{
    (void)arg;
    return cancel_two(shielded_cleanup);
}

static int sleep_a_moment(void *arg)
{
    (void)arg;
    return rv_sleep(20 * RV_MICROSECOND);
}

/* Whenever the scope outside is cancelled: nothing behind the shield hears of it. */
static int clean_up(void *arg)
{
    int err, timed_err;

    (void)arg;
    RV_CHECK(rv_shield_begin(rv_after(RV_MINUTE)) == 0);
    RV_SCOPE(inside, err) {
        go(inside, sleep_a_moment, NULL);
        RV_CHECK(rv_shield_begin(rv_after(5 * RV_MICROSECOND)) == 0);
        RV_CHECK(sleep_a_moment(NULL) == 0);
        RV_SCOPE(timed, timed_err, .deadline = rv_after(20 * RV_MICROSECOND)) {
            go(timed, sleep_for_ever, NULL);
            RV_CHECK(rv_sleep_until(RV_NEVER) == -ECANCELED);
        }
        RV_CHECK(timed_err == -ETIME);
        rv_shield_end();
        go(inside, sleep_a_moment, NULL);
    }
    RV_CHECK(err == 0);
    rv_shield_end();
    return rv_sleep(0);
}

static int clean_up_behind_shields(void *arg)
{
    (void)arg;
    return cancel_two(clean_up);
}

/* Had a scope been forgotten at the end of the shield, its task would sleep for ever. */
static int outlive_a_shield(void *arg)
{
    rv_scope *inside;

    (void)arg;
    RV_CHECK(rv_shield_begin(rv_after(RV_MINUTE)) == 0);
    RV_CHECK(rv_scope_open(&inside, NULL) == 0);
    go(inside, sleep_for_ever, NULL);
    RV_CHECK(sleep_a_moment(NULL) == 0);
    rv_shield_end();
    return rv_scope_close(inside);
}

static int outlive_shields(void *arg)
{
    (void)arg;
    return cancel_two(outlive_a_shield);
}

EXPLORATION(start_from_everywhere)
EXPLORATION(cancel_what_was_started_everywhere)
EXPLORATION(first_failure_ends_all)
EXPLORATION(first_success_ends_all)
EXPLORATION(cancel_a_tree)
EXPLORATION(cancel_from_elsewhere)
EXPLORATION(time_out)
EXPLORATION(cancel_while_they_move)
EXPLORATION(keep_a_limit)
EXPLORATION(clean_up_under_a_shield)
EXPLORATION(clean_up_behind_shields)
EXPLORATION(outlive_shields)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EXPLORED(start_from_everywhere),
        EXPLORED(cancel_what_was_started_everywhere),
        EXPLORED(first_failure_ends_all),
        EXPLORED(first_success_ends_all),
        EXPLORED(cancel_a_tree),
        EXPLORED(cancel_from_elsewhere),
        EXPLORED(time_out),
        EXPLORED(cancel_while_they_move),
        EXPLORED(keep_a_limit),
        EXPLORED(clean_up_under_a_shield),
        EXPLORED(clean_up_behind_shields),
        EXPLORED(outlive_shields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
