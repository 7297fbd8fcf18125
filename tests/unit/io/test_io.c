/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <ravel.h>

#include "../sched/sched_test.h"

static int write_late(void *fd)
{
    int r = rv_sleep(2 * RV_MILLISECOND);
    return r < 0 ? r : rv_write_all(*(int *)fd, "hello", 5, NULL, RV_NEVER);
}

static int read_from_a_sibling(void *arg)
{
    int ends[2], err;
    char text[8];
    (void)arg;
    RV_CHECK(pipe2(ends, O_CLOEXEC) == 0);
    RV_SCOPE(s, err) {
        RV_CHECK(rv_go(s, write_late, &ends[1]) == 0);
        RV_CHECK(rv_read(ends[0], text, sizeof(text), RV_NEVER) == 5);
        RV_CHECK(memcmp(text, "hello", 5) == 0);
    }
    RV_CHECK(rv_close(ends[0]) == 0 && rv_close(ends[1]) == 0);
    return err;
}

static void a_read_waits_for_what_is_written(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, read_from_a_sibling, NULL), 0);
    assert_int_equal(run_on(2, read_from_a_sibling, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_waits_for_what_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
