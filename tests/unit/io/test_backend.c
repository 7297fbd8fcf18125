/* SPDX-License-Identifier: MIT */
/* test_backend.c - which backend a runtime uses, and what it says when it cannot. */
#include <errno.h>
#include <stdlib.h>

#include <ravel.h>

#include "../sched/sched_test.h"
#include "sys/call.h"

static int ask(void *arg)
{
    (void)arg;
    return rv_run_backend();
}

static int run_by(enum rv_backend backend, const char *word)
{
    struct rv_run_opts opts = {.size = sizeof(opts), .workers = 1, .backend = backend};
    const char *old = getenv("RAVEL_BACKEND");
    char *kept = old ? strdup(old) : NULL;
    if (word)
        setenv("RAVEL_BACKEND", word, 1);
    else
        unsetenv("RAVEL_BACKEND");
    int r = rv_run(ask, NULL, &opts);
    if (kept)
        setenv("RAVEL_BACKEND", kept, 1);
    else
        unsetenv("RAVEL_BACKEND");
    free(kept);
    return r;
}

static bool has_uring(void)
{
    return !is_under_valgrind() && run_by(RV_BACKEND_URING, NULL) == RV_BACKEND_URING;
}

static void a_program_or_its_user_says_which(void **state)
{
    (void)state;
    assert_int_equal(run_by(RV_BACKEND_EPOLL, NULL), RV_BACKEND_EPOLL);
    assert_int_equal(run_by(RV_BACKEND_AUTO, "epoll"), RV_BACKEND_EPOLL);
    assert_int_equal(run_by(RV_BACKEND_EPOLL, "uring"), RV_BACKEND_EPOLL);
    assert_true(run_by(RV_BACKEND_AUTO, "auto") > 0 && run_by(RV_BACKEND_AUTO, "") > 0);
    if (has_uring())
        assert_int_equal(run_by(RV_BACKEND_AUTO, "uring"), RV_BACKEND_URING);
}

static void what_is_no_backend_is_refused(void **state)
{
    (void)state;
    assert_int_equal(run_by(RV_BACKEND_AUTO, "select"), -EINVAL);
    assert_int_equal(run_by((enum rv_backend)3, NULL), -EINVAL);
    assert_int_equal(run_by((enum rv_backend) - 1, NULL), -EINVAL);
}

static void who_demands_what_is_not_there_hears_of_it(void **state)
{
    (void)state;
    if (RVI_DEBUG_CHECKS < 1)
        skip();
    rvi_call_lacks(RVI_CALL_OPEN_RING, true);
    int demanded = run_by(RV_BACKEND_URING, NULL), any = run_by(RV_BACKEND_AUTO, NULL);
    rvi_call_lacks(RVI_CALL_OPEN_RING, false);
    assert_int_equal(demanded, -ENOSYS);
    assert_int_equal(any, RV_BACKEND_EPOLL);
}

static void a_plain_thread_has_none(void **state)
{
    (void)state;
    assert_int_equal(rv_run_backend(), -EPERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_or_its_user_says_which),
        cmocka_unit_test(what_is_no_backend_is_refused),
        cmocka_unit_test(who_demands_what_is_not_there_hears_of_it),
        cmocka_unit_test(a_plain_thread_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
