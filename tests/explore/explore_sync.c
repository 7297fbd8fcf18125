/* SPDX-License-Identifier: MIT */
/* explore_sync.c - mutex, condition, semaphore and event among tasks of several workers and plain
 * threads: exclusion, no lost wake-up, no unit made or lost, whoever is late or cancelled. */
#include "explore.h"

enum { ROUNDS = 3 };

static struct {
    struct rv_mutex mutex;
    struct rv_cond changed;
    struct rv_sem sem;
    struct rv_event event;
    _Atomic(int) inside;
    int counter; /* guarded by the mutex */
    int turn;    /* likewise */
    _Atomic(int) taken;
} on;

static void begin(void)
{
    rv_mutex_init(&on.mutex);
    rv_cond_init(&on.changed);
    rv_sem_init(&on.sem, 0);
    rv_event_init(&on.event);
    rvi_store_relaxed(&on.inside, 0);
    rvi_store_relaxed(&on.taken, 0);
    on.counter = on.turn = 0;
}

/* With the mutex held. */
static void enter_and_leave(void)
{
    RV_CHECK(rvi_fetch_add_relaxed(&on.inside, 1) == 0);
    on.counter++;
    RV_CHECK(rvi_fetch_sub_relaxed(&on.inside, 1) == 1);
}

static int lock_some(void *arg)
{
    const rv_time *patience = arg;

    for (int i = 0; i < ROUNDS; i++) {
        int r = rv_mutex_lock(&on.mutex, patience ? rv_after(*patience) : RV_NEVER);
        if (r == -ETIME)
            continue;
        if (r < 0)
            return r;
        enter_and_leave();
        rv_mutex_unlock(&on.mutex);
    }
    return 0;
}

static int lock_on_a_helper(void *arg)
{
    return rv_blocking(lock_some, arg, NULL);
}

static int lock_and_yield(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        if (rv_mutex_try_lock(&on.mutex) < 0)
            continue;
        enter_and_leave();
        rv_yield();
        rv_mutex_unlock(&on.mutex);
    }
    return 0;
}

static int exclude_each_other(void *arg)
{
    rv_time patience = 2 * RV_MICROSECOND;
    int err;

    (void)arg;
    begin();
    RV_SCOPE(s, err) {
        go(s, lock_some, NULL);
        go(s, lock_some, &patience);
        go(s, lock_on_a_helper, NULL);
        go(s, lock_and_yield, NULL);
    }
    RV_CHECK(on.counter >= 2 * ROUNDS && on.counter <= 4 * ROUNDS);
    RV_CHECK(rv_mutex_try_lock(&on.mutex) == 0);
    rv_mutex_unlock(&on.mutex);
    return err;
}

static int exclude_until_cancelled(void *arg)
{
    int err;

    (void)arg;
    begin();
    RV_SCOPE(s, err) {
        go(s, lock_some, NULL);
        go(s, lock_some, NULL);
        go(s, lock_and_yield, NULL);
        rv_yield();
        rv_scope_cancel(s, -ECANCELED);
    }
    RV_CHECK(rv_mutex_try_lock(&on.mutex) == 0);
    rv_mutex_unlock(&on.mutex);
    return err == -ECANCELED ? 0 : err;
}

/* Two take turns; each waits until it is its own. */
static int take_turns(void *arg)
{
    int me = *(const int *)arg;

    for (int i = 0; i < ROUNDS; i++) {
        int r = rv_mutex_lock(&on.mutex, RV_NEVER);
        while (r == 0 && on.turn % 2 != me)
            r = rv_cond_wait(&on.changed, &on.mutex, RV_NEVER);
        if (r < 0)
            return r;
        on.turn++;
        rv_cond_signal(&on.changed);
        rv_mutex_unlock(&on.mutex);
    }
    return 0;
}

static int take_turns_on_a_helper(void *arg)
{
    return rv_blocking(take_turns, arg, NULL);
}

static int alternate(void *arg)
{
    static const int even = 0, odd = 1;
    int err;

    begin();
    RV_SCOPE(s, err) {
        go(s, take_turns, (void *)(uintptr_t)&even);
        go(s, arg ? take_turns_on_a_helper : take_turns, (void *)(uintptr_t)&odd);
    }
    RV_CHECK(on.turn == 2 * ROUNDS);
    return err;
}

static int alternate_between_tasks(void *arg)
{
    (void)arg;
    return alternate(NULL);
}

static int alternate_with_a_thread(void *arg)
{
    (void)arg;
    return alternate(&on);
}

/* --- semaphore --- */

static int take_units(void *arg)
{
    const rv_time *patience = arg;

    for (int i = 0; i < ROUNDS; i++) {
        int r = rv_sem_wait(&on.sem, patience ? rv_after(*patience) : RV_NEVER);
        if (r == 0)
            rvi_fetch_add_relaxed(&on.taken, 1);
        else if (r != -ETIME)
            return r;
    }
    return 0;
}

static int units_left(void)
{
    int left = 0;

    while (rv_sem_try_wait(&on.sem) == 0)
        left++;
    return left;
}

static int neither_make_nor_lose_units(void *arg)
{
    rv_time patience = 2 * RV_MICROSECOND;
    int err;

    (void)arg;
    begin();
    RV_SCOPE(s, err) {
        go(s, take_units, NULL);
        go(s, take_units, &patience);
        for (int i = 0; i < ROUNDS; i++) {
            rv_sem_post(&on.sem, 2);
            rv_yield();
        }
    }
    RV_CHECK(rvi_load_relaxed(&on.taken) + units_left() == 2 * ROUNDS);
    return err;
}

static int lose_no_unit_to_the_cancelled(void *arg)
{
    int err;

    (void)arg;
    begin();
    RV_SCOPE(s, err) {
        go(s, take_units, NULL);
        go(s, take_units, NULL);
        rv_yield();
        rv_sem_post(&on.sem, 2);
        rv_scope_cancel(s, -ECANCELED);
        rv_sem_post(&on.sem, 1);
    }
    RV_CHECK(rvi_load_relaxed(&on.taken) + units_left() == 3);
    return err == -ECANCELED ? 0 : err;
}

/* --- event --- */

static int wait_for_event(void *arg)
{
    (void)arg;
    return rv_event_wait(&on.event, RV_NEVER);
}

static int wait_for_event_on_a_helper(void *arg)
{
    return rv_blocking(wait_for_event, arg, NULL);
}

static int set_event(void *arg)
{
    (void)arg;
    rv_event_set(&on.event);
    return 0;
}

static int wake_everybody(void *arg)
{
    int err;

    (void)arg;
    begin();
    RV_SCOPE(s, err) {
        go(s, wait_for_event, NULL);
        go(s, wait_for_event_on_a_helper, NULL);
        go(s, set_event, NULL);
        go(s, wait_for_event, NULL);
    }
    return err;
}

/* --- blocking calls --- */

static int count_inside(void *arg)
{
    int most = *(const int *)arg;

    RV_CHECK(rvi_fetch_add_relaxed(&on.inside, 1) < most);
    rvi_fetch_add_relaxed(&on.taken, 1);
    rvi_fetch_sub_relaxed(&on.inside, 1);
    return 0;
}

static int call_some(void *arg)
{
    static const int most = 1;

    for (int i = 0; i < ROUNDS; i++) {
        int r = rv_blocking(count_inside, (void *)(uintptr_t)&most, arg);
        if (r < 0)
            return r;
    }
    return 0;
}

static int call_within_a_limit(void *arg)
{
    rv_limiter *one;
    int err;

    (void)arg;
    begin();
    RV_CHECK(rv_limiter_new(&one, 1) == 0);
    RV_SCOPE(s, err) {
        go(s, call_some, one);
        go(s, call_some, one);
    }
    RV_CHECK(rvi_load_relaxed(&on.taken) == 2 * ROUNDS);
    rv_limiter_free(one);
    return err;
}

/* Whoever frees an object right after its wait must not be caught by the waker. */
static int wait_and_free(void *arg)
{
    struct rv_event *event = *(struct rv_event **)arg;
    int r = rv_event_wait(event, RV_NEVER);

    rvi_free(event);
    return r;
}

static int free_what_was_waited_for(void *arg)
{
    struct rv_event *event = rvi_alloc(sizeof(*event));
    int err;

    (void)arg;
    RV_CHECK(event);
    rv_event_init(event);
    RV_SCOPE(s, err) {
        go(s, wait_and_free, &event);
        rv_yield();
        rv_event_set(event);
    }
    return err;
}

EXPLORATION(exclude_each_other)
EXPLORATION(exclude_until_cancelled)
EXPLORATION(alternate_between_tasks)
EXPLORATION(alternate_with_a_thread)
EXPLORATION(neither_make_nor_lose_units)
EXPLORATION(lose_no_unit_to_the_cancelled)
EXPLORATION(wake_everybody)
EXPLORATION(call_within_a_limit)
EXPLORATION(free_what_was_waited_for)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EXPLORED(exclude_each_other),
        EXPLORED(exclude_until_cancelled),
        EXPLORED(alternate_between_tasks),
        EXPLORED(alternate_with_a_thread),
        EXPLORED(neither_make_nor_lose_units),
        EXPLORED(lose_no_unit_to_the_cancelled),
        EXPLORED(wake_everybody),
        EXPLORED(call_within_a_limit),
        EXPLORED(free_what_was_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
