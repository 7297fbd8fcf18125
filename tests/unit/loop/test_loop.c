/* SPDX-License-Identifier: MIT */
/* test_loop.c - an operation that was submitted ends once, on either backend; calls end a sleep. */
#include "loop/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "../sys/sys_test.h"
#include "base/alloc.h"
#include "loop/fds.h"
#include "sys/call.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/op.h"

enum { MANY = 5000 }; /* more than a ring has room for */

static struct rvi_loop *loop;
static enum rv_backend backend;
static int call, ends[2];

struct counted {
    struct rvi_pending pending;
    struct rvi_op op;
    size_t ends;
};

static void count_end(struct rvi_pending *p)
{
    rvi_container_of(p, struct counted, pending)->ends++;
}

static void prepare(struct counted *c, struct rvi_op op)
{
    *c = (struct counted){.op = op, .pending = {.op = &c->op, .done = count_end}};
}

static int setup(void **state)
{
    (void)state;
    call = rvi_fd_event();
    assert_true(call >= 0);
    assert_int_equal(rvi_fd_pipe(ends, O_NONBLOCK), 0);
    rvi_fds_made(ends[0], true);
    rvi_fds_made(ends[1], true);
    loop = NULL;
    if (backend != RV_BACKEND_URING || !is_under_valgrind())
        return rvi_loop_open(&loop, backend, call) < 0 && backend == RV_BACKEND_EPOLL;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rvi_loop_close(loop);
    for (int i = 0; i < 2; i++) {
        rvi_fds_closing(ends[i]);
        close(ends[i]);
    }
    close(call);
    return 0;
}

static void need_loop(void)
{
    if (!loop)
        skip();
}

static void reap_until_over(const struct counted *c)
{
    while (c->ends == 0)
        rvi_loop_sleep(loop, RV_NEVER);
}

static void an_operation_ends_when_its_descriptor_is_ready(void **state)
{
    (void)state;
    need_loop();
    struct counted c;
    prepare(&c, rvi_op_poll(ends[0], POLLIN));
    assert_int_equal(rvi_loop_submit(loop, &c.pending), 0);
    assert_true(rvi_loop_is_busy(loop));
    rvi_loop_reap(loop);
    assert_int_equal(c.ends, 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    reap_until_over(&c);
    assert_int_equal(c.pending.result & POLLIN, POLLIN);
    assert_false(rvi_loop_is_busy(loop));
    rvi_loop_reap(loop);
    assert_int_equal(c.ends, 1);
}

static void a_cancelled_one_ends_once(void **state)
{
    (void)state;
    need_loop();
    for (int entered = 0; entered < 2; entered++) {
        struct counted c;
        char byte;
        prepare(&c, rvi_op_read(ends[0], &byte, 1, RVI_OP_AT_POSITION));
        assert_int_equal(rvi_loop_submit(loop, &c.pending), 0);
        if (entered)
            rvi_loop_reap(loop);
        if (!rvi_loop_cancel(loop, &c.pending)) {
            reap_until_over(&c);
            assert_int_equal(c.pending.result, -ECANCELED);
        } else
            assert_int_equal(c.ends, 0);
        assert_false(rvi_loop_is_busy(loop));
    }
}

static void a_deadline_ends_a_sleep(void **state)
{
    (void)state;
    need_loop();
    struct counted c;
    prepare(&c, rvi_op_poll(ends[0], POLLIN));
    assert_int_equal(rvi_loop_submit(loop, &c.pending), 0);
    const rv_time past[] = {-1, 0, 1, rvi_clock_now(), rvi_clock_now() + 100};
    for (size_t i = 0; i < sizeof(past) / sizeof(past[0]); i++)
        rvi_loop_sleep(loop, past[i]);
    for (rv_time until = rvi_clock_now() + 20 * RV_MILLISECOND; rvi_clock_now() < until;)
        rvi_loop_sleep(loop, until);
    assert_int_equal(c.ends, 0);
    if (!rvi_loop_cancel(loop, &c.pending))
        reap_until_over(&c);
}

static void *signal_call(void *arg)
{
    (void)arg;
    rvi_fd_event_signal(call);
    return NULL;
}

static void a_call_ends_a_sleep_again_and_again(void **state)
{
    (void)state;
    need_loop();
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, signal_call, NULL), 0);
        rvi_loop_sleep(loop, RV_NEVER); /* the runner's time limit says if it does not end */
        pthread_join(thread, NULL);
    }
}

static void more_than_a_ring_holds_may_be_under_way(void **state)
{
    (void)state;
    need_loop();
    size_t over = 0;
    struct counted *all = test_calloc(MANY, sizeof(*all));
    for (size_t i = 0; i < MANY; i++) {
        prepare(&all[i], rvi_op_poll(ends[0], POLLIN));
        assert_int_equal(rvi_loop_submit(loop, &all[i].pending), 0);
    }
    for (size_t i = 0; i < MANY; i += 2)
        over += rvi_loop_cancel(loop, &all[i].pending);
    assert_int_equal(write(ends[1], "x", 1), 1);
    while (rvi_loop_is_busy(loop))
        rvi_loop_sleep(loop, RV_NEVER);
    for (size_t i = 0; i < MANY; i++)
        over += all[i].ends;
    assert_int_equal(over, MANY);
    test_free(all);
}

static void closing_ends_what_waits(void **state)
{
    (void)state;
    need_loop();
    struct counted c;
    prepare(&c, rvi_op_poll(ends[0], POLLIN));
    assert_int_equal(rvi_loop_submit(loop, &c.pending), 0);
    rvi_loop_reap(loop);
    rvi_loop_closing(loop, ends[0]);
    reap_until_over(&c);
    assert_int_equal(c.pending.result, -EBADF);
}

static void a_kernel_that_is_busy_is_asked_again(void **state)
{
    (void)state;
    need_loop();
    if (RVI_DEBUG_CHECKS < 1 || backend != RV_BACKEND_URING)
        skip();
    struct counted c;
    prepare(&c, rvi_op_poll(ends[1], POLLOUT));
    assert_int_equal(rvi_loop_submit(loop, &c.pending), 0);
    rvi_call_fail_after(1, 1, false);
    rvi_loop_reap(loop);
    assert_false(rvi_call_fail_pending());
    assert_int_equal(c.ends, 0);
    reap_until_over(&c);
    rvi_call_fail_after(-1, 0, false);
}

static void a_backend_that_cannot_be_opened_leaves_nothing(void **state)
{
    (void)state;
    need_loop();
    if (RVI_DEBUG_CHECKS < 1)
        skip();
    long before = rvi_alloc_live();
    bool is_open = false;
    for (long n = 1; !is_open; n++) {
        struct rvi_loop *other;
        rvi_call_fail_after(n, 0, true);
        is_open = rvi_loop_open(&other, backend, call) == 0;
        rvi_call_fail_after(-1, 0, false);
        if (is_open)
            rvi_loop_close(other);
        assert_int_equal(rvi_alloc_live(), before);
    }
}

/* --- whose a number is --- */

static void a_number_is_ours_until_it_is_closed_or_made_by_others(void **state)
{
    (void)state;
    const int fd = RVI_FDS_MOST - 1;
    assert_int_equal(rvi_fds_generation(fd), 0);
    rvi_fds_made(fd, true);
    uint32_t first = rvi_fds_generation(fd);
    rvi_fds_made(fd, true);
    uint32_t second = rvi_fds_generation(fd);
    assert_true(first != 0 && second != 0 && first != second);
    rvi_fds_closing(fd);
    assert_int_equal(rvi_fds_generation(fd), 0);
    rvi_fds_closing(fd);
    rvi_fds_made(fd, true);
    assert_true(rvi_fds_generation(fd) != second && rvi_fds_generation(fd) != 0);
    rvi_fds_made(fd, false);
    assert_int_equal(rvi_fds_generation(fd), 0);
    rvi_fds_made(RVI_FDS_MOST, true);
    rvi_fds_made(-1, true);
    assert_int_equal(rvi_fds_generation(RVI_FDS_MOST), 0);
    assert_int_equal(rvi_fds_generation(-1), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_operation_ends_when_its_descriptor_is_ready),
        TEST(a_cancelled_one_ends_once),
        TEST(a_deadline_ends_a_sleep),
        TEST(a_call_ends_a_sleep_again_and_again),
        TEST(more_than_a_ring_holds_may_be_under_way),
        TEST(closing_ends_what_waits),
        TEST(a_kernel_that_is_busy_is_asked_again),
        TEST(a_backend_that_cannot_be_opened_leaves_nothing),
        TEST(a_number_is_ours_until_it_is_closed_or_made_by_others),
    };
    backend = RV_BACKEND_EPOLL;
    int failed = cmocka_run_group_tests_name("epoll", tests, NULL, NULL);
    backend = RV_BACKEND_URING;
    return failed + cmocka_run_group_tests_name("uring", tests, NULL, NULL);
}
