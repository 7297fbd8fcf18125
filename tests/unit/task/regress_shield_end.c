/* SPDX-License-Identifier: MIT */
/* regress_shield_end.c - a shield whose time was over between the look at the cancellation, which
 * it still hid, and the look at how long to park, let a cancelled task park for ever. */
#include <ravel.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../support/crowd.h"

enum {
    SHIELDS = 20000,
    LONGEST_NS = 2000, /* some end before the wait, some during its first steps, some in the park */
};

static int wait_under_shields_that_end(void *arg)
{
    struct rv_event never = RV_EVENT_INIT;
    int err;
    (void)arg;
    RV_SCOPE(scope, err) {
        rv_scope_cancel(scope, -EINTR);
        for (size_t i = 0; i < scaled(SHIELDS, 500); i++) {
            RV_CHECK(rv_shield_begin(rv_now() + (rv_time)(i * 7 % LONGEST_NS)) == 0);
            RV_CHECK(rv_event_wait(&never, RV_NEVER) == -ECANCELED);
            rv_shield_end();
        }
    }
    RV_CHECK(err == -EINTR);
    return 0;
}

static void a_shield_that_ends_during_the_call_ends_the_wait(void **state)
{
    struct rv_run_opts opts = {.size = sizeof(opts), .workers = 1};
    (void)state;
    assert_int_equal(rv_run(wait_under_shields_that_end, NULL, &opts), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shield_that_ends_during_the_call_ends_the_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
