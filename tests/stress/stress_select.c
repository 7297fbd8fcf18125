/* SPDX-License-Identifier: MIT */
/* stress_select.c - parties that select among random sends and receives on a few channels, beside
 * others that send and receive plainly: every item arrives once, those of one sender through one
 * channel in order, whoever gives up, is cancelled or is served elsewhere meanwhile.
 *
 * RAVEL_TEST_SCALE (percent, default 100) sets the number of rounds. */
#include <errno.h>

#include "parties.h"

enum { PARTIES = 6, CHANNELS = 4, MOST_CASES = 24 };

static const size_t capacities[CHANNELS] = {0, 0, 1, 5};

struct item {
    uint64_t number; /* counted by its sender */
    size_t sender;
    uint64_t echo; /* ~number, to notice a torn copy */
};

struct fair {
    rv_chan *channels[CHANNELS];
    struct rv_event over; /* somebody has played all his rounds */
};

struct player {
    struct fair *fair;
    size_t id;
    size_t rounds;
    bool selects;
    struct rvi_rng rng;
    uint64_t number;
    size_t sent, received;
    uint64_t sum; /* of the numbers sent less those received */
    uint64_t newest[CHANNELS][PARTIES];
};

static void take_in(struct player *p, size_t channel, const struct item *item)
{
    RV_CHECK(item->sender < PARTIES && item->echo == ~item->number);
    RV_CHECK(item->number > p->newest[channel][item->sender]);
    p->newest[channel][item->sender] = item->number;
    p->received++;
    p->sum -= item->number;
}

static void count_sent(struct player *p, uint64_t number)
{
    p->sent++;
    p->sum += number;
}

static struct item next_item(struct player *p)
{
    uint64_t number = ++p->number;

    return (struct item){number, p->id, ~number};
}

/* 0, or why nobody should go on. */
static int play_select(struct player *p)
{
    struct rv_case cases[MOST_CASES + 1];
    size_t channels[MOST_CASES];
    struct item out = next_item(p);
    struct item in;
    size_t most = rvi_rng_below(&p->rng, 8) == 0 ? MOST_CASES : 4;
    size_t n = 1 + (size_t)rvi_rng_below(&p->rng, most);

    for (size_t i = 0; i < n; i++) {
        channels[i] = (size_t)rvi_rng_below(&p->rng, CHANNELS);
        rv_chan *ch = p->fair->channels[channels[i]];
        if (rvi_rng_below(&p->rng, 2) == 0)
            cases[i] = (struct rv_case)RV_SEND(ch, &out);
        else
            cases[i] = (struct rv_case)RV_RECV(ch, &in);
    }
    cases[n] = (struct rv_case)RV_EVENT(&p->fair->over);
    int which = rv_select(cases, n + 1, some_deadline(&p->rng));
    if (which < 0)
        return which == -ETIME ? 0 : which;
    RV_CHECK(cases[which].result == 0);
    if ((size_t)which == n)
        return -EPIPE;
    if (cases[which].op == RV_CASE_SEND)
        count_sent(p, out.number);
    else
        take_in(p, channels[which], &in);
    return 0;
}

static int play_plainly(struct player *p)
{
    size_t channel = (size_t)rvi_rng_below(&p->rng, CHANNELS);
    rv_chan *ch = p->fair->channels[channel];
    struct item item = next_item(p);
    int err;

    if (rvi_rng_below(&p->rng, 2) == 0) {
        uint64_t number = item.number;
        err = rv_chan_send(ch, &item, short_deadline(&p->rng));
        if (err == 0)
            count_sent(p, number);
    } else {
        err = rv_chan_recv(ch, &item, short_deadline(&p->rng));
        if (err == 0)
            take_in(p, channel, &item);
    }
    if (rv_event_is_set(&p->fair->over))
        return -EPIPE;
    return err == -ETIME ? 0 : err;
}

static int play_rounds(void *arg)
{
    struct player *p = arg;
    int err = 0;

    for (size_t i = 0; i < p->rounds && err == 0; i++) {
        err = p->selects ? play_select(p) : play_plainly(p);
        pause_sometimes(&p->rng);
    }
    RV_CHECK(err == 0 || err == -EPIPE || err == -ECANCELED);
    rv_event_set(&p->fair->over);
    return 0;
}

static void open_fair(struct fair *fair, struct player *players, size_t rounds)
{
    rv_event_init(&fair->over);
    for (size_t i = 0; i < CHANNELS; i++)
        RV_CHECK(rv_chan_new(&fair->channels[i], sizeof(struct item), capacities[i]) == 0);
    for (size_t i = 0; i < PARTIES; i++) {
        players[i] = (struct player){.fair = fair, .id = i, .rounds = rounds};
        players[i].selects = i < PARTIES - 2;
        seed_next(&players[i].rng);
    }
}

/* What was sent has been received, or is still inside. */
static void close_fair(struct fair *fair, struct player *players)
{
    size_t sent = 0;
    size_t received = 0;
    uint64_t sum = 0;
    struct item item;

    for (size_t i = 0; i < CHANNELS; i++) {
        while (rv_chan_try_recv(fair->channels[i], &item) == 0) {
            received++;
            sum -= item.number;
        }
        rv_chan_free(fair->channels[i]);
    }
    for (size_t i = 0; i < PARTIES; i++) {
        sent += players[i].sent;
        received += players[i].received;
        sum += players[i].sum;
    }
    RV_CHECK(sent == received && sum == 0);
}

static void every_item_arrives_once(void)
{
    struct fair fair;
    struct player players[PARTIES];

    for (int i = 0; i < 4; i++) {
        open_fair(&fair, players, scaled(6000));
        for (size_t k = 0; k < PARTIES; k++)
            start(play_rounds, &players[k]);
        finish();
        close_fair(&fair, players);
    }
}

static void cancellation_neither_loses_nor_doubles_an_item(void)
{
    struct fair fair;
    struct player players[PARTIES];
    struct rvi_rng rng;

    rvi_rng_seed(&rng, 1);
    for (size_t i = scaled(300); i > 0; i--) {
        open_fair(&fair, players, SIZE_MAX);
        for (size_t k = 0; k < PARTIES; k++)
            RV_CHECK(rv_go(now_on.scope, play_rounds, &players[k]) == 0);
        for (uint64_t k = rvi_rng_below(&rng, 30); k > 0; k--)
            rv_yield();
        rv_scope_cancel(now_on.scope, 0);
        RV_CHECK(rv_scope_close(now_on.scope) == -ECANCELED);
        open_stage();
        close_fair(&fair, players);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_STAGE(every_item_arrives_once),
        ON_TASKS(cancellation_neither_loses_nor_doubles_an_item),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
