/* SPDX-License-Identifier: MIT */
/* explore_foreground.c - a foreground that waits for its descriptor alone, under posters, callers
 * that give up, progress and cancellation: it comes to everything, since a lost wake-up would be a
 * descriptor that is never readable again. The foreground is a plain thread of the simulation, the
 * runtime behind it a second one. */
#include <errno.h>
#include <poll.h>

#include "explore.h"

enum { POSTS = 3, TASKS = 2 };

static struct {
    rv_fg *fg;
    int run, shown; /* the foreground's */
    _Atomic(int) accepted;
    _Atomic(int) tasks_ended;
} on;

static bool is_readable(void)
{
    struct pollfd in = {.fd = rv_fg_fd(on.fg), .events = POLLIN};

    return poll(&in, 1, 0) == 1;
}

static void run_one(void *arg)
{
    (void)arg;
    on.run++;
}

static int run_call(void *arg)
{
    run_one(arg);
    return on.run;
}

static void show(void *arg, const struct rv_fg_latest *latest)
{
    (void)arg;
    RV_CHECK((int)latest->done > on.shown);
    on.shown = (int)latest->done;
}

static int post_and_call(void *arg)
{
    int result = -1;

    (void)arg;
    for (int i = 0; i < POSTS; i++) {
        int r = i % 2 ? rv_fg_call(on.fg, run_call, NULL, &result, rv_after(3 * RV_MICROSECOND))
                      : rv_fg_post(on.fg, run_one, NULL, rv_after(3 * RV_MICROSECOND));
        RV_CHECK(r == 0 || r == -ETIME || r == -ECANCELED);
        if (r == 0)
            rvi_fetch_add_relaxed(&on.accepted, 1);
    }
    rvi_fetch_add_relaxed(&on.tasks_ended, 1);
    return 0;
}

static int report_progress(void *arg)
{
    (void)arg;
    for (int i = 1; i <= POSTS; i++)
        rv_fg_progress(on.fg, (uint64_t)i, POSTS, NULL);
    rvi_fetch_add_relaxed(&on.tasks_ended, 1);
    return 0;
}

/* Look, and otherwise sleep: never more than once without the descriptor saying so. */
static void loop_once(void)
{
    if (is_readable())
        RV_CHECK(rv_fg_dispatch(on.fg, 1) >= 0);
    else
        RV_CHECK(rv_sleep(RV_MICROSECOND) == 0);
}

static void open_fg(void)
{
    struct rv_run_opts run = {.size = sizeof run, .workers = 1};
    struct rv_fg_opts opts = {.size = sizeof opts, .run = &run, .capacity = 1, .progress = show};

    on.run = on.shown = 0;
    rvi_store_relaxed(&on.accepted, 0);
    rvi_store_relaxed(&on.tasks_ended, 0);
    RV_CHECK(rv_fg_open(&on.fg, &opts) == 0);
}

static int be_foreground(void *arg)
{
    (void)arg;
    open_fg();
    for (int i = 0; i < TASKS; i++)
        RV_CHECK(rv_fg_go(on.fg, post_and_call, NULL) > 0);
    RV_CHECK(rv_fg_go(on.fg, report_progress, NULL) > 0);
    while (rvi_load_relaxed(&on.tasks_ended) < TASKS + 1 || is_readable())
        loop_once();
    RV_CHECK(on.run == rvi_load_relaxed(&on.accepted) && on.shown == POSTS);
    return rv_fg_close(on.fg);
}

static int nothing_is_lost(void *arg)
{
    return rv_blocking(be_foreground, arg, NULL);
}

/* Somewhere on the way all is closed, or one is cancelled. */
static int be_impatient_foreground(void *arg)
{
    (void)arg;
    open_fg();
    int64_t first = rv_fg_go(on.fg, post_and_call, NULL);
    int64_t second = rv_fg_go(on.fg, post_and_call, NULL);
    RV_CHECK(first > 0 && second > 0);
    for (int i = 0; i < 3; i++)
        loop_once();
    int r = rv_fg_cancel(on.fg, first);
    RV_CHECK(r == 0 || r == -ESRCH);
    r = rv_fg_close(on.fg);
    RV_CHECK(rvi_load_relaxed(&on.tasks_ended) == 2 && on.run == rvi_load_relaxed(&on.accepted));
    return r;
}

static int closed_on_the_way(void *arg)
{
    return rv_blocking(be_impatient_foreground, arg, NULL);
}

EXPLORATION(nothing_is_lost)
EXPLORATION(closed_on_the_way)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EXPLORED(nothing_is_lost),
        EXPLORED(closed_on_the_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
