/* SPDX-License-Identifier: MIT */
/* chan_select.c - the two cases of rv_select that a channel has: to send, and to receive.
 *
 * Each is made of the two steps of chan.c: what is agreed under the lock, and what remains to be
 * done without it. An entry in line is born with -EPIPE, the result of those whom a close takes
 * out.
 * Checked by: tests/unit/task/test_select.c, tests/stress/stress_select.c,
 * tests/explore/explore_select.c */
#include "task/select.h"

#include <errno.h>

#include "task/chan.h"

static bool case_lock(void *object)
{
    return rvi_chan_lock(object);
}

static void case_unlock(void *object, bool biased)
{
    rvi_chan_unlock(object, biased);
}

static int send_attempt(const struct rv_case *c)
{
    return rv_chan_try_send(c->object, c->item);
}

static bool send_begin(const struct rv_case *c, struct rvi_deal *deal)
{
    return rvi_chan_begin_send(c->object, deal);
}

static int send_finish(const struct rv_case *c, const struct rvi_deal *deal)
{
    return rvi_chan_finish_send(c->object, deal, c->item);
}

static struct rvi_waitlist *enlist_sender(const struct rv_case *c, struct rvi_entry *entry)
{
    struct rv_chan *ch = c->object;

    entry->item.from = c->item;
    entry->result = -EPIPE;
    return &ch->senders;
}

static int recv_attempt(const struct rv_case *c)
{
    return rv_chan_try_recv(c->object, c->ret_item);
}

static bool recv_begin(const struct rv_case *c, struct rvi_deal *deal)
{
    return rvi_chan_begin_recv(c->object, deal);
}

static int recv_finish(const struct rv_case *c, const struct rvi_deal *deal)
{
    return rvi_chan_finish_recv(c->object, deal, c->ret_item);
}

static struct rvi_waitlist *enlist_receiver(const struct rv_case *c, struct rvi_entry *entry)
{
    struct rv_chan *ch = c->object;

    entry->item.to = c->ret_item;
    entry->result = -EPIPE;
    return &ch->receivers;
}

const struct rvi_case_kind rvi_case_send = {
    .attempt = send_attempt,
    .lock = case_lock,
    .unlock = case_unlock,
    .begin = send_begin,
    .finish = send_finish,
    .enlist = enlist_sender,
};

const struct rvi_case_kind rvi_case_recv = {
    .attempt = recv_attempt,
    .lock = case_lock,
    .unlock = case_unlock,
    .begin = recv_begin,
    .finish = recv_finish,
    .enlist = enlist_receiver,
};
