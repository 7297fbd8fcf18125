/* SPDX-License-Identifier: MIT */
/* test_uring.c - operations go into a ring and each end comes out with its token: when it is done,
 * when it is cancelled, and when the kernel takes nothing for a while. */
#include "sys/uring.h"

#include <poll.h>

#include "descriptors.h"
#include "sys/call.h"
#include "sys/clock.h"

enum { READ = 7, CANCEL, WATCH };

static struct rvi_uring *ring;
static int fds[2];
static char bytes[PORTION];

/* Valgrind does not see what the kernel writes. */
static int open_ring(void **state)
{
    (void)state;
    if (is_under_valgrind() || rvi_uring_open(&ring) < 0)
        ring = NULL;
    return open_pair(OF_PIPE, true, fds) ? 0 : -1;
}

static int close_ring(void **state)
{
    (void)state;
    if (ring)
        rvi_uring_close(ring);
    close_pair(fds);
    return 0;
}

static void push_read(void)
{
    const struct rvi_op op = rvi_op_read(fds[0], bytes, PORTION, RVI_OP_AT_POSITION);
    if (!ring)
        skip();
    assert_int_equal(rvi_uring_push(ring, &op, READ), 0);
}

/* The next one, waited for. */
static struct rvi_uring_end take(void)
{
    struct rvi_uring_end end;
    while (rvi_uring_take(ring, &end, 1) == 0)
        rvi_uring_enter(ring, INT64_MAX);
    return end;
}

static void takes_the_read(void)
{
    struct rvi_uring_end end = take();
    assert_true(end.token == READ && end.result == PORTION && end.is_last);
}

static void an_operation_ends_once_with_its_token(void **state)
{
    struct rvi_uring_end end;
    (void)state;
    push_read();
    rvi_uring_enter(ring, 0);
    assert_int_equal(rvi_uring_take(ring, &end, 1), 0);
    send_portion(fds);
    takes_the_read();
    rvi_uring_enter(ring, 0);
    assert_int_equal(rvi_uring_take(ring, &end, 1), 0);
}

static void a_watch_tells_each_time_and_goes_on(void **state)
{
    (void)state;
    if (!ring)
        skip();
    assert_int_equal(rvi_uring_push_watch(ring, fds[0], WATCH), 0);
    for (int i = 0; i < 3; i++) {
        send_portion(fds);
        struct rvi_uring_end end = take();
        assert_true(end.token == WATCH && (end.result & POLLIN) && !end.is_last);
        empty(fds[0]);
    }
}

static void takes_a_cancelled_read(void)
{
    bool has_ended[2] = {false, false};
    for (int i = 0; i < 2; i++) {
        struct rvi_uring_end end = take();
        assert_true(end.token == READ || end.token == CANCEL);
        assert_true(end.token == CANCEL ? end.result >= 0 : end.result == -ECANCELED);
        has_ended[end.token == CANCEL] = true;
    }
    assert_true(has_ended[0] && has_ended[1]);
}

static void what_is_cancelled_ends_and_so_does_the_cancelling(void **state)
{
    (void)state;
    push_read();
    rvi_uring_enter(ring, 0);
    assert_int_equal(rvi_uring_push_cancel(ring, READ, CANCEL), 0);
    takes_a_cancelled_read();
}

/* 5.19 and later know it; others say that they do not. */
static void all_of_a_descriptor_can_be_cancelled(void **state)
{
    (void)state;
    push_read();
    rvi_uring_enter(ring, 0);
    assert_int_equal(rvi_uring_push_cancel_fd(ring, fds[0], CANCEL), 0);
    struct rvi_uring_end end = take();
    if (end.token == CANCEL && end.result < 0)
        assert_int_equal(rvi_uring_push_cancel(ring, READ, CANCEL), 0);
    else
        assert_true(end.token == CANCEL || end.result == -ECANCELED);
    end = take();
    assert_true(end.token == CANCEL || end.result == -ECANCELED);
}

static void what_is_refused_once_is_taken_the_next_time(void **state)
{
    (void)state;
    if (RVI_DEBUG_CHECKS < 1)
        skip();
    for (unsigned variant = 0; variant < 2; variant++) {
        push_read();
        send_portion(fds);
        rvi_call_fail_after(1, variant, false);
        takes_the_read();
        assert_false(rvi_call_fail_pending());
        rvi_call_fail_after(-1, 0, false);
    }
}

static void regress_a_kernel_that_takes_nothing_is_asked_with_pauses(void **state)
{
    enum { LENGTH_MS = 30 };
    struct rvi_uring_end end;
    int asked = 0;
    (void)state;
    if (RVI_DEBUG_CHECKS < 1)
        skip();
    push_read();
    send_portion(fds);
    rvi_call_lacks(RVI_CALL_ENTER_RING, true);
    const int64_t deadline = rvi_clock_now() + LENGTH_MS * 1000000;
    do {
        rvi_uring_enter(ring, deadline);
        asked++;
    } while (rvi_clock_now() < deadline);
    rvi_call_lacks(RVI_CALL_ENTER_RING, false);
    assert_in_range(asked, 1, 2 * LENGTH_MS);
    assert_int_equal(rvi_uring_take(ring, &end, 1), 0);
    takes_the_read();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_operation_ends_once_with_its_token, open_ring,
                                        close_ring),
        cmocka_unit_test_setup_teardown(a_watch_tells_each_time_and_goes_on, open_ring, close_ring),
        cmocka_unit_test_setup_teardown(what_is_cancelled_ends_and_so_does_the_cancelling,
                                        open_ring, close_ring),
        cmocka_unit_test_setup_teardown(all_of_a_descriptor_can_be_cancelled, open_ring,
                                        close_ring),
        cmocka_unit_test_setup_teardown(what_is_refused_once_is_taken_the_next_time, open_ring,
                                        close_ring),
        cmocka_unit_test_setup_teardown(regress_a_kernel_that_takes_nothing_is_asked_with_pauses,
                                        open_ring, close_ring),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
