/* SPDX-License-Identifier: MIT */
/* test_chan.c - channels, on every stage of stage.h. */
#include "task/chan.h"

#include <errno.h>

#include "stage.h"

#include "base/alloc.h"
#include "sys/fence.h"

enum { LARGEST_ITEM = 1000, LINE = 5 };

static const size_t item_sizes[] = {0, 1, 4, 8, 16, 24, LARGEST_ITEM};

static rv_chan *new_chan(size_t item_bytes, size_t capacity)
{
    rv_chan *ch = NULL;
    RV_CHECK(rv_chan_new(&ch, item_bytes, capacity) == 0);
    return ch;
}

static rv_chan *new_int_chan(size_t capacity)
{
    return new_chan(sizeof(int), capacity);
}

static void send_int(rv_chan *ch, int item)
{
    RV_CHECK(rv_chan_send(ch, &item, RV_NEVER) == 0);
}

static int recv_int(rv_chan *ch)
{
    int item = -1;
    RV_CHECK(rv_chan_recv(ch, &item, RV_NEVER) == 0);
    return item;
}

static void until_senders(rv_chan *ch, size_t count)
{
    until_in_line(&ch->lock, &ch->senders, count);
}

static void until_receivers(rv_chan *ch, size_t count)
{
    until_in_line(&ch->lock, &ch->receivers, count);
}

/* One blocking call of a party of its own. */
struct call {
    rv_chan *ch;
    int item;
    rv_time deadline;
    int result;
};

static int call_send(void *arg)
{
    struct call *call = arg;
    call->result = rv_chan_send(call->ch, &call->item, call->deadline);
    return 0;
}

static int call_recv(void *arg)
{
    struct call *call = arg;
    call->result = rv_chan_recv(call->ch, &call->item, call->deadline);
    return 0;
}

/* Puts LINE calls in line, one after the other: the i-th sends i. */
static void line_up_senders(rv_chan *ch, struct call *calls)
{
    for (int i = 0; i < LINE; i++) {
        calls[i] = (struct call){ch, i, RV_NEVER, 1};
        start(call_send, &calls[i]);
        until_senders(ch, (size_t)i + 1);
    }
}

static void line_up_receivers(rv_chan *ch, struct call *calls)
{
    for (int i = 0; i < LINE; i++) {
        calls[i] = (struct call){ch, -1, RV_NEVER, 1};
        start(call_recv, &calls[i]);
        until_receivers(ch, (size_t)i + 1);
    }
}

/* --- without waiting --- */

static void new_refuses_what_cannot_be_addressed(void **state)
{
    rv_chan *ch = NULL;
    (void)state;
    assert_int_equal(rv_chan_new(&ch, SIZE_MAX, 2), -EOVERFLOW);
    assert_int_equal(rv_chan_new(&ch, SIZE_MAX / 2, 3), -EOVERFLOW);
    assert_int_equal(rv_chan_new(&ch, 1, SIZE_MAX), -EOVERFLOW);
    assert_null(ch);
}

static void new_without_memory_leaves_nothing_behind(void **state)
{
    rv_chan *ch = NULL;
    long live = rvi_alloc_live();
    (void)state;
    rvi_alloc_fail_after(1);
    assert_int_equal(rv_chan_new(&ch, 8, 8), -ENOMEM);
    assert_false(rvi_alloc_fail_pending());
    assert_null(ch);
    assert_int_equal(rvi_alloc_live(), live);
}

static void free_takes_null_and_returns_null(void **state)
{
    (void)state;
    assert_null(rv_chan_free(NULL));
    assert_null(rv_chan_free(new_int_chan(3)));
}

static void free_drops_the_items_inside(void **state)
{
    long live = rvi_alloc_live();
    rv_chan *ch = new_int_chan(3);
    (void)state;
    send_int(ch, 1);
    rv_chan_free(ch);
    assert_int_equal(rvi_alloc_live(), live);
}

static void try_send_says_that_it_is_full(void **state)
{
    rv_chan *ch = new_int_chan(2);
    int item = 7;
    (void)state;
    assert_int_equal(rv_chan_try_send(ch, &item), 0);
    assert_int_equal(rv_chan_try_send(ch, &item), 0);
    assert_int_equal(rv_chan_try_send(ch, &item), -EAGAIN);
    assert_int_equal(rv_chan_count(ch), 2);
    rv_chan_free(ch);
}

static void try_recv_says_that_it_is_empty(void **state)
{
    rv_chan *ch = new_int_chan(2);
    int item = 7;
    (void)state;
    assert_int_equal(rv_chan_try_recv(ch, &item), -EAGAIN);
    assert_int_equal(item, 7);
    send_int(ch, 8);
    assert_int_equal(rv_chan_try_recv(ch, &item), 0);
    assert_int_equal(item, 8);
    rv_chan_free(ch);
}

static void try_forms_find_nobody_without_capacity(void **state)
{
    rv_chan *ch = new_int_chan(0);
    int item = 7;
    (void)state;
    assert_int_equal(rv_chan_try_send(ch, &item), -EAGAIN);
    assert_int_equal(rv_chan_try_recv(ch, &item), -EAGAIN);
    assert_int_equal(rv_chan_count(ch), 0);
    rv_chan_free(ch);
}

static void closed_channel_takes_nothing_and_gives_what_it_has(void **state)
{
    rv_chan *ch = new_int_chan(2);
    int item = 7;
    (void)state;
    send_int(ch, 1);
    rv_chan_close(ch);
    rv_chan_close(ch);
    assert_int_equal(rv_chan_send(ch, &item, RV_NEVER), -EPIPE);
    assert_int_equal(rv_chan_try_send(ch, &item), -EPIPE);
    assert_int_equal(recv_int(ch), 1);
    assert_int_equal(rv_chan_recv(ch, &item, RV_NEVER), -EPIPE);
    assert_int_equal(rv_chan_try_recv(ch, &item), -EPIPE);
    assert_int_equal(item, 7);
    rv_chan_free(ch);
}

static void signals_need_no_memory(void **state)
{
    rv_chan *ch = new_chan(0, SIZE_MAX);
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(rv_chan_send(ch, NULL, RV_NEVER), 0);
    assert_int_equal(rv_chan_item_bytes(ch), 0);
    assert_int_equal(rv_chan_count(ch), 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(rv_chan_try_recv(ch, NULL), 0);
    assert_int_equal(rv_chan_try_recv(ch, NULL), -EAGAIN);
    rv_chan_free(ch);
}

/* Fill to different levels at different places of the ring. */
static void ring_of(size_t capacity)
{
    rv_chan *ch = new_int_chan(capacity);
    int in = 0;
    int out = 0;
    for (size_t level = 1; level <= capacity; level++) {
        for (size_t i = 0; i < level; i++)
            send_int(ch, in++);
        assert_int_equal(rv_chan_count(ch), level);
        for (size_t i = 0; i < level; i++)
            assert_int_equal(recv_int(ch), out++);
    }
    rv_chan_free(ch);
}

static void items_leave_in_the_order_they_came(void **state)
{
    (void)state;
    ring_of(1);
    ring_of(2);
    ring_of(7);
    ring_of(64);
}

/* --- deadlines --- */

static void a_passed_deadline_refuses_only_waiting(void)
{
    rv_chan *ch = new_int_chan(1);
    int item = 7;
    RV_CHECK(rv_chan_recv(ch, &item, 0) == -ETIME);
    RV_CHECK(item == 7);
    RV_CHECK(rv_chan_send(ch, &item, 0) == 0);
    RV_CHECK(rv_chan_send(ch, &item, 0) == -ETIME);
    RV_CHECK(rv_chan_recv(ch, &item, 0) == 0);
    RV_CHECK(rv_chan_count(ch) == 0);
    rv_chan_free(ch);
}

static void recv_gives_up_at_its_deadline_and_not_before(void)
{
    rv_chan *ch = new_int_chan(1);
    int item = 7;
    rv_time deadline = rv_after(2 * RV_MILLISECOND);
    RV_CHECK(rv_chan_recv(ch, &item, deadline) == -ETIME);
    RV_CHECK(rv_now() >= deadline);
    RV_CHECK(item == 7);
    send_int(ch, 1);
    RV_CHECK(rv_chan_count(ch) == 1); /* nobody is left in line to take it */
    rv_chan_free(ch);
}

static void send_that_gave_up_has_sent_nothing(void)
{
    rv_chan *ch = new_int_chan(1);
    int item = 2;
    send_int(ch, 1);
    RV_CHECK(rv_chan_send(ch, &item, rv_after(2 * RV_MILLISECOND)) == -ETIME);
    RV_CHECK(recv_int(ch) == 1);
    RV_CHECK(rv_chan_try_recv(ch, &item) == -EAGAIN);
    rv_chan_free(ch);
}

static void one_that_gives_up_leaves_the_others_in_line(void)
{
    struct call calls[LINE];
    rv_chan *ch = new_int_chan(0);
    int item = 100;
    line_up_senders(ch, calls);
    RV_CHECK(rv_chan_send(ch, &item, rv_after(2 * RV_MILLISECOND)) == -ETIME);
    for (int i = 0; i < LINE; i++)
        RV_CHECK(recv_int(ch) == i);
    RV_CHECK(rv_chan_try_recv(ch, &item) == -EAGAIN);
    finish();
    rv_chan_free(ch);
}

/* Of a fresh worker: its timers have no memory yet. */
static void a_wait_without_memory_for_its_timer_changes_nothing(void)
{
    rv_chan *ch = new_int_chan(1);
    int item = 7;
    rvi_alloc_fail_after(1);
    int err = rv_chan_recv(ch, &item, rv_after(RV_MILLISECOND));
    RV_CHECK(err == (rvi_alloc_fail_pending() ? -ETIME : -ENOMEM));
    rvi_alloc_fail_after(-1);
    RV_CHECK(item == 7);
    send_int(ch, 1);
    RV_CHECK(rv_chan_count(ch) == 1); /* nobody is left in line to take it */
    rv_chan_free(ch);
}

/* --- meeting --- */

static void fill(unsigned char *item, size_t bytes, unsigned round)
{
    for (size_t i = 0; i < bytes; i++)
        item[i] = (unsigned char)(i * 7 + round);
}

static void check_filled(const unsigned char *item, size_t bytes, unsigned round)
{
    unsigned char expected[LARGEST_ITEM];
    fill(expected, bytes, round);
    RV_CHECK(memcmp(item, expected, bytes) == 0);
    RV_CHECK(item[bytes] == 0xee);
}

enum { ROUNDS = 50 };

static int send_patterns(void *arg)
{
    rv_chan *ch = arg;
    unsigned char item[LARGEST_ITEM];
    for (unsigned round = 0; round < ROUNDS; round++) {
        fill(item, rv_chan_item_bytes(ch), round);
        RV_CHECK(rv_chan_send(ch, item, RV_NEVER) == 0);
    }
    return 0;
}

static void every_size_arrives_whole(void)
{
    unsigned char item[LARGEST_ITEM + 1];
    for (size_t i = 0; i < sizeof(item_sizes) / sizeof(item_sizes[0]); i++) {
        for (size_t capacity = 0; capacity <= 3; capacity++) {
            rv_chan *ch = new_chan(item_sizes[i], capacity);
            start(send_patterns, ch);
            for (unsigned round = 0; round < ROUNDS; round++) {
                memset(item, 0xee, sizeof(item));
                RV_CHECK(rv_chan_recv(ch, item, RV_NEVER) == 0);
                check_filled(item, item_sizes[i], round);
            }
            finish();
            rv_chan_free(ch);
        }
    }
}

static void senders_are_served_in_line(void)
{
    struct call calls[LINE];
    for (size_t capacity = 0; capacity <= 2; capacity++) {
        rv_chan *ch = new_int_chan(capacity);
        for (size_t i = 0; i < capacity; i++)
            send_int(ch, -1);
        line_up_senders(ch, calls);
        RV_CHECK(rv_chan_count(ch) == capacity);
        for (size_t i = 0; i < capacity; i++)
            RV_CHECK(recv_int(ch) == -1);
        for (int i = 0; i < LINE; i++)
            RV_CHECK(recv_int(ch) == i);
        finish();
        for (int i = 0; i < LINE; i++)
            RV_CHECK(calls[i].result == 0);
        rv_chan_free(ch);
    }
}

static void receivers_are_served_in_line(void)
{
    struct call calls[LINE];
    for (size_t capacity = 0; capacity <= 2; capacity++) {
        rv_chan *ch = new_int_chan(capacity);
        line_up_receivers(ch, calls);
        for (int i = 0; i < LINE; i++)
            RV_CHECK(rv_chan_try_send(ch, &i) == 0);
        finish();
        for (int i = 0; i < LINE; i++)
            RV_CHECK(calls[i].result == 0 && calls[i].item == i);
        rv_chan_free(ch);
    }
}

static void nobody_overtakes_a_waiting_sender(void)
{
    rv_chan *ch = new_int_chan(1);
    struct call waiting = {ch, 2, RV_NEVER, 1};
    int late = 3;
    send_int(ch, 1);
    start(call_send, &waiting);
    until_senders(ch, 1);
    RV_CHECK(recv_int(ch) == 1);
    RV_CHECK(rv_chan_try_send(ch, &late) == -EAGAIN); /* the room was the waiting sender's */
    RV_CHECK(recv_int(ch) == 2);
    finish();
    rv_chan_free(ch);
}

static void without_capacity_send_returns_when_it_was_received(void)
{
    rv_chan *ch = new_int_chan(0);
    struct call sending = {ch, 5, RV_NEVER, 1};
    int item = -1;
    start(call_send, &sending);
    until_senders(ch, 1);
    RV_CHECK(rv_chan_count(ch) == 0);
    RV_CHECK(rv_chan_try_recv(ch, &item) == 0);
    RV_CHECK(item == 5);
    finish();
    RV_CHECK(sending.result == 0);
    rv_chan_free(ch);
}

static void close_wakes_all_receivers(void)
{
    struct call calls[LINE];
    rv_chan *ch = new_int_chan(2);
    line_up_receivers(ch, calls);
    rv_chan_close(ch);
    finish();
    for (int i = 0; i < LINE; i++)
        RV_CHECK(calls[i].result == -EPIPE && calls[i].item == -1);
    rv_chan_free(ch);
}

static void close_wakes_all_senders_and_drops_their_items(void)
{
    struct call calls[LINE];
    rv_chan *ch = new_int_chan(1);
    int item = -1;
    send_int(ch, 100);
    line_up_senders(ch, calls);
    rv_chan_close(ch);
    finish();
    for (int i = 0; i < LINE; i++)
        RV_CHECK(calls[i].result == -EPIPE);
    RV_CHECK(recv_int(ch) == 100);
    RV_CHECK(rv_chan_try_recv(ch, &item) == -EPIPE);
    rv_chan_free(ch);
}

static int recv_and_free(void *arg)
{
    struct call *call = arg;
    call->result = rv_chan_recv(call->ch, &call->item, RV_NEVER);
    rv_chan_free(call->ch);
    return 0;
}

static void the_woken_may_free_the_channel(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        struct call call = {new_int_chan((size_t)i % 2), -1, RV_NEVER, 1};
        start(recv_and_free, &call);
        if (i % 3 == 0)
            until_receivers(call.ch, 1);
        if (i % 5 == 0)
            rv_chan_close(call.ch);
        else
            send_int(call.ch, i);
        finish();
        RV_CHECK(i % 5 == 0 ? call.result == -EPIPE : call.result == 0 && call.item == i);
    }
}

static int echo(void *arg)
{
    rv_chan **both = arg;
    int item;
    int err;
    while ((err = rv_chan_recv(both[0], &item, RV_NEVER)) == 0)
        send_int(both[1], item + 1);
    RV_CHECK(err == -EPIPE);
    return 0;
}

static void two_channels_make_a_conversation(void)
{
    rv_chan *both[] = {new_int_chan(0), new_int_chan(1)};
    start(echo, both);
    for (int i = 0; i < 20 * ROUNDS; i++) {
        send_int(both[0], i);
        RV_CHECK(recv_int(both[1]) == i + 1);
    }
    rv_chan_close(both[0]);
    finish();
    rv_chan_free(both[0]);
    rv_chan_free(both[1]);
}

static void a_conversation_with_real_fences(void **state)
{
    (void)state;
    rvi_fence_asym_force_symmetric(true);
    perform(ONE_WORKER, two_channels_make_a_conversation);
    perform(TWO_WORKERS, two_channels_make_a_conversation);
    rvi_fence_asym_force_symmetric(false);
}

/* --- cancellation --- */

static int calls_of_a_cancelled_task(void *arg)
{
    rv_chan *ch = arg;
    int item = 7;
    RV_CHECK(rv_chan_recv(ch, &item, RV_NEVER) == -ECANCELED);
    RV_CHECK(rv_chan_recv(ch, &item, RV_NEVER) == -ECANCELED); /* and again */
    RV_CHECK(rv_chan_send(ch, &item, RV_NEVER) == -ECANCELED);
    RV_CHECK(item == 7);
    RV_CHECK(rv_chan_try_send(ch, &item) == 0);
    RV_CHECK(rv_chan_recv(ch, &item, RV_NEVER) == -ECANCELED); /* though one is there */
    RV_CHECK(rv_chan_try_recv(ch, &item) == 0);
    rv_chan_close(ch);
    return 0;
}

static void cancelled_tasks_do_not_wait_but_can_tidy_up(void)
{
    rv_chan *ch = new_int_chan(1);
    int item = 0;
    RV_CHECK(rv_go(now_on.scope, calls_of_a_cancelled_task, ch) == 0);
    until_receivers(ch, 1);
    rv_scope_cancel(now_on.scope, 0);
    RV_CHECK(rv_scope_close(now_on.scope) == -ECANCELED);
    open_stage();
    RV_CHECK(rv_chan_recv(ch, &item, RV_NEVER) == -EPIPE);
    rv_chan_free(ch);
}

static int cancelled_send(void *arg)
{
    struct call *call = arg;
    call_send(call);
    return call->result;
}

static void cancelling_a_sender_takes_its_item_back(void)
{
    rv_chan *ch = new_int_chan(1);
    struct call call = {ch, 2, RV_NEVER, 1};
    int item = 0;
    send_int(ch, 1);
    RV_CHECK(rv_go(now_on.scope, cancelled_send, &call) == 0);
    until_senders(ch, 1);
    rv_scope_cancel(now_on.scope, 0);
    RV_CHECK(rv_scope_close(now_on.scope) == -ECANCELED);
    open_stage();
    RV_CHECK(call.result == -ECANCELED);
    RV_CHECK(recv_int(ch) == 1);
    RV_CHECK(rv_chan_try_recv(ch, &item) == -EAGAIN);
    rv_chan_free(ch);
}

/* --- misuse --- */

static void free_with_a_receiver(void)
{
    rv_chan *ch = new_int_chan(1);
    struct call call = {ch, -1, RV_NEVER, 1};
    start(call_recv, &call);
    until_receivers(ch, 1);
    rv_chan_free(ch);
}

static void free_with_a_sender(void)
{
    rv_chan *ch = new_int_chan(0);
    struct call call = {ch, -1, RV_NEVER, 1};
    start(call_send, &call);
    until_senders(ch, 1);
    rv_chan_free(ch);
}

static void free_while_somebody_waits_stops_the_program(void **state)
{
    (void)state;
    assert_panics(THREADS, free_with_a_receiver, "rv_chan_free: somebody still waits on it");
    assert_panics(ONE_WORKER, free_with_a_receiver, "rv_chan_free: somebody still waits on it");
    assert_panics(ONE_WORKER, free_with_a_sender, "rv_chan_free: somebody still waits on it");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_refuses_what_cannot_be_addressed),
        cmocka_unit_test(new_without_memory_leaves_nothing_behind),
        cmocka_unit_test(free_takes_null_and_returns_null),
        cmocka_unit_test(free_drops_the_items_inside),
        cmocka_unit_test(try_send_says_that_it_is_full),
        cmocka_unit_test(try_recv_says_that_it_is_empty),
        cmocka_unit_test(try_forms_find_nobody_without_capacity),
        cmocka_unit_test(closed_channel_takes_nothing_and_gives_what_it_has),
        cmocka_unit_test(signals_need_no_memory),
        cmocka_unit_test(items_leave_in_the_order_they_came),
        ON_EVERY_STAGE(a_passed_deadline_refuses_only_waiting),
        ON_EVERY_STAGE(recv_gives_up_at_its_deadline_and_not_before),
        ON_EVERY_STAGE(send_that_gave_up_has_sent_nothing),
        ON_EVERY_STAGE(one_that_gives_up_leaves_the_others_in_line),
        ON_EVERY_STAGE(every_size_arrives_whole),
        ON_EVERY_STAGE(senders_are_served_in_line),
        ON_EVERY_STAGE(receivers_are_served_in_line),
        ON_EVERY_STAGE(nobody_overtakes_a_waiting_sender),
        ON_EVERY_STAGE(without_capacity_send_returns_when_it_was_received),
        ON_EVERY_STAGE(close_wakes_all_receivers),
        ON_EVERY_STAGE(close_wakes_all_senders_and_drops_their_items),
        ON_EVERY_STAGE(the_woken_may_free_the_channel),
        ON_EVERY_STAGE(two_channels_make_a_conversation),
        cmocka_unit_test(a_conversation_with_real_fences),
        performance("a_wait_without_memory_for_its_timer_changes_nothing", on_one_worker,
                    a_wait_without_memory_for_its_timer_changes_nothing),
        ON_TASKS(cancelled_tasks_do_not_wait_but_can_tidy_up),
        ON_TASKS(cancelling_a_sender_takes_its_item_back),
        cmocka_unit_test(free_while_somebody_waits_stops_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
