/* SPDX-License-Identifier: MIT */
/* test_bell.c - a bell calls whoever has said that he sleeps, once, and nobody else;
 * tests/stress/stress_shm.c has the races. */
#include "shm/bell.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "sys/call.h"
#include "sys/fd.h"

static struct rvi_bell_shared page;
static struct rvi_bell bell;

static int make_bell(void **state)
{
    (void)state;
    page = (struct rvi_bell_shared){0};
    return rvi_bell_init(&bell, &page);
}

static int drop_bell(void **state)
{
    (void)state;
    rvi_bell_fini(&bell);
    return 0;
}

static bool is_called(enum rvi_bell_sleeper who)
{
    struct pollfd fd = {.fd = bell.fds[who], .events = POLLIN};
    return poll(&fd, 1, 0) == 1;
}

static void nobody_is_called_who_does_not_sleep(void **state)
{
    (void)state;
    rvi_bell_ring(&bell);
    rvi_bell_set(&bell, RVI_BELL_SERVICE);
    assert_true(rvi_bell_unset(&bell, RVI_BELL_SERVICE));
    rvi_bell_ring(&bell);
    assert_false(is_called(RVI_BELL_SERVICE));
    assert_false(is_called(RVI_BELL_LEADER));
}

static void the_sleeper_is_called_once(void **state)
{
    (void)state;
    rvi_bell_set(&bell, RVI_BELL_SERVICE);
    rvi_bell_ring(&bell);
    assert_true(is_called(RVI_BELL_SERVICE));
    assert_false(rvi_bell_unset(&bell, RVI_BELL_SERVICE));
    rvi_fd_event_clear(bell.fds[RVI_BELL_SERVICE]);
    rvi_bell_ring(&bell);
    assert_false(is_called(RVI_BELL_SERVICE));
}

static void the_last_to_set_it_is_called(void **state)
{
    (void)state;
    rvi_bell_set(&bell, RVI_BELL_SERVICE);
    rvi_bell_set(&bell, RVI_BELL_LEADER);
    assert_false(rvi_bell_unset(&bell, RVI_BELL_SERVICE));
    rvi_bell_ring(&bell);
    assert_false(is_called(RVI_BELL_SERVICE));
    assert_true(is_called(RVI_BELL_LEADER));
}

static void nonsense_in_the_page_calls_nobody(void **state)
{
    (void)state;
    for (uint32_t who = RVI_BELL_SLEEPERS; who != 0; who <<= 1) {
        rvi_store_relaxed(&page.sleeper, who);
        rvi_bell_ring(&bell);
        assert_int_equal(rvi_load_relaxed(&page.sleeper), RVI_BELL_NOBODY);
    }
    assert_false(is_called(RVI_BELL_SERVICE));
    assert_false(is_called(RVI_BELL_LEADER));
}

static void without_descriptors_there_is_no_bell(void **state)
{
    (void)state;
    struct rvi_bell none;
    if (RVI_DEBUG_CHECKS < 1)
        skip();
    for (long n = 1; n <= 2; n++) {
        rvi_call_fail_after(n, 0, false);
        assert_int_equal(rvi_bell_init(&none, &page), -EMFILE);
    }
    rvi_call_fail_after(-1, 0, false);
}

#define BELL_TEST(name) cmocka_unit_test_setup_teardown(name, make_bell, drop_bell)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BELL_TEST(nobody_is_called_who_does_not_sleep),
        BELL_TEST(the_sleeper_is_called_once),
        BELL_TEST(the_last_to_set_it_is_called),
        BELL_TEST(nonsense_in_the_page_calls_nobody),
        BELL_TEST(without_descriptors_there_is_no_bell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
