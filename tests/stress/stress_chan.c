/* SPDX-License-Identifier: MIT */
/* stress_chan.c - many senders and receivers at one channel: every item arrives once, each sender's
 * in order, whatever gives up, is cancelled or closes meanwhile.
 *
 * RAVEL_TEST_SCALE (percent, default 100) sets the number of items. */
#include "task/chan.h"

#include <errno.h>

#include "../unit/task/stage.h"

#include "base/rng.h"

enum { SENDERS = 3, RECEIVERS = 3, MEETINGS = 2000 };

static size_t scaled(size_t count)
{
    const char *text = getenv("RAVEL_TEST_SCALE");
    size_t percent = text == NULL ? 100 : strtoul(text, NULL, 10);
    size_t result = count * percent / 100;
    return result < 20 ? 20 : result;
}

struct item {
    uint64_t number; /* counted from 1 by its sender */
    size_t sender;
    uint64_t echo; /* ~number, to notice a torn copy */
};

/* One party; `sum` is over the numbers it has sent or received. */
struct side {
    rv_chan *ch;
    size_t id;
    size_t count;
    uint64_t sum;
    struct rvi_rng rng;
    _Atomic(size_t) *senders_left;
};

/* A deadline for one attempt: mostly none, else so short that many give up. */
static rv_time some_deadline(struct rvi_rng *rng)
{
    uint64_t kind = rvi_rng_below(rng, 8);
    if (kind == 0)
        return 0;
    return kind == 1 ? rv_after((rv_time)rvi_rng_below(rng, 50) * RV_MICROSECOND) : RV_NEVER;
}

static int send_somehow(struct side *side, const struct item *item)
{
    for (;;) {
        int err = rvi_rng_below(&side->rng, 4) == 0
                      ? rv_chan_try_send(side->ch, item)
                      : rv_chan_send(side->ch, item, some_deadline(&side->rng));
        if (err != -EAGAIN && err != -ETIME)
            return err;
        rv_yield();
    }
}

static int recv_somehow(struct side *side, struct item *ret_item)
{
    for (;;) {
        int err = rvi_rng_below(&side->rng, 4) == 0
                      ? rv_chan_try_recv(side->ch, ret_item)
                      : rv_chan_recv(side->ch, ret_item, some_deadline(&side->rng));
        if (err != -EAGAIN && err != -ETIME)
            return err;
        rv_yield();
    }
}

/* The last sender to finish closes the channel. */
static int send_all(void *arg)
{
    struct side *side = arg;
    for (size_t n = 1; n <= side->count; n++) {
        struct item item = {n, side->id, ~(uint64_t)n};
        RV_CHECK(send_somehow(side, &item) == 0);
        side->sum += n;
    }
    if (rvi_fetch_sub_acq_rel(side->senders_left, 1) == 1) /* pairs: stress-senders */
        rv_chan_close(side->ch);
    return 0;
}

static int recv_all(void *arg)
{
    struct side *side = arg;
    uint64_t newest[SENDERS] = {0};
    struct item item;
    int err;
    while ((err = recv_somehow(side, &item)) == 0) {
        RV_CHECK(item.sender < SENDERS && item.echo == ~item.number);
        RV_CHECK(item.number > newest[item.sender]);
        newest[item.sender] = item.number;
        side->count++;
        side->sum += item.number;
    }
    RV_CHECK(err == -EPIPE);
    return 0;
}

static void all_through(size_t capacity, size_t count)
{
    struct side senders[SENDERS] = {{0}};
    struct side receivers[RECEIVERS] = {{0}};
    _Atomic(size_t) senders_left = SENDERS;
    size_t in = 0;
    size_t out = 0;
    rv_chan *ch;
    RV_CHECK(rv_chan_new(&ch, sizeof(struct item), capacity) == 0);
    for (size_t i = 0; i < SENDERS; i++) {
        senders[i] = (struct side){.ch = ch, .id = i, .count = count / SENDERS};
        senders[i].senders_left = &senders_left;
        rvi_rng_seed(&senders[i].rng, i);
        start(send_all, &senders[i]);
    }
    for (size_t i = 0; i < RECEIVERS; i++) {
        receivers[i] = (struct side){.ch = ch, .id = i};
        rvi_rng_seed(&receivers[i].rng, SENDERS + i);
        start(recv_all, &receivers[i]);
    }
    finish();
    for (size_t i = 0; i < SENDERS; i++)
        in += senders[i].sum;
    for (size_t i = 0; i < RECEIVERS; i++)
        out += receivers[i].sum;
    RV_CHECK(in == out && rv_chan_count(ch) == 0);
    rv_chan_free(ch);
}

static void every_item_arrives_once_and_in_order(void)
{
    all_through(0, scaled(6000));
    all_through(1, scaled(6000));
    all_through(7, scaled(12000));
    all_through(128, scaled(30000));
}

/* --- a scope is cancelled in the middle --- */

static int send_until_cancelled(void *arg)
{
    struct side *side = arg;
    struct item item = {1, side->id, ~(uint64_t)1};
    int err;
    while ((err = rv_chan_send(side->ch, &item, some_deadline(&side->rng))) != -ECANCELED) {
        RV_CHECK(err == 0 || err == -ETIME);
        side->count += err == 0;
        if (rvi_rng_below(&side->rng, 4) == 0)
            rv_yield();
    }
    return 0;
}

static int recv_until_cancelled(void *arg)
{
    struct side *side = arg;
    struct item item;
    int err;
    while ((err = rv_chan_recv(side->ch, &item, some_deadline(&side->rng))) != -ECANCELED) {
        RV_CHECK(err == 0 || err == -ETIME);
        side->count += err == 0;
        if (rvi_rng_below(&side->rng, 4) == 0)
            rv_yield();
    }
    return 0;
}

static void cancel_once(rv_chan *ch, struct rvi_rng *rng)
{
    struct side senders[SENDERS] = {{0}};
    struct side receivers[RECEIVERS] = {{0}};
    size_t in = rv_chan_count(ch);
    size_t out = 0;
    for (size_t i = 0; i < SENDERS; i++) {
        senders[i].ch = receivers[i].ch = ch;
        rvi_rng_seed(&senders[i].rng, rvi_rng_next(rng));
        rvi_rng_seed(&receivers[i].rng, rvi_rng_next(rng));
        RV_CHECK(rv_go(now_on.scope, send_until_cancelled, &senders[i]) == 0);
        RV_CHECK(rv_go(now_on.scope, recv_until_cancelled, &receivers[i]) == 0);
    }
    for (uint64_t i = rvi_rng_below(rng, 30); i > 0; i--)
        rv_yield();
    rv_scope_cancel(now_on.scope, 0);
    RV_CHECK(rv_scope_close(now_on.scope) == -ECANCELED);
    open_stage();
    for (size_t i = 0; i < SENDERS; i++) {
        in += senders[i].count;
        out += receivers[i].count;
    }
    RV_CHECK(in == out + rv_chan_count(ch));
}

static void cancellation_neither_loses_nor_doubles_an_item(void)
{
    struct rvi_rng rng;
    rvi_rng_seed(&rng, 1);
    for (size_t capacity = 0; capacity <= 4; capacity += 2) {
        rv_chan *ch;
        RV_CHECK(rv_chan_new(&ch, sizeof(struct item), capacity) == 0);
        for (size_t i = scaled(400); i > 0; i--)
            cancel_once(ch, &rng);
        rv_chan_free(ch);
    }
}

/* --- channels that live for one item --- */

static int send_one(void *arg)
{
    struct side *side = arg;
    struct item item = {side->count, 0, 0};
    RV_CHECK(rv_chan_send(side->ch, &item, RV_NEVER) == 0);
    return 0;
}

static void the_receiver_may_free_the_channel(void)
{
    for (size_t i = scaled(MEETINGS); i > 0; i--) {
        struct side side = {.count = i};
        struct item item;
        RV_CHECK(rv_chan_new(&side.ch, sizeof(item), 0) == 0);
        start(send_one, &side);
        RV_CHECK(rv_chan_recv(side.ch, &item, RV_NEVER) == 0);
        RV_CHECK(item.number == i);
        if (i % 2 == 0)
            finish(); /* otherwise the sender may still be on its way out */
        rv_chan_free(side.ch);
        if (i % 2 == 1)
            finish();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_STAGE(every_item_arrives_once_and_in_order),
        ON_EVERY_STAGE(the_receiver_may_free_the_channel),
        ON_TASKS(cancellation_neither_loses_nor_doubles_an_item),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
