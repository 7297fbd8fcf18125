/* SPDX-License-Identifier: MIT */
/* stress_dump.c - dump after dump, from a task and from a plain thread, while tasks are started,
 * block, migrate, are stolen and end, and scopes open and close under them. */
#include <ravel/inspect.h>

#include <fcntl.h>
#include <unistd.h>

#include "stress.h"

enum { ROUNDS = 6, CHILDREN = 40, SHOVELS = 6 };

static int null_fd;
static _Atomic(bool) is_over, is_outsider_done;

static int child(void *arg)
{
    uintptr_t kind = (uintptr_t)arg;
    if (kind % 5 == 0)
        return rv_migrate((unsigned)(kind / 5) % rv_run_workers());
    if (kind % 5 == 1)
        return rv_sleep((rv_time)(kind % 7) * 10 * RV_MICROSECOND);
    if (kind % 5 == 2)
        rv_yield();
    return 0;
}

/* Opens and closes scopes until the dumps are over. */
static int shovel(void *arg)
{
    uintptr_t kind = (uintptr_t)arg;
    int err = 0;
    while (err == 0 && !rvi_load_relaxed(&is_over)) {
        RV_SCOPE(s, err, .name = "shovel") {
            for (uintptr_t i = 0; i < CHILDREN; i++)
                RV_CHECK(rv_go(s, child, (void *)(kind + i)) == 0); /* NOLINT: a number */
        }
        RV_CHECK(rv_task_rename(kind++ % 2 ? "odd" : "even") == 0);
    }
    return err;
}

static int dump_often(void *arg)
{
    size_t rounds = scaled(ROUNDS, 3);
    (void)arg;
    for (size_t i = 0; i < rounds; i++)
        RV_CHECK(rv_dump(null_fd) == 0);
    return 0;
}

static void *dump_from_outside(void *arg)
{
    RV_CHECK(dump_often(NULL) == 0);
    rvi_store_relaxed(&is_outsider_done, true);
    return arg;
}

static int dump_while_they_run(void *arg)
{
    pthread_t outsider;
    int err;
    (void)arg;
    rvi_store_relaxed(&is_over, false);
    rvi_store_relaxed(&is_outsider_done, false);
    RV_CHECK(pthread_create(&outsider, NULL, dump_from_outside, NULL) == 0);
    RV_SCOPE(s, err) {
        for (uintptr_t i = 0; i < SHOVELS; i++)
            RV_CHECK(rv_go(s, shovel, (void *)i) == 0); /* NOLINT: a number */
        RV_CHECK(dump_often(NULL) == 0);
        while (!rvi_load_relaxed(&is_outsider_done))
            RV_CHECK(rv_sleep(RV_MILLISECOND) == 0);
        rvi_store_relaxed(&is_over, true);
    }
    pthread_join(outsider, NULL);
    return err;
}

static void dumps_disturb_nobody(void **state)
{
    (void)state;
    null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    assert_true(null_fd >= 0);
    run_on(1, dump_while_they_run, NULL);
    run_on(2, dump_while_they_run, NULL);
    run_on(4, dump_while_they_run, NULL);
    close(null_fd);
}

static int end_at_once(void *arg)
{
    (void)arg;
    return 0;
}

static void runtimes_begin_and_end_under_a_dump(void **state)
{
    pthread_t outsider;
    (void)state;
    null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    assert_int_equal(pthread_create(&outsider, NULL, dump_from_outside, NULL), 0);
    for (size_t i = 0; i < scaled(100, 10); i++)
        run_on(1 + i % 3, end_at_once, NULL);
    pthread_join(outsider, NULL);
    close(null_fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dumps_disturb_nobody),
        cmocka_unit_test(runtimes_begin_and_end_under_a_dump),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
