/* SPDX-License-Identifier: MIT */
/* explore_mutex.c - a mutex that several threads want: nobody is forgotten in its line, whoever
 * comes, gives up or is overtaken; and who had it last may free it. */
#include "explore.h"

#include <errno.h>
#include <string.h>

enum { ROUNDS = 3, USERS = 3 };

static struct {
    struct rv_mutex mutex;
    _Atomic(int) inside;
    int turns;   /* guarded by the mutex */
    int users;   /* likewise: who will still lock it */
    int came[2]; /* likewise: by whom it was locked, in order */
    bool is_gone;
} on;

static void begin(void)
{
    memset(&on, 0, sizeof(on));
    on.users = USERS;
}

static int use(rv_time deadline, bool yields)
{
    int r = rv_mutex_lock(&on.mutex, deadline);

    if (r < 0)
        return r;
    RV_CHECK(rvi_fetch_add_relaxed(&on.inside, 1) == 0);
    on.turns++;
    if (yields)
        rv_yield();
    RV_CHECK(rvi_fetch_sub_relaxed(&on.inside, 1) == 1);
    rv_mutex_unlock(&on.mutex);
    return 0;
}

static int use_some(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        int r = use(RV_NEVER, i % 2 == 0);
        if (r < 0)
            return r;
    }
    return 0;
}

static int use_some_on_a_helper(void *arg)
{
    return rv_blocking(use_some, arg, NULL);
}

static int use_in_a_hurry(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        int r = use(rv_after(RV_MICROSECOND), true);
        if (r < 0 && r != -ETIME)
            return r;
    }
    return 0;
}

static int use_in_a_hurry_on_a_helper(void *arg)
{
    return rv_blocking(use_in_a_hurry, arg, NULL);
}

/* Were one of the patient left in line, the scope would never end. */
static int forget_nobody(void *arg)
{
    int err;

    (void)arg;
    begin();
    RV_SCOPE(s, err) {
        go(s, use_some, NULL);
        go(s, use_some, NULL);
        go(s, use_in_a_hurry, NULL);
        go(s, use_some_on_a_helper, NULL);
        go(s, use_in_a_hurry_on_a_helper, NULL);
    }
    RV_CHECK(on.turns >= 3 * ROUNDS && on.turns <= 5 * ROUNDS);
    RV_CHECK(use(0, false) == 0);
    return err;
}

static int give_up(void *arg)
{
    rv_scope *s = *(rv_scope **)arg;

    for (int i = 0; i < ROUNDS; i++)
        rv_yield();
    rv_scope_cancel(s, -ECANCELED);
    return 0;
}

static int use_until_cancelled(void *arg)
{
    rv_scope *hasty;
    int err;

    (void)arg;
    RV_CHECK(rv_scope_open(&hasty, NULL) == 0);
    go(hasty, use_some, NULL);
    go(hasty, use_some, NULL);
    go(hasty, give_up, &hasty);
    err = rv_scope_close(hasty);
    return err == -ECANCELED ? 0 : err;
}

static int forget_nobody_beside_the_cancelled(void *arg)
{
    int err;

    (void)arg;
    begin();
    RV_SCOPE(s, err) {
        go(s, use_some, NULL);
        go(s, use_until_cancelled, NULL);
        go(s, use_some_on_a_helper, NULL);
    }
    RV_CHECK(on.turns >= 2 * ROUNDS && on.turns <= 4 * ROUNDS);
    RV_CHECK(use(0, false) == 0);
    return err;
}

/* --- overtaking --- */

static int share_it(void *arg)
{
    (void)arg;
    RV_CHECK(rv_mutex_try_lock(&on.mutex) == 0);
    rv_mutex_unlock(&on.mutex);
    return 0;
}

static int come(void *arg)
{
    int r = rv_mutex_lock(&on.mutex, RV_NEVER);

    if (r < 0)
        return r;
    on.came[on.turns++] = *(const int *)arg;
    rv_mutex_unlock(&on.mutex);
    return 0;
}

/* Of one worker, so that it is known who runs when: between two yields nobody else. */
static int overtake(void *arg)
{
    static const int first = 1, second = 2;
    int err;

    (void)arg;
    begin();
    RV_CHECK(rv_blocking(share_it, NULL, NULL) == 0);
    RV_CHECK(rv_mutex_lock(&on.mutex, RV_NEVER) == 0);
    RV_SCOPE(s, err) {
        go(s, come, (void *)(uintptr_t)&first);
        rv_yield();
        go(s, come, (void *)(uintptr_t)&second);
        rv_yield();
        for (int i = 0; i < ROUNDS; i++) {
            rv_mutex_unlock(&on.mutex);
            RV_CHECK(rv_mutex_try_lock(&on.mutex) == 0); /* the first is called, but not here */
            rv_yield();                                  /* and goes back to the front */
        }
        RV_CHECK(on.turns == 0);
        rv_mutex_unlock(&on.mutex);
    }
    RV_CHECK(on.turns == 2 && on.came[0] == first && on.came[1] == second);
    return err;
}

/* It is cancelled on its way, when nothing but to lose it is left. */
static int lose_it_and_be_cancelled(void *arg)
{
    static const int one = 1, other = 2;
    rv_scope *hasty;
    int err;

    (void)arg;
    begin();
    RV_CHECK(rv_blocking(share_it, NULL, NULL) == 0);
    RV_CHECK(rv_mutex_lock(&on.mutex, RV_NEVER) == 0);
    RV_SCOPE(s, err) {
        RV_CHECK(rv_scope_open(&hasty, NULL) == 0);
        go(hasty, come, (void *)(uintptr_t)&one);
        rv_yield();
        go(s, come, (void *)(uintptr_t)&other);
        rv_yield();
        rv_mutex_unlock(&on.mutex);
        RV_CHECK(rv_mutex_try_lock(&on.mutex) == 0);
        rv_scope_cancel(hasty, -ECANCELED);
        RV_CHECK(rv_scope_close(hasty) == -ECANCELED);
        RV_CHECK(on.turns == 0);
        rv_mutex_unlock(&on.mutex);
    }
    RV_CHECK(on.turns == 1 && on.came[0] == other);
    return err;
}

/* --- the last one frees it --- */

static void poison(void)
{
    RV_CHECK(!on.is_gone);
    on.is_gone = true;
    memset(&on.mutex, 0xa5, sizeof(on.mutex));
}

static int use_and_leave(void *arg)
{
    bool is_last;

    (void)arg;
    RV_CHECK(rv_mutex_lock(&on.mutex, RV_NEVER) == 0);
    /* The second lets the third lose patience, whom the first may have called. */
    rv_time until = on.users == USERS - 1 ? rv_after(2 * RV_MILLISECOND) : 0;
    while (rv_now() < until)
        continue;
    is_last = --on.users == 0;
    rv_mutex_unlock(&on.mutex);
    if (is_last)
        poison();
    return 0;
}

static int use_and_leave_on_a_helper(void *arg)
{
    return rv_blocking(use_and_leave, arg, NULL);
}

static int leave_it_to_the_last(void *arg)
{
    struct rv_mutex poisoned;
    int err;

    (void)arg;
    begin();
    memset(&poisoned, 0xa5, sizeof(poisoned));
    RV_SCOPE(s, err) {
        go(s, use_and_leave, NULL);
        go(s, use_and_leave, NULL);
        go(s, use_and_leave_on_a_helper, NULL);
    }
    RV_CHECK(memcmp(&on.mutex, &poisoned, sizeof(poisoned)) == 0);
    return err;
}

EXPLORATION(forget_nobody)
EXPLORATION(forget_nobody_beside_the_cancelled)
EXPLORATION(leave_it_to_the_last)

static void explore_with_one_worker(rv_fn *scene)
{
    explore_with(scene, (struct rv_sim_opts){.workers = 1, .step_ns = 1});
}

static void explore_overtake(void **state)
{
    (void)state;
    explore_with_one_worker(overtake);
}

static void explore_leave_it_to_the_last_in_slow_motion(void **state)
{
    (void)state;
    explore_with(leave_it_to_the_last, (struct rv_sim_opts){.depth = 4, .step_ns = 30000});
}

static void explore_lose_it_and_be_cancelled(void **state)
{
    (void)state;
    explore_with_one_worker(lose_it_and_be_cancelled);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EXPLORED(forget_nobody),
        EXPLORED(forget_nobody_beside_the_cancelled),
        EXPLORED(overtake),
        EXPLORED(lose_it_and_be_cancelled),
        EXPLORED(leave_it_to_the_last),
        EXPLORED(leave_it_to_the_last_in_slow_motion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
