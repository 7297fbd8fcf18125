/* SPDX-License-Identifier: MIT */
/* explore_chan.c - channels and queues of one or two places under every order that seeds can think
 * of: nothing is lost, nothing comes twice, whatever is closed, late or cancelled meanwhile. */
#include "explore.h"

#include <string.h>

enum { ITEMS = 3 };

/* What went in and what came out, by number. A task is pinned, but not always to the same
 * worker. */
static struct {
    rv_chan *ch;
    rv_queue *q;
    _Atomic(unsigned) next;
    _Atomic(unsigned) sent[64], received[64];
} on;

static int send_some(void *arg)
{
    const rv_time *patience = arg;

    for (int i = 0; i < ITEMS; i++) {
        unsigned number = rvi_fetch_add_relaxed(&on.next, 1);
        int r = rv_chan_send(on.ch, &number, patience ? rv_after(*patience) : RV_NEVER);
        if (r == 0)
            rvi_fetch_add_relaxed(&on.sent[number], 1);
        else if (r != -ETIME)
            return r == -EPIPE ? 0 : r;
    }
    return 0;
}

static int receive_all(void *arg)
{
    const rv_time *patience = arg;
    unsigned number;
    int r;

    while ((r = rv_chan_recv(on.ch, &number, patience ? rv_after(*patience) : RV_NEVER)) == 0 ||
           r == -ETIME) {
        if (r == 0)
            rvi_fetch_add_relaxed(&on.received[number], 1);
    }
    return r == -EPIPE ? 0 : r;
}

static int close_soon(void *arg)
{
    (void)arg;
    rv_yield();
    rv_chan_close(on.ch);
    return 0;
}

static void begin(size_t capacity)
{
    memset(&on, 0, sizeof(on));
    RV_CHECK(rv_chan_new(&on.ch, sizeof(unsigned), capacity) == 0);
}

/* What is still inside counts as received. */
static void end(void)
{
    unsigned number;

    while (rv_chan_try_recv(on.ch, &number) == 0)
        rvi_fetch_add_relaxed(&on.received[number], 1);
    for (size_t i = 0; i < 64; i++)
        RV_CHECK(rvi_load_relaxed(&on.sent[i]) == rvi_load_relaxed(&on.received[i]));
    on.ch = rv_chan_free(on.ch);
}

/* Senders, then a close, while receivers wait for it. */
static int pass_on(size_t capacity, void *patience)
{
    int r = 0, err;

    begin(capacity);
    RV_SCOPE(receivers, err) {
        go(receivers, receive_all, patience);
        go(receivers, receive_all, NULL);
        RV_SCOPE(senders, r) {
            go(senders, send_some, patience);
            go(senders, send_some, NULL);
        }
        rv_chan_close(on.ch);
    }
    end();
    return r < 0 ? r : err;
}

static int pass_on_by_one_place(void *arg)
{
    return pass_on(1, arg);
}

static int pass_on_by_two_places(void *arg)
{
    return pass_on(2, arg);
}

static int pass_on_impatiently(void *arg)
{
    rv_time patience = 3 * RV_MICROSECOND;

    (void)arg;
    return pass_on(1, &patience);
}

static int close_under_everybody(void *arg)
{
    int err;

    (void)arg;
    begin(1);
    RV_SCOPE(s, err) {
        go(s, receive_all, NULL);
        go(s, send_some, NULL);
        go(s, send_some, NULL);
        go(s, close_soon, NULL);
    }
    end();
    return err;
}

static int cancel_under_everybody(void *arg)
{
    int err;

    (void)arg;
    begin(1);
    RV_SCOPE(s, err) {
        go(s, receive_all, NULL);
        go(s, send_some, NULL);
        go(s, send_some, NULL);
        rv_yield();
        rv_scope_cancel(s, -ECANCELED);
    }
    end();
    return err == -ECANCELED ? 0 : err;
}

/* A plain thread at the other end. */
static int receive_on_a_helper(void *arg)
{
    return rv_blocking(receive_all, arg, NULL);
}

static int pass_on_to_a_thread(void *arg)
{
    int r = 0, err;

    (void)arg;
    begin(1);
    RV_SCOPE(receivers, err) {
        go(receivers, receive_on_a_helper, NULL);
        RV_SCOPE(senders, r) {
            go(senders, send_some, NULL);
            go(senders, send_some, NULL);
        }
        rv_chan_close(on.ch);
    }
    end();
    return r < 0 ? r : err;
}

/* --- selections --- */

static struct {
    rv_chan *other;
    struct rv_event stop;
} also;

/* From whichever of two channels has something, until both are closed. */
static int receive_from_both(void *arg)
{
    unsigned number[2];
    struct rv_case cases[] = {RV_RECV(on.ch, &number[0]), RV_RECV(also.other, &number[1])};

    (void)arg;
    while (cases[0].object || cases[1].object) {
        int which = rv_select(cases, 2, RV_NEVER);
        if (which < 0)
            return which;
        if (cases[which].result < 0)
            cases[which].object = NULL;
        else
            rvi_fetch_add_relaxed(&on.received[number[which]], 1);
    }
    return 0;
}

static int receive_from_both_on_a_helper(void *arg)
{
    return rv_blocking(receive_from_both, arg, NULL);
}

/* Into whichever has room. */
static int send_to_both(void *arg)
{
    unsigned number;
    struct rv_case cases[] = {RV_SEND(on.ch, &number), RV_SEND(also.other, &number),
                              RV_EVENT(&also.stop)};

    (void)arg;
    for (int i = 0; i < ITEMS; i++) {
        number = rvi_fetch_add_relaxed(&on.next, 1);
        int which = rv_select(cases, 3, RV_NEVER);
        if (which < 0)
            return which;
        if (which == 2)
            return 0;
        RV_CHECK(cases[which].result == 0);
        rvi_fetch_add_relaxed(&on.sent[number], 1);
    }
    return 0;
}

static int stop_sending(void *arg)
{
    (void)arg;
    rv_yield();
    rv_event_set(&also.stop);
    return 0;
}

static int select_among(size_t capacity, rv_fn *receiver, rv_fn *stopper)
{
    int r = 0, err;

    begin(capacity);
    RV_CHECK(rv_chan_new(&also.other, sizeof(unsigned), capacity) == 0);
    rv_event_init(&also.stop);
    RV_SCOPE(receivers, err) {
        go(receivers, receiver, NULL);
        go(receivers, receive_from_both, NULL);
        RV_SCOPE(senders, r) {
            go(senders, send_to_both, NULL);
            go(senders, send_to_both, NULL);
            go(senders, stopper, NULL);
        }
        rv_chan_close(also.other);
        rv_chan_close(on.ch);
    }
    also.other = rv_chan_free(also.other);
    end();
    return r < 0 ? r : err;
}

static int select_between_two(void *arg)
{
    (void)arg;
    return select_among(1, receive_from_both, do_nothing);
}

static int select_from_hand_to_hand(void *arg)
{
    (void)arg;
    return select_among(0, receive_from_both, do_nothing);
}

static int select_until_stopped(void *arg)
{
    (void)arg;
    return select_among(1, receive_from_both, stop_sending);
}

static int select_on_a_thread(void *arg)
{
    (void)arg;
    return select_among(1, receive_from_both_on_a_helper, stop_sending);
}

/* --- queues --- */

static int work(void *arg)
{
    unsigned number;
    int r;

    (void)arg;
    while ((r = rv_queue_get(on.q, &number, RV_NEVER)) == 0) {
        rvi_fetch_add_relaxed(&on.received[number], 1);
        if (number < 4) { /* more of it turns up meanwhile */
            number += 32;
            rvi_fetch_add_relaxed(&on.sent[number], 1);
            RV_CHECK(rv_queue_put(on.q, &number, RV_NEVER) == 0);
        }
        rv_yield();
        RV_CHECK(rv_queue_done(on.q) == 0);
    }
    return r == -EPIPE ? 0 : r;
}

static int join_means_that_all_is_done(void *arg)
{
    int err;

    (void)arg;
    memset(&on, 0, sizeof(on));
    RV_CHECK(rv_queue_new(&on.q, sizeof(unsigned), 4 + 2) == 0);
    RV_SCOPE(s, err) {
        go(s, work, NULL);
        go(s, work, NULL);
        for (unsigned i = 0; i < 4; i++) {
            rvi_fetch_add_relaxed(&on.sent[i], 1);
            RV_CHECK(rv_queue_put(on.q, &i, RV_NEVER) == 0);
        }
        RV_CHECK(rv_queue_join(on.q, RV_NEVER) == 0);
        for (size_t i = 0; i < 64; i++)
            RV_CHECK(rvi_load_relaxed(&on.sent[i]) == rvi_load_relaxed(&on.received[i]));
        rv_queue_close(on.q);
    }
    on.q = rv_queue_free(on.q);
    return err;
}

EXPLORATION(pass_on_by_one_place)
EXPLORATION(pass_on_by_two_places)
EXPLORATION(pass_on_impatiently)
EXPLORATION(close_under_everybody)
EXPLORATION(cancel_under_everybody)
EXPLORATION(pass_on_to_a_thread)
EXPLORATION(select_between_two)
EXPLORATION(select_from_hand_to_hand)
EXPLORATION(select_until_stopped)
EXPLORATION(select_on_a_thread)
EXPLORATION(join_means_that_all_is_done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EXPLORED(pass_on_by_one_place),        EXPLORED(pass_on_by_two_places),
        EXPLORED(pass_on_impatiently),         EXPLORED(close_under_everybody),
        EXPLORED(cancel_under_everybody),      EXPLORED(pass_on_to_a_thread),
        EXPLORED(select_between_two),          EXPLORED(select_from_hand_to_hand),
        EXPLORED(select_until_stopped),        EXPLORED(select_on_a_thread),
        EXPLORED(join_means_that_all_is_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
