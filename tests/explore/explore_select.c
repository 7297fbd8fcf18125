/* SPDX-License-Identifier: MIT */
/* explore_select.c - selections that send to each other, beside plain calls, under every order that
 * seeds can think of: exactly one case happens, nothing is lost, nothing comes twice, and whoever
 * stands in several lines leaves all of them. */
#include "explore.h"

#include <string.h>

enum { CHANNELS = 2, ROUNDS = 3, NUMBERS = 64 };

static struct {
    rv_chan *channels[CHANNELS];
    struct rv_event over;
    _Atomic(unsigned) next;
    _Atomic(unsigned) sent[NUMBERS], received[NUMBERS];
} on;

static void count(_Atomic(unsigned) *counters, unsigned number)
{
    RV_CHECK(number < NUMBERS);
    rvi_fetch_add_relaxed(&counters[number], 1);
}

static void begin(size_t capacity)
{
    memset(&on, 0, sizeof(on));
    for (size_t i = 0; i < CHANNELS; i++)
        RV_CHECK(rv_chan_new(&on.channels[i], sizeof(unsigned), capacity) == 0);
}

/* What is still inside counts as received. Freeing checks that nobody is left in a line. */
static void end(void)
{
    unsigned number;

    for (size_t i = 0; i < CHANNELS; i++) {
        while (rv_chan_try_recv(on.channels[i], &number) == 0)
            count(on.received, number);
        on.channels[i] = rv_chan_free(on.channels[i]);
    }
    for (size_t i = 0; i < NUMBERS; i++)
        RV_CHECK(rvi_load_relaxed(&on.sent[i]) == rvi_load_relaxed(&on.received[i]));
}

/* Both directions of both channels, until somebody has had enough of it. */
static int trade(void *arg)
{
    const rv_time *patience = arg;
    int which = 0;

    for (int i = 0; i < ROUNDS && which != 4; i++) {
        unsigned out = rvi_fetch_add_relaxed(&on.next, 1);
        unsigned in;
        struct rv_case cases[] = {RV_SEND(on.channels[1], &out), RV_RECV(on.channels[0], &in),
                                  RV_SEND(on.channels[0], &out), RV_RECV(on.channels[1], &in),
                                  RV_EVENT(&on.over)};
        which = rv_select(cases, 5, patience ? rv_after(*patience) : RV_NEVER);
        if (which == -ETIME)
            continue;
        if (which < 0)
            return which;
        RV_CHECK(cases[which].result == 0);
        if (which % 2 == 1)
            count(on.received, in);
        else if (which < 4)
            count(on.sent, out);
    }
    rv_event_set(&on.over);
    return 0;
}

static int send_plainly(void *arg)
{
    unsigned number = rvi_fetch_add_relaxed(&on.next, 1);
    int r = rv_chan_send(on.channels[0], &number, rv_after(3 * RV_MICROSECOND));

    (void)arg;
    if (r == 0)
        count(on.sent, number);
    return r == -ETIME ? 0 : r;
}

static int trade_all(size_t capacity, void *patience)
{
    int err;

    begin(capacity);
    RV_SCOPE(s, err) {
        go(s, trade, patience);
        go(s, trade, NULL);
        go(s, trade, NULL);
        go(s, send_plainly, NULL);
    }
    end();
    return err;
}

static int trade_by_hand(void *arg)
{
    return trade_all(0, arg);
}

static int trade_by_one_place(void *arg)
{
    return trade_all(1, arg);
}

static int trade_impatiently(void *arg)
{
    rv_time patience = 2 * RV_MICROSECOND;

    (void)arg;
    return trade_all(0, &patience);
}

static int cancel_the_traders(void *arg)
{
    int err;

    (void)arg;
    begin(0);
    RV_SCOPE(s, err) {
        go(s, trade, NULL);
        go(s, trade, NULL);
        rv_yield();
        rv_scope_cancel(s, -ECANCELED);
    }
    end();
    return err == -ECANCELED ? 0 : err;
}

/* --- closing --- */

static int receive_until_both_are_closed(void *arg)
{
    unsigned number;
    struct rv_case cases[] = {RV_RECV(on.channels[0], &number), RV_RECV(on.channels[1], &number)};
    int which;

    (void)arg;
    for (int open = CHANNELS; open > 0;) {
        which = rv_select(cases, CHANNELS, RV_NEVER);
        if (which < 0)
            return which;
        if (cases[which].result == 0) {
            count(on.received, number);
            continue;
        }
        RV_CHECK(cases[which].result == -EPIPE);
        cases[which].object = NULL;
        open--;
    }
    return 0;
}

static int send_one_and_close(void *arg)
{
    rv_chan *ch = arg;
    unsigned number = rvi_fetch_add_relaxed(&on.next, 1);
    int r = rv_chan_send(ch, &number, RV_NEVER);

    if (r == 0)
        count(on.sent, number);
    rv_chan_close(ch);
    return r;
}

static int close_one_after_the_other(void *arg)
{
    int err;

    (void)arg;
    begin(1);
    RV_SCOPE(s, err) {
        go(s, receive_until_both_are_closed, NULL);
        go(s, receive_until_both_are_closed, NULL);
        go(s, send_one_and_close, on.channels[0]);
        go(s, send_one_and_close, on.channels[1]);
    }
    end();
    return err;
}

EXPLORATION(trade_by_hand)
EXPLORATION(trade_by_one_place)
EXPLORATION(trade_impatiently)
EXPLORATION(cancel_the_traders)
EXPLORATION(close_one_after_the_other)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EXPLORED(trade_by_hand),
        EXPLORED(trade_by_one_place),
        EXPLORED(trade_impatiently),
        EXPLORED(cancel_the_traders),
        EXPLORED(close_one_after_the_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
