/* SPDX-License-Identifier: MIT */
/* test_mutex.c - mutexes, on every stage of stage.h. */
#include "task/mutex.h"

#include <errno.h>

#include "stage.h"

enum { LINE = 5, ROUNDS = 200 };

static void lock(struct rv_mutex *m)
{
    RV_CHECK(rv_mutex_lock(m, RV_NEVER) == 0);
}

/* One party that locks, leaves a trace and unlocks. */
struct visit {
    struct rv_mutex *m;
    int *trace; /* guarded by m: the next place to write to */
    int number;
};

static int visit(void *arg)
{
    struct visit *v = arg;
    lock(v->m);
    v->trace[++v->trace[0]] = v->number;
    rv_mutex_unlock(v->m);
    return 0;
}

static void line_up(struct rv_mutex *m, struct visit *visits, int *trace)
{
    for (int i = 0; i < LINE; i++) {
        visits[i] = (struct visit){m, trace, i};
        start(visit, &visits[i]);
        until_waiting(m, (size_t)i + 1);
    }
}

/* Until those in line have waited for so long that nobody overtakes them any more. */
static void lose_patience(void)
{
    rv_time end = rv_after(2 * RV_MILLISECOND);
    while (rv_now() < end)
        rv_yield();
}

static void use_once(struct rv_mutex *m)
{
    lock(m);
    rv_mutex_unlock(m);
}

static void *use_on_a_thread(void *arg)
{
    use_once(arg);
    return NULL;
}

/* From now on it is no worker's own. */
static void share(struct rv_mutex *m)
{
    pthread_t thread;
    RV_CHECK(pthread_create(&thread, NULL, use_on_a_thread, m) == 0);
    RV_CHECK(pthread_join(thread, NULL) == 0);
}

static void init_and_zeroed_memory_are_the_same(void **state)
{
    static const struct rv_mutex fresh = RV_MUTEX_INIT;
    struct rv_mutex m;
    (void)state;
    memset(&m, 0xff, sizeof(m));
    rv_mutex_init(&m);
    assert_memory_equal(&m, &fresh, sizeof(m));
    assert_int_equal(rv_mutex_lock(&m, RV_NEVER), 0);
    rv_mutex_unlock(&m);
}

static void it_can_be_locked_again_once_unlocked(void)
{
    struct rv_mutex m = RV_MUTEX_INIT;
    for (int i = 0; i < 3; i++) {
        lock(&m);
        rv_mutex_unlock(&m);
        RV_CHECK(rv_mutex_try_lock(&m) == 0);
        rv_mutex_unlock(&m);
        rvi_mutex_lock_always(&m);
        rv_mutex_unlock(&m);
    }
}

static int find_it_locked(void *arg)
{
    struct rv_mutex *m = arg;
    rv_time deadline = rv_after(2 * RV_MILLISECOND);
    RV_CHECK(rv_mutex_try_lock(m) == -EAGAIN);
    RV_CHECK(rv_mutex_lock(m, 0) == -ETIME);
    RV_CHECK(rv_mutex_lock(m, deadline) == -ETIME);
    RV_CHECK(rv_now() >= deadline);
    return 0;
}

static void *find_it_locked_once(void *arg)
{
    RV_CHECK(rv_mutex_try_lock(arg) == -EAGAIN);
    return NULL;
}

static void those_who_cannot_wait_do_not_get_it(void)
{
    struct rv_mutex m = RV_MUTEX_INIT;
    RV_CHECK(rv_mutex_lock(&m, 0) == 0); /* free: a passed deadline is no matter */
    for (int i = 0; i < 2; i++)
        start(find_it_locked, &m);
    finish();
    rv_mutex_unlock(&m);
    lock(&m); /* nobody was left in line to become its owner */
    rv_mutex_unlock(&m);
}

static void the_line_is_served_in_order(void)
{
    struct rv_mutex m = RV_MUTEX_INIT;
    struct visit visits[LINE];
    int trace[LINE + 1] = {0};
    lock(&m);
    line_up(&m, visits, trace);
    RV_CHECK(trace[0] == 0);
    rv_mutex_unlock(&m);
    finish();
    for (int i = 0; i < LINE; i++)
        RV_CHECK(trace[i + 1] == i);
}

static void tasks_of_one_worker_take_turns(void)
{
    struct rv_mutex m = RV_MUTEX_INIT;
    struct visit visits[LINE];
    int trace[LINE + 1] = {0};
    lock(&m);
    line_up(&m, visits, trace);
    rv_mutex_unlock(&m);
    lock(&m); /* behind all of them */
    RV_CHECK(trace[0] == LINE);
    rv_mutex_unlock(&m);
    finish();
}

static void a_line_that_has_waited_for_long_goes_first(void)
{
    struct rv_mutex m = RV_MUTEX_INIT;
    struct visit visits[LINE];
    int trace[LINE + 1] = {0};
    share(&m);
    lock(&m);
    line_up(&m, visits, trace);
    lose_patience();
    rv_mutex_unlock(&m);
    lock(&m);
    RV_CHECK(trace[0] == LINE);
    rv_mutex_unlock(&m);
    finish();
}

static void those_who_must_stand_in_the_same_line(void)
{
    struct rv_mutex m = RV_MUTEX_INIT;
    struct visit visits[LINE];
    int trace[LINE + 1] = {0};
    lock(&m);
    line_up(&m, visits, trace);
    lose_patience();
    rv_mutex_unlock(&m);
    rvi_mutex_lock_always(&m);
    RV_CHECK(trace[0] == LINE);
    rv_mutex_unlock(&m);
    finish();
}

/* The one called is a task of this worker, which does not get to run. */
static void one_that_does_not_come_is_not_overtaken_for_ever(void)
{
    struct rv_mutex m = RV_MUTEX_INIT;
    int trace[2] = {0}, r = 0;
    struct visit late = {&m, trace, 7};
    share(&m);
    lock(&m);
    start(visit, &late);
    until_waiting(&m, 1);
    rv_mutex_unlock(&m);
    while (r == 0) {
        r = rv_mutex_try_lock(&m);
        if (r == 0)
            rv_mutex_unlock(&m);
    }
    RV_CHECK(r == -EAGAIN && trace[0] == 0);
    finish();
    RV_CHECK(trace[0] == 1);
    use_once(&m);
}

/* In line since nobody else knew the mutex: they were promised turns. */
static void a_line_from_before_it_was_shared_keeps_its_turns(void)
{
    struct rv_mutex m = RV_MUTEX_INIT;
    struct visit visits[LINE];
    int trace[LINE + 1] = {0};
    lock(&m);
    for (int i = 0; i < LINE; i++) {
        visits[i] = (struct visit){&m, trace, i};
        start(visit, &visits[i]);
        rv_yield();
    }
    until_waiting(&m, LINE);
    pthread_t thread;
    RV_CHECK(pthread_create(&thread, NULL, find_it_locked_once, &m) == 0);
    RV_CHECK(pthread_join(thread, NULL) == 0);
    rv_mutex_unlock(&m);
    RV_CHECK(rv_mutex_try_lock(&m) == -EAGAIN);
    finish();
    for (int i = 0; i < LINE; i++)
        RV_CHECK(trace[i + 1] == i);
}

struct counter {
    struct rv_mutex m;
    long count;
};

static int count_rounds(void *arg)
{
    struct counter *c = arg;
    for (int i = 0; i < ROUNDS; i++) {
        lock(&c->m);
        long seen = c->count;
        if (i % 10 == 0)
            rv_yield();
        c->count = seen + 1;
        rv_mutex_unlock(&c->m);
    }
    return 0;
}

static void one_at_a_time_holds_it(void)
{
    struct counter c = {RV_MUTEX_INIT, 0};
    for (int i = 0; i < LINE; i++)
        start(count_rounds, &c);
    finish();
    RV_CHECK(c.count == (long)LINE * ROUNDS);
}

/* --- cancellation --- */

struct refusal {
    struct rv_mutex m;
    _Atomic(int) refused;
};

static int lock_while_cancelled(void *arg)
{
    struct refusal *refusal = arg;
    struct rv_mutex *m = &refusal->m;
    RV_CHECK(rv_mutex_lock(m, RV_NEVER) == -ECANCELED); /* was in line */
    rvi_store_relaxed(&refusal->refused, 1);
    RV_CHECK(rv_mutex_try_lock(m) == -EAGAIN);
    rvi_mutex_lock_always(m);
    RV_CHECK(rv_cancelled() == -EIO);
    rv_mutex_unlock(m);
    RV_CHECK(rv_mutex_lock(m, RV_NEVER) == -ECANCELED); /* though it is free */
    RV_CHECK(rv_mutex_try_lock(m) == 0);
    rv_mutex_unlock(m);
    return 0;
}

static void cancelled_tasks_leave_the_line_unless_they_must(void)
{
    struct refusal refusal = {RV_MUTEX_INIT, 0};
    lock(&refusal.m);
    RV_CHECK(rv_go(now_on.scope, lock_while_cancelled, &refusal) == 0);
    until_waiting(&refusal.m, 1);
    rv_scope_cancel(now_on.scope, -EIO);
    while (!rvi_load_relaxed(&refusal.refused))
        rv_yield();
    until_waiting(&refusal.m, 1); /* by rvi_mutex_lock_always */
    rv_mutex_unlock(&refusal.m);
    RV_CHECK(rv_scope_close(now_on.scope) == -EIO);
    open_stage();
    lock(&refusal.m);
    rv_mutex_unlock(&refusal.m);
}

/* --- misuse --- */

static void lock_twice(void)
{
    struct rv_mutex m = RV_MUTEX_INIT;
    lock(&m);
    (void)!rv_mutex_lock(&m, RV_NEVER);
}

static void try_lock_after_lock(void)
{
    struct rv_mutex m = RV_MUTEX_INIT;
    lock(&m);
    (void)!rv_mutex_try_lock(&m);
}

static void unlock_unlocked(void)
{
    struct rv_mutex m = RV_MUTEX_INIT;
    rv_mutex_unlock(&m);
}

static int unlock_it(void *arg)
{
    rv_mutex_unlock(arg);
    return 0;
}

static void unlock_for_another(void)
{
    struct rv_mutex m = RV_MUTEX_INIT;
    lock(&m);
    start(unlock_it, &m);
    finish();
}

static void misuse_stops_the_program(void **state)
{
    static const enum stage stages[] = {THREADS, ONE_WORKER};
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_panics(stages[i], lock_twice, "rv_mutex_lock: the caller holds this mutex already");
        assert_panics(stages[i], try_lock_after_lock,
                      "rv_mutex_lock: the caller holds this mutex already");
        assert_panics(stages[i], unlock_unlocked,
                      "rv_mutex_unlock: the caller does not hold this mutex");
        assert_panics(stages[i], unlock_for_another,
                      "rv_mutex_unlock: the caller does not hold this mutex");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(init_and_zeroed_memory_are_the_same),
        ON_EVERY_STAGE(it_can_be_locked_again_once_unlocked),
        ON_EVERY_STAGE(those_who_cannot_wait_do_not_get_it),
        ON_EVERY_STAGE(the_line_is_served_in_order),
        ON_ONE_WORKER(tasks_of_one_worker_take_turns),
        ON_EVERY_STAGE(a_line_that_has_waited_for_long_goes_first),
        ON_EVERY_STAGE(those_who_must_stand_in_the_same_line),
        ON_ONE_WORKER(one_that_does_not_come_is_not_overtaken_for_ever),
        ON_ONE_WORKER(a_line_from_before_it_was_shared_keeps_its_turns),
        ON_EVERY_STAGE(one_at_a_time_holds_it),
        ON_TASKS(cancelled_tasks_leave_the_line_unless_they_must),
        cmocka_unit_test(misuse_stops_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
