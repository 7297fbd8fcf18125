/* SPDX-License-Identifier: MIT */
/* test_supervisor.c - supervisors of tasks: each play has services a, b, c ... that act by a plan,
 * and is compared with the journal (journal.h) of what its supervisors report. */
#include <ravel/supervisor.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <ravel.h>

#include "../../support/every_point.h"
#include "base/alloc.h"
#include "base/check.h"
#include "journal.h"

enum { ACTORS = 4 };

#define SOON RV_MILLISECOND
#define LONG (1000 * RV_MINUTE)

/* What an actor does, a letter a life; the last one for good:
 *   s  stays until it is cancelled          e  fails, once it is let
 *   E  fails at once                        o  returns 7, once it is let
 *   O  returns 7 at once                    r  says that it is ready, and stays
 *   l  stays until it is let, cancelled or not */
struct actor {
    const char *plan;
    struct rv_event go;
    _Atomic(int) lives;
};

static struct {
    struct actor actors[ACTORS];
} on;

/* Late ones are let. */
static void let(const char *service)
{
    rv_event_set(&on.actors[service[0] - 'a'].go);
}

static void reset(void)
{
    memset(&journal, 0, sizeof journal);
    journal.on_late = let;
    memset(&on, 0, sizeof on);
    for (int i = 0; i < ACTORS; i++)
        on.actors[i].plan = "s";
}

static int stay(void)
{
    return rv_sleep_until(RV_NEVER);
}

static int stay_until_let(struct actor *actor)
{
    RV_CHECK(rv_shield_begin(rv_after(LONG)) == 0);
    RV_CHECK(rv_event_wait(&actor->go, RV_NEVER) == 0);
    rv_shield_end();
    return 0;
}

static int act(void *arg)
{
    struct actor *actor = arg;
    int life = rvi_fetch_add_relaxed(&actor->lives, 1), last = (int)strlen(actor->plan) - 1;
    char what = actor->plan[life < last ? life : last];

    if (what == 'e' || what == 'o') {
        int r = rv_event_wait(&actor->go, RV_NEVER);
        if (r < 0)
            return r;
    }
    switch (what) {
    case 'e':
    case 'E':
        return -EIO;
    case 'o':
    case 'O':
        return 7;
    case 'l':
        return stay_until_let(actor);
    case 'r':
        RV_CHECK(rv_service_ready() == 0);
        break;
    }
    return stay();
}

static struct rv_service service(int i)
{
    static const char *const names[ACTORS] = {"a", "b", "c", "d"};

    return (struct rv_service){.size = sizeof(struct rv_service),
                               .name = names[i],
                               .run = act,
                               .arg = &on.actors[i],
                               .stop_time = LONG};
}

/* Three of them, and what looks after them. */
struct cast {
    struct rv_service services[ACTORS];
    struct rv_supervisor_opts opts;
};

static void set_up(struct cast *cast)
{
    reset();
    for (int i = 0; i < ACTORS; i++)
        cast->services[i] = service(i);
    cast->opts = (struct rv_supervisor_opts){
        .size = sizeof cast->opts,
        .name = "top",
        .services = cast->services,
        .count = 3,
        .intensity = 5,
        .period = LONG,
        .report = note,
    };
}

static rv_supervisor *start(rv_scope *scope, const struct cast *cast)
{
    rv_supervisor *sup;
    RV_CHECK(rv_supervisor_start(&sup, scope, &cast->opts, RV_NEVER) == 0);
    return sup;
}

static int in_run(rv_fn *play, void *arg, unsigned workers)
{
    struct rv_run_opts opts = {.size = sizeof opts, .workers = workers};
    return rv_run(play, arg, &opts);
}

static void perform(rv_fn *play, void *arg)
{
    long before = rvi_alloc_live();
    for (unsigned workers = 1; workers <= 2; workers++) {
        RV_CHECK(in_run(play, arg, workers) == 0);
        RV_CHECK(rvi_alloc_live() == before);
    }
}

/* --- who is started again --- */

static const struct restart_case {
    enum rv_strategy strategy;
    enum rv_restart restart;
    const char *plan; /* b's */
    const char *journal, *rest;
    enum rv_restart of_a;
} restart_cases[] = {
    {RV_ONE_FOR_ONE, RV_RESTART_PERMANENT, "es", "+a+b+c!b+b", "-c-b-a", 0},
    {RV_ONE_FOR_ONE, RV_RESTART_PERMANENT, "os", "+a+b+c!b+b", "-c-b-a", 0},
    {RV_ONE_FOR_ONE, RV_RESTART_TRANSIENT, "es", "+a+b+c!b+b", "-c-b-a", 0},
    {RV_ONE_FOR_ONE, RV_RESTART_TRANSIENT, "os", "+a+b+c!b", "-c-a", 0},
    {RV_ONE_FOR_ONE, RV_RESTART_TEMPORARY, "es", "+a+b+c!b", "-c-a", 0},
    {RV_ONE_FOR_ONE, RV_RESTART_TEMPORARY, "os", "+a+b+c!b", "-c-a", 0},
    {RV_ONE_FOR_ALL, RV_RESTART_PERMANENT, "es", "+a+b+c!b-c-a+a+b+c", "-c-b-a", 0},
    {RV_ONE_FOR_ALL, RV_RESTART_PERMANENT, "os", "+a+b+c!b-c-a+a+b+c", "-c-b-a", 0},
    {RV_ONE_FOR_ALL, RV_RESTART_TRANSIENT, "es", "+a+b+c!b-c-a+a+b+c", "-c-b-a", 0},
    {RV_ONE_FOR_ALL, RV_RESTART_TRANSIENT, "os", "+a+b+c!b", "-c-a", 0},
    {RV_ONE_FOR_ALL, RV_RESTART_TEMPORARY, "es", "+a+b+c!b", "-c-a", 0},
    {RV_ONE_FOR_ALL, RV_RESTART_TEMPORARY, "os", "+a+b+c!b", "-c-a", 0},
    {RV_REST_FOR_ONE, RV_RESTART_PERMANENT, "es", "+a+b+c!b-c+b+c", "-c-b-a", 0},
    {RV_REST_FOR_ONE, RV_RESTART_PERMANENT, "os", "+a+b+c!b-c+b+c", "-c-b-a", 0},
    {RV_REST_FOR_ONE, RV_RESTART_TRANSIENT, "es", "+a+b+c!b-c+b+c", "-c-b-a", 0},
    {RV_REST_FOR_ONE, RV_RESTART_TRANSIENT, "os", "+a+b+c!b", "-c-a", 0},
    {RV_REST_FOR_ONE, RV_RESTART_TEMPORARY, "es", "+a+b+c!b", "-c-a", 0},
    {RV_REST_FOR_ONE, RV_RESTART_TEMPORARY, "os", "+a+b+c!b", "-c-a", 0},
    {RV_ONE_FOR_ALL, RV_RESTART_PERMANENT, "es", "+a+b+c!b-c-a+b+c", "-c-b", RV_RESTART_TEMPORARY},
    {RV_ONE_FOR_ONE, RV_RESTART_PERMANENT, "EEs", "+a+b+c!b+b!b+b", "-c-b-a", 0},
};

static int play_restart(void *arg)
{
    const struct restart_case *one = arg;
    struct cast cast;
    char whole[JOURNAL_MOST];
    int err;

    set_up(&cast);
    cast.opts.strategy = one->strategy;
    on.actors[1].plan = one->plan;
    for (int i = 0; i < ACTORS; i++)
        cast.services[i].restart = i == 0 && one->of_a ? one->of_a : one->restart;
    RV_SCOPE(scope, err) {
        rv_supervisor *sup = start(scope, &cast);
        rv_event_set(&on.actors[1].go);
        await_journal(one->journal);
        RV_CHECK(rv_supervisor_close(sup) == 0);
    }
    snprintf(whole, sizeof whole, "%s%s", one->journal, one->rest);
    expect_journal(whole);
    return err;
}

static void each_strategy_and_kind_starts_again_who_it_should(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof restart_cases / sizeof restart_cases[0]; i++)
        perform(play_restart, (void *)(uintptr_t)&restart_cases[i]);
}

/* --- too often --- */

static int play_too_often(void *arg)
{
    struct cast cast;
    struct rv_service_end end;
    int err;

    (void)arg;
    set_up(&cast);
    cast.opts.intensity = 2;
    on.actors[1].plan = "e";
    RV_SCOPE(scope, err) {
        rv_supervisor *sup = start(scope, &cast);
        rv_event_set(&on.actors[1].go);
        RV_CHECK(rv_shield_begin(rv_after(LONG)) == 0); /* the scope fails with it */
        RV_CHECK(rv_supervisor_wait(sup, &end, RV_NEVER) == 0);
        rv_shield_end();
        RV_CHECK(end.error == -ENOTRECOVERABLE);
        RV_CHECK(strstr(end.text, "'b' returned -EIO (Input/output error)"));
        RV_CHECK(rv_supervisor_close(sup) == -ENOTRECOVERABLE);
    }
    expect_journal("+a+b+c!b+b!b+b!bX-c-a");
    return err == -ENOTRECOVERABLE ? 0 : -EBADMSG;
}

static void too_many_restarts_end_the_supervisor_and_fail_its_scope(void **state)
{
    (void)state;
    perform(play_too_often, NULL);
}

/* The supervisor below gives up at once; the one above starts it again. */
static int play_tree(void *arg)
{
    struct cast cast, below;
    struct rv_service_stats stats = {.size = sizeof stats};
    int err;

    (void)arg;
    set_up(&below);
    set_up(&cast);
    below.opts.services = &below.services[2];
    below.opts.count = 2;
    below.opts.intensity = -1;
    below.opts.report = NULL;
    below.opts.name = "lower";
    on.actors[3].plan = "es";
    cast.opts.count = 2;
    cast.services[1] = (struct rv_service){
        .size = sizeof cast.services[1], .name = "b", .supervisor = &below.opts};
    RV_SCOPE(scope, err) {
        rv_supervisor *sup = start(scope, &cast);
        RV_CHECK(rv_service_stats_read(sup, "b/d", &stats) == 0 && stats.starts == 1);
        RV_CHECK(stats.state == RV_SERVICE_RUNNING);
        RV_CHECK(rv_service_stats_read(sup, "b/x", &stats) == -ENOENT);
        RV_CHECK(rv_service_stats_read(sup, "a/d", &stats) == -ENOENT);
        rv_event_set(&on.actors[3].go);
        await_journal("+a+c+d+b!dX-c!b+c+d+b");
        RV_CHECK(rv_service_stats_read(sup, "b/d", &stats) == 0 && stats.starts == 2);
        RV_CHECK(stats.end.error == -EIO);
        RV_CHECK(rv_service_stats_read(sup, "b", &stats) == 0 && stats.starts == 2);
        RV_CHECK(stats.end.error == -ENOTRECOVERABLE);
        RV_CHECK(rv_supervisor_close(sup) == 0);
    }
    expect_journal("+a+c+d+b!dX-c!b+c+d+b-d-c-b-a");
    return err;
}

static void a_supervisor_that_gives_up_is_judged_by_the_one_above(void **state)
{
    (void)state;
    perform(play_tree, NULL);
}

/* --- starting --- */

static const struct start_case {
    const char *plan;
    enum rv_restart restart;
    rv_time start_time;
    int error;
    const char *journal;
} start_cases[] = {
    {"r", RV_RESTART_PERMANENT, LONG, 0, "+a+b+c-c-b-a"},
    {"s", RV_RESTART_PERMANENT, SOON, -ETIME, "+a!b-a"},
    {"E", RV_RESTART_PERMANENT, LONG, -EIO, "+a!b-a"},
    {"E", RV_RESTART_TEMPORARY, LONG, -EIO, "+a!b-a"},
    {"O", RV_RESTART_PERMANENT, LONG, -EPIPE, "+a!b-a"},
    {"O", RV_RESTART_TRANSIENT, LONG, 0, "+a+b+c!b-c-a"},
};

static int play_start(void *arg)
{
    const struct start_case *one = arg;
    struct cast cast;
    rv_supervisor *sup = NULL;
    int err;

    set_up(&cast);
    on.actors[1].plan = one->plan;
    cast.services[1].restart = one->restart;
    cast.services[1].start_time = one->start_time;
    RV_SCOPE(scope, err) {
        int r = rv_supervisor_start(&sup, scope, &cast.opts, RV_NEVER);
        RV_CHECK(r == one->error);
        if (one->plan[0] == 'O' && r == 0)
            await_journal("+a+b+c!b");
        RV_CHECK(rv_supervisor_close(sup) == 0);
    }
    expect_journal(one->journal);
    return err;
}

static void a_start_waits_until_each_is_ready_and_is_undone_when_one_fails(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof start_cases / sizeof start_cases[0]; i++)
        perform(play_start, (void *)(uintptr_t)&start_cases[i]);
}

static int play_start_deadline(void *arg)
{
    struct cast cast;
    rv_supervisor *sup;
    int err;

    (void)arg;
    set_up(&cast);
    cast.services[0].start_time = LONG;
    RV_SCOPE(scope, err) {
        RV_CHECK(rv_supervisor_start(&sup, scope, &cast.opts, rv_after(SOON)) == -ETIME);
    }
    expect_journal("-a");
    return err;
}

static void a_start_that_takes_too_long_is_undone(void **state)
{
    (void)state;
    perform(play_start_deadline, NULL);
}

/* Its task has not begun when its starter gives up. */
static int play_start_too_late(void *arg)
{
    struct cast cast;
    rv_supervisor *sup;
    int err;

    (void)arg;
    set_up(&cast);
    RV_SCOPE(scope, err) {
        RV_CHECK(rv_supervisor_start(&sup, scope, &cast.opts, rv_now()) == -ETIME);
    }
    return err;
}

static void regress_a_start_that_is_too_late_already_is_undone(void **state)
{
    (void)state;
    perform(play_start_too_late, NULL);
}

/* --- stopping --- */

static int play_late(void *arg)
{
    struct cast cast;
    int err;

    (void)arg;
    set_up(&cast);
    on.actors[1].plan = "l";
    cast.services[1].stop_time = SOON;
    RV_SCOPE(scope, err) {
        rv_supervisor *sup = start(scope, &cast);
        RV_CHECK(rv_supervisor_stop(sup, 0) == -ETIME);
        RV_CHECK(rv_supervisor_stop(sup, RV_NEVER) == 0);
        RV_CHECK(rv_supervisor_close(sup) == 0);
    }
    expect_journal("+a+b+c-c~b-b-a");
    return err;
}

static void who_does_not_stop_in_time_is_reported_and_waited_for(void **state)
{
    (void)state;
    perform(play_late, NULL);
}

static int play_stop_while_waiting(void *arg)
{
    struct cast cast;
    struct rv_service_stats stats = {.size = sizeof stats};
    int err;

    (void)arg;
    set_up(&cast);
    on.actors[1].plan = "e";
    cast.opts.strategy = RV_REST_FOR_ONE;
    cast.opts.backoff = LONG;
    cast.opts.backoff_most = LONG;
    RV_SCOPE(scope, err) {
        rv_supervisor *sup = start(scope, &cast);
        rv_event_set(&on.actors[1].go);
        await_journal("+a+b+c!b-c");
        do {
            rv_yield();
            RV_CHECK(rv_service_stats_read(sup, "c", &stats) == 0);
        } while (stats.state != RV_SERVICE_WAITING);
        RV_CHECK(rv_supervisor_close(sup) == 0);
    }
    expect_journal("+a+b+c!b-c-a");
    return err;
}

static void it_stops_while_services_wait_to_be_started_again(void **state)
{
    (void)state;
    perform(play_stop_while_waiting, NULL);
}

static int play_cancelled(void *arg)
{
    struct cast cast;
    struct rv_service_end end;
    rv_supervisor *sup = NULL;
    int err;

    (void)arg;
    set_up(&cast);
    RV_SCOPE(scope, err) {
        sup = start(scope, &cast);
        rv_scope_cancel(scope, -EINTR);
    }
    expect_journal("+a+b+c-c-b-a");
    RV_CHECK(err == -EINTR);
    RV_CHECK(rv_supervisor_wait(sup, &end, 0) == 0 && end.error == -ECANCELED);
    RV_CHECK(rv_supervisor_close(sup) == -ECANCELED);
    return 0;
}

static void a_cancelled_scope_stops_the_services_in_order(void **state)
{
    (void)state;
    perform(play_cancelled, NULL);
}

static int play_all_end(void *arg)
{
    struct cast cast;
    struct rv_service_end end;
    struct rv_service_stats stats = {.size = sizeof stats};
    int err;

    (void)arg;
    set_up(&cast);
    cast.opts.count = 1;
    cast.services[0].restart = RV_RESTART_TRANSIENT;
    on.actors[0].plan = "O";
    RV_SCOPE(scope, err) {
        rv_supervisor *sup = start(scope, &cast);
        RV_CHECK(rv_supervisor_wait(sup, &end, RV_NEVER) == 0 && end.error == 0);
        RV_CHECK(rv_service_stats_read(sup, "a", &stats) == 0);
        RV_CHECK(stats.state == RV_SERVICE_ENDED && strcmp(stats.end.text, "returned 7") == 0);
        RV_CHECK(rv_supervisor_close(sup) == 0);
    }
    expect_journal("+a!a");
    return err;
}

static void it_ends_when_nobody_is_left(void **state)
{
    (void)state;
    perform(play_all_end, NULL);
}

/* --- what a service is given --- */

static int write_to_argument(void *arg)
{
    int *number = arg;

    RV_CHECK(*number == 5 && (uintptr_t)arg % _Alignof(max_align_t) == 0);
    *number = 6;
    return -EIO;
}

static int play_argument(void *arg)
{
    struct cast cast;
    struct rv_service_end end;
    int err, number = 5;

    (void)arg;
    set_up(&cast);
    cast.opts.count = 1;
    cast.services[0].run = write_to_argument;
    cast.services[0].arg = &number;
    cast.services[0].arg_bytes = sizeof number;
    RV_SCOPE(scope, err) {
        rv_supervisor *sup = start(scope, &cast);
        number = 1;
        RV_CHECK(rv_shield_begin(rv_after(LONG)) == 0);
        RV_CHECK(rv_supervisor_wait(sup, &end, RV_NEVER) == 0);
        rv_shield_end();
        rv_supervisor_close(sup);
    }
    RV_CHECK(number == 1);
    return err == -ENOTRECOVERABLE ? 0 : -EBADMSG;
}

static void each_start_gets_the_argument_as_it_was(void **state)
{
    (void)state;
    perform(play_argument, NULL);
}

/* --- options --- */

static int refuse(void *arg)
{
    struct cast cast;
    rv_supervisor *sup;
    int err;

    (void)arg;
    assert_int_equal(rv_service_ready(), -EPERM);
    RV_SCOPE(scope, err) {
#define REFUSED(error, change)                                                                     \
    do {                                                                                           \
        set_up(&cast);                                                                             \
        change;                                                                                    \
        RV_CHECK(rv_supervisor_start(&sup, scope, &cast.opts, RV_NEVER) == (error));               \
        RV_CHECK(journal.count == 0);                                                              \
    } while (0)
        REFUSED(-EINVAL, cast.opts.count = 0);
        REFUSED(-EINVAL, cast.opts.strategy = 3);
        REFUSED(-EINVAL, cast.opts.intensity = -2);
        REFUSED(-EINVAL, cast.opts.backoff = -1);
        REFUSED(-EINVAL, cast.services[1].name = NULL);
        REFUSED(-EINVAL, cast.services[1].name = "");
        REFUSED(-EINVAL, cast.services[1].name = "x/y");
        REFUSED(-EEXIST, cast.services[1].name = "a");
        REFUSED(-EINVAL, cast.services[1].run = NULL);
        REFUSED(-EINVAL, cast.services[1].supervisor = &cast.opts);
        REFUSED(-EINVAL, cast.services[1].restart = 3);
        REFUSED(-EINVAL, cast.services[1].stop_time = -1);
        REFUSED(-EINVAL, cast.services[1].start_time = -1);
#undef REFUSED
    }
    struct rv_scope_opts limited = {.size = sizeof limited, .limit = 1};
    rv_scope *scope;
    RV_CHECK(rv_scope_open(&scope, &limited) == 0);
    set_up(&cast);
    RV_CHECK(rv_supervisor_start(&sup, scope, &cast.opts, RV_NEVER) == -EINVAL);
    RV_CHECK(rv_scope_close(scope) == 0);
    return err;
}

static void what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    perform(refuse, NULL);
}

/* --- from a thread that is no task --- */

static int use_on_thread(void *arg)
{
    struct cast *cast = *(void **)arg;
    rv_scope *scope = ((void **)arg)[1];
    rv_supervisor *sup = start(scope, cast);

    return rv_supervisor_close(sup);
}

static int play_thread(void *arg)
{
    struct cast cast;
    int err, r = -1;

    (void)arg;
    set_up(&cast);
    RV_SCOPE(scope, err) {
        void *both[] = {&cast, scope};
        r = rv_blocking(use_on_thread, both, NULL);
    }
    expect_journal("+a+b+c-c-b-a");
    return r < 0 ? r : err;
}

static void a_plain_thread_may_start_and_close_it(void **state)
{
    (void)state;
    perform(play_thread, NULL);
}

/* --- at every point --- */

static int scene(void *arg)
{
    struct cast cast, below;
    rv_supervisor *sup;
    int err, r = 0;

    (void)arg;
    set_up(&below);
    set_up(&cast);
    below.opts.services = &below.services[2];
    below.opts.count = 1;
    cast.opts.strategy = RV_ONE_FOR_ALL;
    cast.opts.count = 2;
    cast.services[1] = (struct rv_service){
        .size = sizeof cast.services[1], .name = "b", .supervisor = &below.opts};
    cast.services[0].start_time = LONG;
    on.actors[0].plan = "r";
    on.actors[2].plan = "es";
    below.opts.intensity = -1;
    RV_SCOPE(scope, err) {
        r = rv_supervisor_start(&sup, scope, &cast.opts, RV_NEVER);
        if (r == 0) {
            rv_event_set(&on.actors[2].go);
            r = rv_sleep(RV_MICROSECOND);
            int closed = rv_supervisor_close(sup);
            r = r < 0 ? r : closed;
        }
    }
    return r < 0 ? r : err;
}

static void it_may_be_cancelled_at_every_point(void **state)
{
    (void)state;
    cancel_at_every_point(scene, 1);
    cancel_at_every_point(scene, 2);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    fail_every_allocation(scene, 1);
    fail_every_allocation(scene, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_strategy_and_kind_starts_again_who_it_should),
        cmocka_unit_test(too_many_restarts_end_the_supervisor_and_fail_its_scope),
        cmocka_unit_test(a_supervisor_that_gives_up_is_judged_by_the_one_above),
        cmocka_unit_test(a_start_waits_until_each_is_ready_and_is_undone_when_one_fails),
        cmocka_unit_test(a_start_that_takes_too_long_is_undone),
        cmocka_unit_test(regress_a_start_that_is_too_late_already_is_undone),
        cmocka_unit_test(who_does_not_stop_in_time_is_reported_and_waited_for),
        cmocka_unit_test(it_stops_while_services_wait_to_be_started_again),
        cmocka_unit_test(a_cancelled_scope_stops_the_services_in_order),
        cmocka_unit_test(it_ends_when_nobody_is_left),
        cmocka_unit_test(each_start_gets_the_argument_as_it_was),
        cmocka_unit_test(what_makes_no_sense_is_refused),
        cmocka_unit_test(a_plain_thread_may_start_and_close_it),
        cmocka_unit_test(it_may_be_cancelled_at_every_point),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
