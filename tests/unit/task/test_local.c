/* SPDX-License-Identifier: MIT */
/* test_local.c - task-local values: who sees what, and what becomes of them. */
#include <ravel/local.h>

#include <errno.h>

#include "../../support/crowd.h"
#include "base/alloc.h"
#include "stage.h"

enum { KEYS = 6, MANY = 2000 };

static const struct rv_local_key keys[KEYS] = {{"a"}, {"b"}, {"c"}, {"d"}, {"e"}, {"f"}};
static char values[KEYS], others[KEYS];

static void set(int key, void *value)
{
    RV_CHECK(rv_local_set(&keys[key], value) == 0);
}

static void expect(int key, const void *value)
{
    RV_CHECK(rv_local_get(&keys[key]) == value);
}

static void set_all(void)
{
    for (int i = 0; i < KEYS; i++)
        set(i, &values[i]);
}

static void expect_all(void)
{
    for (int i = 0; i < KEYS; i++)
        expect(i, &values[i]);
}

static void unset_all(void)
{
    for (int i = 0; i < KEYS; i++)
        set(i, NULL);
}

static void run_one(rv_fn *fn, void *arg)
{
    int err;
    RV_SCOPE(scope, err)
        go(scope, fn, arg);
    RV_CHECK(err == 0);
}

static void a_value_is_what_was_set_last(void)
{
    expect(0, NULL);
    set(0, &values[0]);
    expect(0, &values[0]);
    set(0, &others[0]);
    expect(0, &others[0]);
    expect(1, NULL);
    set(0, NULL);
    expect(0, NULL);
    set(0, NULL);
    expect(0, NULL);
}

static void each_key_has_its_own(void)
{
    for (int changed = 0; changed < KEYS; changed++) {
        set_all();
        expect_all();
        set(changed, &others[changed]);
        for (int i = 0; i < KEYS; i++)
            expect(i, i == changed ? &others[i] : &values[i]);
        set(changed, NULL);
        for (int i = 0; i < KEYS; i++)
            expect(i, i == changed ? NULL : &values[i]);
    }
    unset_all();
}

/* --- inheriting --- */

static int see_and_shadow(void *arg)
{
    int *generations = arg;
    expect_all();
    if ((*generations)-- > 0) {
        run_one(see_and_shadow, generations);
        expect_all();
    }
    set(1, &others[1]);
    set(2, NULL);
    expect(0, &values[0]);
    expect(1, &others[1]);
    expect(2, NULL);
    return 0;
}

static void children_and_grandchildren_inherit_and_cannot_hurt(void)
{
    int generations = 5;
    set_all();
    run_one(see_and_shadow, &generations);
    expect_all();
    unset_all();
}

struct pause {
    struct rv_event begun, go_on;
};

static int see_old_value(void *arg)
{
    struct pause *pause = arg;
    expect(0, &values[0]);
    rv_event_set(&pause->begun);
    RV_CHECK(rv_event_wait(&pause->go_on, RV_NEVER) == 0);
    expect(0, &values[0]);
    return 0;
}

static int see_new_value(void *arg)
{
    (void)arg;
    expect(0, &others[0]);
    return 0;
}

static void what_is_set_later_is_for_later_children(void)
{
    struct pause pause = {RV_EVENT_INIT, RV_EVENT_INIT};
    int err;
    set(0, &values[0]);
    RV_SCOPE(scope, err) {
        go(scope, see_old_value, &pause);
        RV_CHECK(rv_event_wait(&pause.begun, RV_NEVER) == 0);
        set(0, &others[0]);
        rv_event_set(&pause.go_on);
        go(scope, see_new_value, NULL);
    }
    RV_CHECK(err == 0);
    set(0, NULL);
}

/* What counts is when the child was started, not when it begins. */
static void a_child_that_has_not_begun_keeps_what_it_inherited(void)
{
    struct pause pause = {RV_EVENT_INIT, RV_EVENT_INIT};
    int err;
    rv_event_set(&pause.go_on);
    RV_SCOPE(scope, err) {
        set(0, &values[0]);
        go(scope, see_old_value, &pause);
        set(0, &others[0]);
        go(scope, see_new_value, NULL);
        set(0, NULL);
    }
    RV_CHECK(err == 0);
}

static int start_from_below(void *arg)
{
    rv_scope *outer = arg;
    set(0, &others[0]);
    go(outer, see_new_value, NULL);
    return 0;
}

static void the_starter_bequeaths_not_the_owner(void)
{
    int err;
    set(0, &values[0]);
    RV_SCOPE(scope, err)
        go(scope, start_from_below, scope);
    RV_CHECK(err == 0);
    expect(0, &values[0]);
    set(0, NULL);
}

static int change_all(void *arg)
{
    int turn = *(const int *)arg;
    expect_all();
    set(turn % KEYS, &others[turn % KEYS]);
    rv_yield();
    expect(turn % KEYS, &others[turn % KEYS]);
    if (turn % 2)
        unset_all();
    return 0;
}

static void many_share_and_change(void)
{
    static int turns[MANY];
    int err;
    set_all();
    RV_SCOPE(scope, err) {
        for (int i = 0; i < MANY; i++) {
            turns[i] = i;
            go(scope, change_all, &turns[i]);
        }
    }
    RV_CHECK(err == 0);
    expect_all();
    unset_all();
}

static void values_stay_over_a_move(void)
{
    set_all();
    RV_CHECK(rv_scope_close(now_on.scope) == 0);
    RV_CHECK(rv_migrate(rv_run_workers() - 1) == 0);
    expect_all();
    open_stage();
    unset_all();
}

/* --- from a thread --- */

static int see_nothing(void *arg)
{
    (void)arg;
    for (int i = 0; i < KEYS; i++)
        expect(i, NULL);
    return 0;
}

static void *start_from_a_thread(void *arg)
{
    RV_CHECK(rv_local_set(&keys[0], values) == -EPERM);
    RV_CHECK(rv_local_get(&keys[0]) == NULL);
    RV_CHECK(rv_go((rv_scope *)arg, see_nothing, NULL) == 0);
    return NULL;
}

static void threads_have_none(void)
{
    pthread_t thread;
    rv_scope *scope = open_scope(NULL);
    set_all();
    RV_CHECK(pthread_create(&thread, NULL, start_from_a_thread, scope) == 0);
    RV_CHECK(pthread_join(thread, NULL) == 0);
    RV_CHECK(rv_scope_close(scope) == 0);
    unset_all();
}

/* --- memory --- */

static int try_to_set(int key, void *value, long failing)
{
    rvi_alloc_fail_after(failing);
    int r = rv_local_set(&keys[key], value);
    bool failed = !rvi_alloc_fail_pending();
    rvi_alloc_fail_after(-1);
    RV_CHECK(r == (failed ? -ENOMEM : 0));
    return r;
}

static int fail_each_allocation(void *arg)
{
    (void)arg;
    for (int key = 0; key < KEYS; key++) {
        for (int i = 0; i < 2; i++) {
            void *value = i ? NULL : &others[key];
            long failing = 1;
            set_all();
            while (try_to_set(key, value, failing++) == -ENOMEM)
                expect_all();
            expect(key, value);
        }
    }
    unset_all();
    return 0;
}

static void without_memory_the_old_value_stands(void **state)
{
    struct rv_run_opts opts = {.size = sizeof(opts), .workers = 1};
    (void)state;
    assert_int_equal(rv_run(fail_each_allocation, NULL, &opts), 0);
}

static int leave_values_behind(void *arg)
{
    int generations = 3;
    (void)arg;
    set_all();
    run_one(see_and_shadow, &generations);
    set(KEYS / 2, &others[0]);
    return 0;
}

static void values_die_with_their_tasks(void **state)
{
    long before = rvi_alloc_live();
    (void)state;
    for (unsigned workers = 1; workers <= 3; workers++) {
        struct rv_run_opts opts = {.size = sizeof(opts), .workers = workers};
        assert_int_equal(rv_run(leave_values_behind, NULL, &opts), 0);
        assert_int_equal(rvi_alloc_live(), before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_TASKS(a_value_is_what_was_set_last),
        ON_TASKS(each_key_has_its_own),
        ON_TASKS(children_and_grandchildren_inherit_and_cannot_hurt),
        ON_TASKS(what_is_set_later_is_for_later_children),
        ON_TASKS(a_child_that_has_not_begun_keeps_what_it_inherited),
        ON_TASKS(the_starter_bequeaths_not_the_owner),
        ON_TASKS(many_share_and_change),
        ON_TASKS(values_stay_over_a_move),
        ON_TASKS(threads_have_none),
        cmocka_unit_test(without_memory_the_old_value_stands),
        cmocka_unit_test(values_die_with_their_tasks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
