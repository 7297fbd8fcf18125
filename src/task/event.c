/* SPDX-License-Identifier: MIT */
/* event.c - something that happens once and stays happened, until it is reset.
 *
 *   E1  somebody waits  =>  it has not happened
 *
 * Waiters may free the event as soon as they have returned. One that waited returns after its wake,
 * and set touches the event no more when it begins to wake. One that found it happened returns
 * after it has held the lock, and so after set has let go of it.
 *
 * Rejected: looking at `happened` without the lock. It would be a shade faster, and its reader
 * could free the event while set still holds the lock inside.
 * Checked by: tests/unit/task/test_event.c, tests/stress/stress_sync.c */
#include <ravel/sync.h>

#include <errno.h>
#include <string.h>

#include "task/select.h"

struct event {
    struct rvi_bias lock;
    struct rvi_waitlist line;
    bool happened;
};
RVI_ASSERT_FITS(struct event, struct rv_event);

static struct event *inside(struct rv_event *e)
{
    return (struct event *)e->opaque;
}

void rv_event_init(struct rv_event *e)
{
    memset(e, 0, sizeof(*e));
}

void rv_event_set(struct rv_event *e)
{
    struct event *event = inside(e);
    bool biased = rvi_bias_lock(&event->lock);

    event->happened = true;
    struct rvi_link *chain = rvi_entries_pop_all(&event->line);
    rvi_bias_unlock(&event->lock, biased);
    rvi_entries_wake(chain);
}

void rv_event_reset(struct rv_event *e)
{
    struct event *event = inside(e);
    bool biased = rvi_bias_lock(&event->lock);

    event->happened = false;
    rvi_bias_unlock(&event->lock, biased);
}

int rv_event_is_set(struct rv_event *e)
{
    struct event *event = inside(e);
    bool biased = rvi_bias_lock(&event->lock);
    bool happened = event->happened;

    rvi_bias_unlock(&event->lock, biased);
    return happened;
}

int rv_event_wait(struct rv_event *e, rv_time deadline)
{
    struct event *event = inside(e);
    struct rvi_entry self;
    int err = rvi_wait_allowed();

    if (err < 0)
        return err;
    bool biased = rvi_bias_lock(&event->lock);
    self.choice = NULL;
    if (!event->happened)
        return rvi_waitlist_wait(&event->line, &event->lock, biased, &self.waiter, deadline,
                                 RVI_WHY_EVENT);
    rvi_bias_unlock(&event->lock, biased);
    return 0;
}

/* --- for select.c --- */

static int attempt(const struct rv_case *c)
{
    return rv_event_is_set(c->object) ? 0 : -EAGAIN;
}

static bool case_lock(void *object)
{
    return rvi_bias_lock(&inside(object)->lock);
}

static void case_unlock(void *object, bool biased)
{
    rvi_bias_unlock(&inside(object)->lock, biased);
}

static bool begin(const struct rv_case *c, struct rvi_deal *deal)
{
    deal->result = 0;
    return inside(c->object)->happened;
}

static int finish(const struct rv_case *c, const struct rvi_deal *deal)
{
    (void)c;
    return deal->result;
}

static struct rvi_waitlist *enlist(const struct rv_case *c, struct rvi_entry *entry)
{
    entry->result = 0;
    return &inside(c->object)->line;
}

const struct rvi_case_kind rvi_case_event = {
    .attempt = attempt,
    .lock = case_lock,
    .unlock = case_unlock,
    .begin = begin,
    .finish = finish,
    .enlist = enlist,
};
