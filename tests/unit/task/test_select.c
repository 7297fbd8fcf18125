/* SPDX-License-Identifier: MIT */
/* test_select.c - waiting for the first of several things, on every stage of stage.h. */
#include <ravel/select.h>

#include <errno.h>
#include <limits.h>

#include "stage.h"

#include "base/alloc.h"
#include "task/chan.h"

enum { MANY = 1000, ROUNDS = 60 };

static rv_chan *new_chan(size_t capacity)
{
    rv_chan *ch = NULL;
    RV_CHECK(rv_chan_new(&ch, sizeof(int), capacity) == 0);
    return ch;
}

static void until_receivers(rv_chan *ch, size_t count)
{
    until_in_line(&ch->lock, &ch->receivers, count);
}

static void until_senders(rv_chan *ch, size_t count)
{
    until_in_line(&ch->lock, &ch->senders, count);
}

static void check_nobody_in_line(rv_chan *ch)
{
    RV_CHECK(count_line(&ch->lock, &ch->receivers) == 0);
    RV_CHECK(count_line(&ch->lock, &ch->senders) == 0);
}

static int recv_int(rv_chan *ch)
{
    int item = -1;
    RV_CHECK(rv_chan_recv(ch, &item, RV_NEVER) == 0);
    return item;
}

/* --- without waiting --- */

static void what_can_happen_at_once_happens(void **state)
{
    rv_chan *full = new_chan(1);
    rv_chan *empty = new_chan(1);
    struct rv_event never = RV_EVENT_INIT;
    int in = 7;
    int out = -1;
    (void)state;
    assert_int_equal(rv_chan_try_send(full, &in), 0);
    struct rv_case receive[] = {RV_RECV(empty, &out), RV_SEND(full, &in), RV_EVENT(&never),
                                RV_RECV(full, &out)};
    assert_int_equal(rv_select(receive, 4, RV_NEVER), 3);
    assert_int_equal(receive[3].result, 0);
    assert_int_equal(out, 7);
    struct rv_case send[] = {RV_RECV(empty, &out), RV_EVENT(&never), RV_SEND(empty, &in)};
    assert_int_equal(rv_try_select(send, 3), 2);
    assert_int_equal(send[2].result, 0);
    assert_int_equal(rv_chan_count(empty), 1);
    rv_event_set(&never);
    struct rv_case happened[] = {RV_SEND(empty, &in), RV_EVENT(&never)};
    assert_int_equal(rv_select(happened, 2, RV_NEVER), 1);
    assert_int_equal(happened[1].result, 0);
    rv_chan_free(full);
    rv_chan_free(empty);
}

static void try_says_that_nothing_can(void **state)
{
    rv_chan *ch = new_chan(1);
    struct rv_event never = RV_EVENT_INIT;
    int item = 7;
    struct rv_case cases[] = {RV_RECV(ch, &item), RV_EVENT(&never), RV_SEND(NULL, &item)};
    (void)state;
    assert_int_equal(rv_try_select(cases, 3), -EAGAIN);
    assert_int_equal(rv_try_select(cases, 0), -EAGAIN);
    assert_int_equal(item, 7);
    rv_chan_free(ch);
}

static void a_closed_channel_is_an_outcome_of_its_case(void **state)
{
    rv_chan *ch = new_chan(1);
    int item = 7;
    struct rv_case receive[] = {RV_RECV(ch, &item)};
    struct rv_case send[] = {RV_SEND(ch, &item)};
    (void)state;
    assert_int_equal(rv_chan_try_send(ch, &item), 0);
    rv_chan_close(ch);
    assert_int_equal(rv_select(send, 1, RV_NEVER), 0);
    assert_int_equal(send[0].result, -EPIPE);
    assert_int_equal(rv_select(receive, 1, RV_NEVER), 0);
    assert_int_equal(receive[0].result, 0);
    assert_int_equal(rv_try_select(receive, 1), 0);
    assert_int_equal(receive[0].result, -EPIPE);
    assert_int_equal(item, 7);
    rv_chan_free(ch);
}

static void unknown_things_are_refused_before_anything_happens(void **state)
{
    rv_chan *ch = new_chan(1);
    int item = 7;
    struct rv_case cases[] = {RV_SEND(ch, &item), {(enum rv_case_op)99, NULL, NULL, NULL, 0}};
    (void)state;
    assert_int_equal(rv_select(cases, 2, RV_NEVER), -EINVAL);
    assert_int_equal(rv_try_select(cases, 2), -EINVAL);
    assert_int_equal(rv_try_select(cases, (size_t)INT_MAX + 1), -EINVAL);
    assert_int_equal(rv_chan_count(ch), 0);
    rv_chan_free(ch);
}

static void each_of_two_that_always_can_has_its_turn(void)
{
    struct rv_event both[] = {RV_EVENT_INIT, RV_EVENT_INIT};
    struct rv_case cases[] = {RV_EVENT(&both[0]), RV_EVENT(&both[1])};
    int seen[2] = {0};
    rv_event_set(&both[0]);
    rv_event_set(&both[1]);
    while (seen[0] == 0 || seen[1] == 0) {
        int which = rv_select(cases, 2, RV_NEVER);
        RV_CHECK(which == 0 || which == 1);
        seen[which]++;
    }
}

/* --- waiting --- */

/* A call of a party of its own: receive from `in`, send `out` to `to`, or `stop`. */
struct call {
    rv_chan *in;
    rv_chan *to;
    struct rv_event *stop;
    int received;
    int sent;
    rv_time deadline;
    int which;
    int result;
};

static int call_select(void *arg)
{
    struct call *call = arg;
    struct rv_case cases[] = {RV_RECV(call->in, &call->received), RV_SEND(call->to, &call->sent),
                              RV_EVENT(call->stop)};
    cases[0].result = cases[1].result = cases[2].result = 1;
    call->which = rv_select(cases, 3, call->deadline);
    for (int i = 0; i < 3; i++) {
        if (i == call->which)
            call->result = cases[i].result;
        else
            RV_CHECK(cases[i].result == 1);
    }
    return 0;
}

/* What a call waits at: an empty channel, a full one, an event. */
struct scene {
    struct rv_event stop;
    struct call call;
};

static void open_scene(struct scene *s)
{
    *s = (struct scene){.call = {.received = -1, .sent = 5, .deadline = RV_NEVER}};
    s->call.in = new_chan(0);
    s->call.to = new_chan(0);
    s->call.stop = &s->stop;
    start(call_select, &s->call);
    until_receivers(s->call.in, 1);
    until_senders(s->call.to, 1);
    until_waiting(&s->stop, 1);
}

static void close_scene(struct scene *s, int which, int result)
{
    finish();
    RV_CHECK(s->call.which == which && s->call.result == result);
    check_nobody_in_line(s->call.in);
    check_nobody_in_line(s->call.to);
    until_waiting(&s->stop, 0);
    rv_chan_free(s->call.in);
    rv_chan_free(s->call.to);
}

static void an_item_wakes_the_one_that_waits_for_it(void)
{
    struct scene s;
    int item = 9;
    open_scene(&s);
    RV_CHECK(rv_chan_send(s.call.in, &item, RV_NEVER) == 0);
    close_scene(&s, 0, 0);
    RV_CHECK(s.call.received == 9);
}

static void a_receiver_wakes_the_one_that_waits_to_send(void)
{
    struct scene s;
    open_scene(&s);
    RV_CHECK(recv_int(s.call.to) == 5);
    close_scene(&s, 1, 0);
    RV_CHECK(s.call.received == -1);
}

static void an_event_wakes_the_one_that_waits_for_it(void)
{
    struct scene s;
    open_scene(&s);
    rv_event_set(&s.stop);
    close_scene(&s, 2, 0);
}

static void closing_wakes_with_the_outcome_closed(void)
{
    struct scene s;
    open_scene(&s);
    rv_chan_close(s.call.in);
    close_scene(&s, 0, -EPIPE);
    open_scene(&s);
    rv_chan_close(s.call.to);
    close_scene(&s, 1, -EPIPE);
}

static void room_and_items_of_a_ring_end_a_wait(void)
{
    for (size_t capacity = 1; capacity <= 3; capacity++) {
        struct rv_event never = RV_EVENT_INIT;
        struct call call = {new_chan(capacity), new_chan(capacity), &never, -1, 5, RV_NEVER, -1, 1};
        int item = 1;
        for (size_t i = 0; i < capacity; i++)
            RV_CHECK(rv_chan_send(call.to, &item, RV_NEVER) == 0);
        start(call_select, &call);
        until_senders(call.to, 1);
        RV_CHECK(recv_int(call.to) == 1);
        finish();
        RV_CHECK(call.which == 1 && call.result == 0);
        for (size_t i = 1; i < capacity; i++)
            RV_CHECK(recv_int(call.to) == 1);
        RV_CHECK(recv_int(call.to) == 5);
        check_nobody_in_line(call.in);
        rv_chan_free(call.in);
        rv_chan_free(call.to);
    }
}

static void a_deadline_ends_a_wait_and_nothing_has_happened(void)
{
    rv_chan *ch = new_chan(0);
    struct rv_event never = RV_EVENT_INIT;
    struct call call = {ch, ch, &never, -1, 5, rv_after(2 * RV_MILLISECOND), 0, 1};
    call_select(&call);
    RV_CHECK(rv_now() >= call.deadline);
    RV_CHECK(call.which == -ETIME && call.received == -1);
    check_nobody_in_line(ch);
    RV_CHECK(rv_chan_try_recv(ch, &call.received) == -EAGAIN);
    rv_chan_free(ch);
}

static void without_cases_it_waits_for_the_deadline(void)
{
    struct rv_case nothing[] = {RV_RECV(NULL, NULL), RV_EVENT(NULL)};
    rv_time deadline = rv_after(RV_MILLISECOND);
    RV_CHECK(rv_select(NULL, 0, deadline) == -ETIME);
    RV_CHECK(rv_now() >= deadline);
    RV_CHECK(rv_select(nothing, 2, 0) == -ETIME);
}

static void a_passed_deadline_refuses_only_waiting(void)
{
    struct rv_event event = RV_EVENT_INIT;
    struct rv_case cases[] = {RV_EVENT(&event)};
    RV_CHECK(rv_select(cases, 1, 0) == -ETIME);
    rv_event_set(&event);
    RV_CHECK(rv_select(cases, 1, 0) == 0);
}

static void both_directions_of_one_channel_do_not_meet_themselves(void)
{
    rv_chan *ch = new_chan(0);
    struct rv_event stop = RV_EVENT_INIT;
    struct call call = {ch, ch, &stop, -1, 5, RV_NEVER, 0, 1};
    start(call_select, &call);
    until_waiting(&stop, 1);
    RV_CHECK(count_line(&ch->lock, &ch->senders) == 1);
    RV_CHECK(count_line(&ch->lock, &ch->receivers) == 1);
    RV_CHECK(recv_int(ch) == 5);
    finish();
    RV_CHECK(call.which == 1 && call.received == -1);
    check_nobody_in_line(ch);
    rv_chan_free(ch);
}

static void two_selections_meet(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        rv_chan *a = new_chan(0);
        rv_chan *b = new_chan(0);
        struct rv_event never = RV_EVENT_INIT;
        struct call calls[] = {{a, b, &never, -1, 5, RV_NEVER, 0, 1},
                               {b, a, &never, -1, 6, RV_NEVER, 0, 1}};
        start(call_select, &calls[0]);
        start(call_select, &calls[1]);
        finish();
        RV_CHECK(calls[0].result == 0 && calls[1].result == 0);
        RV_CHECK(calls[0].which == 1 - calls[1].which);
        RV_CHECK(calls[0].received == (calls[0].which == 0 ? 6 : -1));
        RV_CHECK(calls[1].received == (calls[1].which == 0 ? 5 : -1));
        check_nobody_in_line(a);
        check_nobody_in_line(b);
        rv_chan_free(a);
        rv_chan_free(b);
    }
}

static int select_twice_the_same(void *arg)
{
    rv_chan *ch = arg;
    int first = -1;
    int second = -1;
    struct rv_case cases[] = {RV_RECV(ch, &first), RV_RECV(ch, &second)};
    int which = rv_select(cases, 2, RV_NEVER);
    RV_CHECK(which >= 0 && cases[which].result == 0);
    RV_CHECK(which == 0 ? first == 3 && second == -1 : first == -1 && second == 3);
    return 0;
}

static void the_same_object_may_occur_twice(void)
{
    rv_chan *ch = new_chan(0);
    int item = 3;
    start(select_twice_the_same, ch);
    until_receivers(ch, 2);
    RV_CHECK(rv_chan_send(ch, &item, RV_NEVER) == 0);
    finish();
    check_nobody_in_line(ch);
    rv_chan_free(ch);
}

static int recv_one(void *arg)
{
    struct call *call = arg;
    call->result = rv_chan_recv(call->in, &call->received, RV_NEVER);
    return 0;
}

static void a_selection_stands_in_line_like_others(void)
{
    rv_chan *ch = new_chan(0);
    struct rv_event never = RV_EVENT_INIT;
    struct call calls[3];
    for (int i = 0; i < 3; i++) {
        calls[i] = (struct call){ch, NULL, &never, -1, 5, RV_NEVER, 0, 1};
        start(i == 1 ? call_select : recv_one, &calls[i]);
        until_receivers(ch, (size_t)i + 1);
    }
    for (int i = 0; i < 3; i++)
        RV_CHECK(rv_chan_try_send(ch, &i) == 0);
    finish();
    for (int i = 0; i < 3; i++)
        RV_CHECK(calls[i].result == 0 && calls[i].received == i);
    rv_chan_free(ch);
}

static int put_one(void *arg)
{
    int item = 4;
    RV_CHECK(rv_queue_put(arg, &item, RV_NEVER) == 0);
    return 0;
}

static void queues_can_be_selected_on(void)
{
    rv_queue *q;
    struct rv_queue_stats stats = {.size = sizeof(stats)};
    int item = 3;
    RV_CHECK(rv_queue_new(&q, sizeof(int), 1) == 0);
    struct rv_case put[] = {RV_PUT(q, &item)};
    struct rv_case get[] = {RV_GET(q, &item)};
    RV_CHECK(rv_select(put, 1, RV_NEVER) == 0 && put[0].result == 0);
    RV_CHECK(rv_select(get, 1, RV_NEVER) == 0 && get[0].result == 0);
    start(put_one, q);
    RV_CHECK(rv_select(get, 1, RV_NEVER) == 0 && get[0].result == 0);
    RV_CHECK(item == 4);
    finish();
    RV_CHECK(rv_queue_done(q) == 0 && rv_queue_done(q) == 0 && rv_queue_done(q) == -EINVAL);
    RV_CHECK(rv_queue_join(q, RV_NEVER) == 0);
    RV_CHECK(rv_queue_stats_read(q, &stats) == 0);
    RV_CHECK(stats.unfinished == 0 && stats.waiting == 0);
    rv_queue_free(q);
}

/* --- many --- */

struct many {
    rv_chan *channels[MANY];
    struct rv_case cases[MANY];
    int items[MANY];
    int which;
};

static int select_many(void *arg)
{
    struct many *many = arg;
    many->which = rv_select(many->cases, MANY, RV_NEVER);
    return 0;
}

/* The addresses of the channels come in another order than the cases. */
static struct many *new_many(void)
{
    struct many *many = rvi_calloc(1, sizeof(*many));
    RV_CHECK(many != NULL);
    for (size_t i = 0; i < MANY; i++)
        many->channels[i * 7 % MANY] = new_chan(0);
    for (size_t i = 0; i < MANY; i++)
        many->cases[i] = (struct rv_case)RV_RECV(many->channels[i], &many->items[i]);
    return many;
}

static void free_many(struct many *many)
{
    for (size_t i = 0; i < MANY; i++)
        rv_chan_free(many->channels[i]);
    rvi_free(many);
}

static void a_thousand_cases_are_as_good_as_three(void)
{
    struct many *many = new_many();
    for (size_t target = 0; target < MANY; target += 333) {
        int item = (int)target;
        start(select_many, many);
        until_receivers(many->channels[MANY - 1], 1);
        RV_CHECK(rv_chan_try_send(many->channels[target], &item) == 0);
        finish();
        RV_CHECK(many->which == item && many->items[target] == item);
        RV_CHECK(many->cases[target].result == 0);
        for (size_t i = 0; i < MANY; i++)
            check_nobody_in_line(many->channels[i]);
    }
    free_many(many);
}

static void more_cases_than_fit_a_frame_need_memory(void **state)
{
    struct many *many = new_many();
    long live = rvi_alloc_live();
    (void)state;
    rvi_alloc_fail_after(1);
    assert_int_equal(rv_select(many->cases, 16, 0), -ETIME);
    assert_true(rvi_alloc_fail_pending());
    assert_int_equal(rv_select(many->cases, 17, 0), -ENOMEM);
    assert_false(rvi_alloc_fail_pending());
    assert_int_equal(rv_select(many->cases, 17, 0), -ETIME);
    assert_int_equal(rvi_alloc_live(), live);
    check_nobody_in_line(many->channels[16]);
    free_many(many);
}

/* --- one served elsewhere, and cancellation --- */

/* On one worker: the served one has not run yet, so its other entries are still in line. */
static void one_that_was_served_elsewhere_gets_nothing_more(void)
{
    struct scene s;
    int item = 9;
    open_scene(&s);
    rv_event_set(&s.stop);
    RV_CHECK(rv_chan_try_send(s.call.in, &item) == -EAGAIN);
    RV_CHECK(rv_chan_try_recv(s.call.to, &item) == -EAGAIN);
    close_scene(&s, 2, 0);
    RV_CHECK(s.call.received == -1);
}

static int select_until_cancelled(void *arg)
{
    struct call *call = arg;
    struct rv_event happened = RV_EVENT_INIT;
    struct rv_case cases[] = {RV_EVENT(&happened)};
    call_select(call);
    rv_event_set(&happened);
    RV_CHECK(rv_select(cases, 1, RV_NEVER) == -ECANCELED); /* though it has happened */
    RV_CHECK(rv_try_select(cases, 1) == 0);
    return 0;
}

static void cancelling_ends_a_wait_and_nothing_has_happened(void)
{
    rv_chan *ch = new_chan(0);
    struct rv_event never = RV_EVENT_INIT;
    struct call call = {ch, ch, &never, -1, 5, RV_NEVER, 0, 1};
    RV_CHECK(rv_go(now_on.scope, select_until_cancelled, &call) == 0);
    until_waiting(&never, 1);
    rv_scope_cancel(now_on.scope, 0);
    RV_CHECK(rv_scope_close(now_on.scope) == -ECANCELED);
    open_stage();
    RV_CHECK(call.which == -ECANCELED && call.received == -1);
    check_nobody_in_line(ch);
    rv_chan_free(ch);
}

/* Of a fresh worker: its timers have no memory yet. */
static void a_wait_without_memory_for_its_timer_changes_nothing(void)
{
    rv_chan *ch = new_chan(0);
    struct rv_event never = RV_EVENT_INIT;
    struct call call = {ch, ch, &never, -1, 5, rv_after(RV_MILLISECOND), 0, 1};
    rvi_alloc_fail_after(1);
    call_select(&call);
    RV_CHECK(call.which == (rvi_alloc_fail_pending() ? -ETIME : -ENOMEM));
    rvi_alloc_fail_after(-1);
    check_nobody_in_line(ch);
    rv_chan_free(ch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_can_happen_at_once_happens),
        cmocka_unit_test(try_says_that_nothing_can),
        cmocka_unit_test(a_closed_channel_is_an_outcome_of_its_case),
        cmocka_unit_test(unknown_things_are_refused_before_anything_happens),
        cmocka_unit_test(more_cases_than_fit_a_frame_need_memory),
        ON_EVERY_STAGE(each_of_two_that_always_can_has_its_turn),
        ON_EVERY_STAGE(an_item_wakes_the_one_that_waits_for_it),
        ON_EVERY_STAGE(a_receiver_wakes_the_one_that_waits_to_send),
        ON_EVERY_STAGE(an_event_wakes_the_one_that_waits_for_it),
        ON_EVERY_STAGE(closing_wakes_with_the_outcome_closed),
        ON_EVERY_STAGE(room_and_items_of_a_ring_end_a_wait),
        ON_EVERY_STAGE(a_deadline_ends_a_wait_and_nothing_has_happened),
        ON_EVERY_STAGE(without_cases_it_waits_for_the_deadline),
        ON_EVERY_STAGE(a_passed_deadline_refuses_only_waiting),
        ON_EVERY_STAGE(both_directions_of_one_channel_do_not_meet_themselves),
        ON_EVERY_STAGE(two_selections_meet),
        ON_EVERY_STAGE(the_same_object_may_occur_twice),
        ON_EVERY_STAGE(a_selection_stands_in_line_like_others),
        ON_EVERY_STAGE(queues_can_be_selected_on),
        ON_EVERY_STAGE(a_thousand_cases_are_as_good_as_three),
        performance("one_that_was_served_elsewhere_gets_nothing_more", on_one_worker,
                    one_that_was_served_elsewhere_gets_nothing_more),
        performance("a_wait_without_memory_for_its_timer_changes_nothing", on_one_worker,
                    a_wait_without_memory_for_its_timer_changes_nothing),
        ON_TASKS(cancelling_ends_a_wait_and_nothing_has_happened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
