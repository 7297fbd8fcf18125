/* SPDX-License-Identifier: MIT */
/* explore_supervisor.c - supervisors in virtual time: intensity and period to the letter, and
 * services that fail while they are stopped, by hand and by their scope. */
#include <errno.h>
#include <string.h>

#include "explore.h"

enum { SERVICES = 3, SLOW_LIVES = 8 };

#define LIFE (10 * RV_MILLISECOND)

static struct {
    int lives;                    /* of the one that fails by the clock */
    _Atomic(int) alive[SERVICES]; /* never two of one service */
    _Atomic(int) started, ended;  /* lives */
    struct rv_service services[SERVICES];
    struct rv_supervisor_opts opts;
} on;

/* --- too often, or not --- */

static int live_for_a_while(void *arg)
{
    (void)arg;
    on.lives++;
    int r = rv_sleep(LIFE);
    return r < 0 ? r : on.lives == SLOW_LIVES ? 0 : -EIO;
}

/* Returns how the supervisor has ended. */
static int watch_failures(int intensity, rv_time period)
{
    struct rv_service service = {.size = sizeof service,
                                 .name = "moody",
                                 .run = live_for_a_while,
                                 .restart = RV_RESTART_TRANSIENT};
    struct rv_supervisor_opts opts = {.size = sizeof opts,
                                      .services = &service,
                                      .count = 1,
                                      .intensity = intensity,
                                      .period = period};
    int result = 1, err;

    on.lives = 0;
    RV_SCOPE(scope, err) {
        rv_supervisor *sup;
        RV_CHECK(rv_supervisor_start(&sup, scope, &opts, RV_NEVER) == 0);
        RV_CHECK(rv_shield_begin(rv_after(RV_MINUTE)) == 0);
        RV_CHECK(rv_supervisor_wait(sup, NULL, RV_NEVER) == 0);
        rv_shield_end();
        result = rv_supervisor_close(sup);
    }
    RV_CHECK(err == result);
    return result;
}

/* The restarts are LIFE apart: three within a period that is longer than two lives, two else. */
static int counts_of_the_period(void *arg)
{
    (void)arg;
    RV_CHECK(watch_failures(2, 5 * LIFE / 2) == -ENOTRECOVERABLE && on.lives == 3);
    RV_CHECK(watch_failures(2, 3 * LIFE / 2) == 0 && on.lives == SLOW_LIVES);
    RV_CHECK(watch_failures(1, LIFE / 2) == 0 && on.lives == SLOW_LIVES);
    RV_CHECK(watch_failures(1, 3 * LIFE / 2) == -ENOTRECOVERABLE && on.lives == 2);
    RV_CHECK(watch_failures(-1, LIFE) == -ENOTRECOVERABLE && on.lives == 1);
    return 0;
}

/* --- failing while others are stopped --- */

static int be_moody(void *arg)
{
    size_t i = (size_t)(uintptr_t)arg;
    int life = rvi_fetch_add_relaxed(&on.started, 1), r;

    RV_CHECK(rvi_fetch_add_relaxed(&on.alive[i], 1) == 0);
    rv_yield();
    r = (size_t)life % (SERVICES + 1) == i ? -EIO : rv_sleep((life % 5 + 1) * RV_MICROSECOND);
    RV_CHECK(rvi_fetch_sub_relaxed(&on.alive[i], 1) == 1);
    rvi_fetch_add_relaxed(&on.ended, 1);
    return r;
}

static void set_up(enum rv_strategy strategy)
{
    static const char *const names[SERVICES] = {"a", "b", "c"};

    memset(&on, 0, sizeof on);
    for (size_t i = 0; i < SERVICES; i++)
        on.services[i] = (struct rv_service){.size = sizeof on.services[i],
                                             .name = names[i],
                                             .run = be_moody,
                                             .arg = (void *)(uintptr_t)i,
                                             .restart = i == 1 ? RV_RESTART_TRANSIENT : 0};
    on.opts = (struct rv_supervisor_opts){.size = sizeof on.opts,
                                          .services = on.services,
                                          .count = SERVICES,
                                          .strategy = strategy,
                                          .intensity = 20,
                                          .backoff = strategy == RV_REST_FOR_ONE ? 1 : 0};
}

/* A lower one besides, which is c. */
static int stop_amid_failures(enum rv_strategy strategy, bool cancels)
{
    struct rv_supervisor_opts below;
    rv_supervisor *sup = NULL;
    int err, r = 0;

    set_up(strategy);
    below = on.opts;
    below.count = 1;
    below.services = &on.services[2];
    struct rv_service services[SERVICES] = {
        on.services[0],
        on.services[1],
        {.size = sizeof *services, .name = "c", .supervisor = &below}};
    on.opts.services = services;
    RV_SCOPE(scope, err) {
        r = rv_supervisor_start(&sup, scope, &on.opts, RV_NEVER);
        if (r == 0)
            (void)!rv_sleep(30 * RV_MICROSECOND);
        if (r == 0 && cancels)
            rv_scope_cancel(scope, -EINTR);
        else if (r == 0)
            r = rv_supervisor_close(sup);
    }
    if (cancels && sup)
        r = rv_supervisor_close(sup);
    RV_CHECK(r == 0 || r == -ENOTRECOVERABLE || (cancels && r == -ECANCELED));
    RV_CHECK(err == 0 || err == -ENOTRECOVERABLE || (cancels && err == -EINTR));
    RV_CHECK(rvi_load_relaxed(&on.started) == rvi_load_relaxed(&on.ended));
    return 0;
}

static int stopped_one_for_one(void *arg)
{
    (void)arg;
    return stop_amid_failures(RV_ONE_FOR_ONE, false);
}

static int stopped_one_for_all(void *arg)
{
    (void)arg;
    return stop_amid_failures(RV_ONE_FOR_ALL, false);
}

static int cancelled_rest_for_one(void *arg)
{
    (void)arg;
    return stop_amid_failures(RV_REST_FOR_ONE, true);
}

static int cancelled_one_for_one(void *arg)
{
    (void)arg;
    return stop_amid_failures(RV_ONE_FOR_ONE, true);
}

EXPLORATION(counts_of_the_period)
EXPLORATION(stopped_one_for_one)
EXPLORATION(stopped_one_for_all)
EXPLORATION(cancelled_rest_for_one)
EXPLORATION(cancelled_one_for_one)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EXPLORED(counts_of_the_period),  EXPLORED(stopped_one_for_one),
        EXPLORED(stopped_one_for_all),   EXPLORED(cancelled_rest_for_one),
        EXPLORED(cancelled_one_for_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
