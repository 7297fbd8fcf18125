/* SPDX-License-Identifier: MIT */
/* queue_cluster.c - waiting for a queue that lies in a cluster's engine, and knowing who has what.
 *
 * The items are the engine's business (engine/queue.h), which tells on its own thread what has
 * become of what was said. Here are those of this process who wait:
 *
 *   C1  who puts, counts or drops has an ask: the engine's answer is written into it, and it is
 *       freed by whoever is the last to know it: who asked, if he has waited for the answer; the
 *       answer, if he has not; or the handle's end
 *   C2  who gets stands in line, and the engine is told at each change how many items are wanted:
 *       those in hand, and one for each in line. So nothing is leased that nobody has asked for
 *   C3  an item that comes when nobody is in line goes back at once
 *
 * Who has what is remembered as with a queue of worker processes: done is about the oldest item
 * that the caller has got, or else the oldest of this handle. The engine extends the leases of what
 * is in hand as long as this process lives.
 *
 * Nobody tells that a queue of a cluster has room again, or that nothing is unfinished any more: so
 * who waits for that asks again, after ever longer up to PAUSE_MOST.
 *
 * A put that gives up does not know whether it came too late: what was said to the engine cannot be
 * taken back, and may be stored yet.
 *
 * Rejected: to fetch items ahead, which makes getting faster and leaves them idle in the hands of a
 * program that is busy with others; to close a queue for all programs, as it outlives them, and
 * somebody would have to open it again.
 *
 * Lock order: a handle's lock -> the engine's. Events come without the engine's.
 *
 * Checked by: tests/unit/task/test_queue_cluster.c */
#include "task/queue_cluster.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ravel/blocking.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/list.h"
#include "base/opts.h"
#include "engine/address.h"
#include "engine/queue.h"
#include "sched/wait.h"
#include "sys/clock.h"
#include "sys/lock.h"
#include "task/waitlist.h"

#define PAUSE_FIRST (2 * RV_MILLISECOND)
#define PAUSE_MOST (200 * RV_MILLISECOND)

/* What an engine that is there needs for an answer, and what one needs to say all when it
 * closes. */
#define ANSWER_NS (5 * RV_SECOND)
#define CLOSE_NS RV_SECOND

/* What an item that can be had takes to come. */
#define TRY_NS (2 * RVI_ENGINE_PULL_MS * RV_MILLISECOND)

struct held {
    struct rvi_link link; /* in hand, the oldest first */
    struct rvi_engine_item *item;
    const void *party; /* that got it */
};

struct rvi_queue_cluster {
    struct rvi_engine *engine;
    struct rvi_engine_queue *queue;
    size_t item_bytes;

    struct rvi_lock lock; /* guards all below */
    struct rvi_waitlist getters;
    unsigned getting, holding; /* getters; items in hand */
    struct rvi_list in_hand;
    struct rvi_list asks;
    bool is_closed;
};

struct answer {
    int error;
    uint64_t waiting, leased; /* of a count */
};

/* Something that the engine answers. */
struct ask {
    struct rvi_link link;
    struct rvi_queue_cluster *s;
    struct rvi_waiter *waiter; /* who asked, while he waits */
    bool is_answered, is_left; /* he waits no more */
    struct answer answer;
};

/* Somebody who gets; in the waiting function's frame. */
struct getter {
    struct rvi_waiter waiter;
    struct rvi_queue_cluster *s;
    const void *party;
    void *to;
    int result; /* once he is taken out of line */
};

static rv_time sooner(rv_time a, rv_time b)
{
    return a < b ? a : b;
}

/* --- asking --- */

static struct ask *ask_new(struct rvi_queue_cluster *s)
{
    struct ask *ask = rvi_calloc(1, sizeof(*ask));

    if (!ask)
        return NULL;
    ask->s = s;
    rvi_lock_acquire(&s->lock);
    rvi_list_push_back(&s->asks, &ask->link);
    rvi_lock_release(&s->lock);
    return ask;
}

static void ask_free(struct ask *ask)
{
    rvi_lock_acquire(&ask->s->lock);
    rvi_link_remove(&ask->link);
    rvi_lock_release(&ask->s->lock);
    rvi_free(ask);
}

static void take_answer(struct ask *ask, const struct answer *answer)
{
    struct rvi_queue_cluster *s = ask->s;

    rvi_lock_acquire(&s->lock);
    struct rvi_waiter *w = ask->waiter;
    bool is_left = ask->is_left;
    ask->waiter = NULL;
    ask->is_answered = true;
    ask->answer = *answer;
    rvi_lock_release(&s->lock);
    if (is_left)
        ask_free(ask);
    else if (w)
        rvi_wake(w);
}

static bool stop_asking(struct rvi_waiter *w, void *object)
{
    struct ask *ask = object;

    rvi_lock_acquire(&ask->s->lock);
    bool waited = ask->waiter == w;
    if (waited) {
        ask->waiter = NULL;
        ask->is_left = true;
    }
    rvi_lock_release(&ask->s->lock);
    return waited;
}

/* The ask has been said, if `said` is 0, and is not the caller's any more afterwards. The answer's
 * error, or -ETIME, -ECANCELED, -ENOMEM: there is none yet. */
static int await(struct ask *ask, int said, struct answer *ret, rv_time deadline, enum rvi_why why)
{
    struct rvi_waiter w;

    if (said < 0) {
        ask_free(ask);
        return said;
    }
    rvi_waiter_init(&w);
    rvi_lock_acquire(&ask->s->lock);
    bool waits = !ask->is_answered;
    if (waits)
        ask->waiter = &w;
    rvi_lock_release(&ask->s->lock);
    rvi_wait_tells(ask->s, why);
    int r = waits ? rvi_wait(&w, deadline, why, stop_asking, ask) : 0;
    if (r < 0)
        return r;
    *ret = ask->answer;
    ask_free(ask);
    return ret->error;
}

static int count(struct rvi_queue_cluster *s, struct answer *ret, rv_time deadline,
                 enum rvi_why why)
{
    struct ask *ask = ask_new(s);

    return ask ? await(ask, rvi_engine_queue_count(s->queue, ask), ret, deadline, why) : -ENOMEM;
}

/* --- events: the engine's thread --- */

static void told(void *arg, void *token, int error)
{
    (void)arg;
    take_answer(token, &(struct answer){.error = error});
}

static void counted(void *arg, void *token, int error, uint64_t waiting, uint64_t leased)
{
    (void)arg;
    take_answer(token, &(struct answer){error, waiting, leased});
}

/* With the lock: C2. */
static void want(struct rvi_queue_cluster *s)
{
    rvi_engine_queue_want(s->queue, s->holding + s->getting);
}

/* With the lock; NULL: nobody is in line. */
static struct getter *first_getter(struct rvi_queue_cluster *s)
{
    struct rvi_waiter *w = rvi_waitlist_pop(&s->getters);

    s->getting -= w != NULL;
    return w ? rvi_container_of(w, struct getter, waiter) : NULL;
}

/* With the lock. Errors: the item is not taken. */
static int take_in_hand(struct rvi_queue_cluster *s, struct getter *getter,
                        struct rvi_engine_item *item)
{
    struct held *held = item->count == s->item_bytes ? rvi_alloc(sizeof(*held)) : NULL;

    if (!held)
        return item->count == s->item_bytes ? -ENOMEM : -EBADMSG;
    rvi_link_init(&held->link);
    held->item = item;
    held->party = getter->party;
    memcpy(getter->to, item->bytes, item->count);
    rvi_list_push_back(&s->in_hand, &held->link);
    s->holding++;
    return 0;
}

/* One of another length nobody here can do anything with: who has got it hears of it, and it is not
 * delivered for ever. */
static void got(void *arg, struct rvi_engine_item *item)
{
    struct rvi_queue_cluster *s = arg;
    int r = -EAGAIN;

    rvi_lock_acquire(&s->lock);
    struct getter *getter = first_getter(s);
    if (getter)
        r = getter->result = take_in_hand(s, getter, item);
    want(s);
    rvi_lock_release(&s->lock);
    if (r == -EBADMSG)
        rvi_engine_item_done(item);
    else if (r < 0)
        rvi_engine_item_back(item);
    if (getter)
        rvi_wake(&getter->waiter);
}

/* Who has it may end its work all the same; that somebody else does too is what at least once
 * means. */
static void lapsed(void *arg, struct rvi_engine_item *item)
{
    (void)arg;
    (void)item;
}

static const struct rvi_engine_queue_events events = {
    .put = told,
    .got = got,
    .counted = counted,
    .dropped = told,
    .lapsed = lapsed,
};

/* --- putting --- */

static bool is_closed(struct rvi_queue_cluster *s)
{
    rvi_lock_acquire(&s->lock);
    bool it_is = s->is_closed;
    rvi_lock_release(&s->lock);
    return it_is;
}

static int put_once(struct rvi_queue_cluster *s, const void *item, rv_time deadline)
{
    struct answer answered;
    struct ask *ask;

    if (is_closed(s))
        return -EPIPE;
    ask = ask_new(s);
    if (!ask)
        return -ENOMEM;
    int said = rvi_engine_queue_put(s->queue, item, s->item_bytes, ask);
    return await(ask, said, &answered, deadline, RVI_WHY_QUEUE_PUT);
}

/* Before it is asked once more. Errors: -ETIME, -ECANCELED, -ENOMEM. */
static int pause_before(rv_time deadline, rv_time *pause)
{
    rv_time until = rv_after(*pause);

    if (*pause < PAUSE_MOST)
        *pause *= 2;
    int r = rv_sleep_until(sooner(until, deadline));
    return r == 0 && until > deadline ? -ETIME : r;
}

int rvi_queue_cluster_put(struct rvi_queue_cluster *s, const void *item, rv_time deadline)
{
    rv_time pause = PAUSE_FIRST;
    int r = rvi_wait_allowed();

    while (r == 0) {
        r = put_once(s, item, deadline);
        if (r != -EAGAIN)
            break;
        r = pause_before(deadline, &pause);
    }
    return r;
}

int rvi_queue_cluster_try_put(struct rvi_queue_cluster *s, const void *item)
{
    int r = rvi_wait_allowed();

    return r < 0 ? r : put_once(s, item, rv_after(ANSWER_NS));
}

/* --- getting --- */

static bool leave_line(struct rvi_waiter *w, void *object)
{
    struct rvi_queue_cluster *s = object;

    rvi_lock_acquire(&s->lock);
    bool waited = rvi_waitlist_leave(&s->getters, w);
    if (waited) {
        s->getting--;
        want(s);
    }
    rvi_lock_release(&s->lock);
    return waited;
}

/* Errors: -EAGAIN the queue has been closed meanwhile; those of a wait; of take_in_hand(). */
static int get_once(struct rvi_queue_cluster *s, void *ret_item, rv_time deadline, bool was_closed)
{
    struct getter getter = {.s = s, .party = rvi_party_self(), .to = ret_item};

    rvi_waiter_init(&getter.waiter);
    rvi_lock_acquire(&s->lock);
    bool waits = s->is_closed == was_closed;
    if (waits) {
        rvi_waitlist_push(&s->getters, &getter.waiter);
        s->getting++;
        want(s);
    }
    rvi_lock_release(&s->lock);
    rvi_wait_tells(s, RVI_WHY_QUEUE_GET);
    int r = waits ? rvi_wait(&getter.waiter, deadline, RVI_WHY_QUEUE_GET, leave_line, s) : -EAGAIN;
    return r < 0 ? r : getter.result;
}

/* Whether something may come: 0, or -EPIPE. What has gone back is counted as leased until it is got
 * again: so it has to be tried. */
static int look_for_more(struct rvi_queue_cluster *s, bool has_tried, rv_time deadline)
{
    struct answer now;
    int r = count(s, &now, deadline, RVI_WHY_QUEUE_GET);

    if (r < 0)
        return r;
    return now.waiting == 0 && (has_tried || now.leased == 0) ? -EPIPE : 0;
}

/* Of a closed handle: as long as something may come. */
static int get_the_rest(struct rvi_queue_cluster *s, void *ret_item, rv_time deadline)
{
    int r = look_for_more(s, false, deadline);

    while (r == 0) {
        rv_time until = sooner(deadline, rv_after(TRY_NS));
        r = get_once(s, ret_item, until, true);
        if (r != -ETIME || until == deadline)
            break;
        r = look_for_more(s, true, deadline);
    }
    return r;
}

int rvi_queue_cluster_get(struct rvi_queue_cluster *s, void *ret_item, rv_time deadline)
{
    int r = rvi_wait_allowed();

    if (r == 0)
        r = is_closed(s) ? -EAGAIN : get_once(s, ret_item, deadline, false);
    return r == -EAGAIN ? get_the_rest(s, ret_item, deadline) : r;
}

int rvi_queue_cluster_try_get(struct rvi_queue_cluster *s, void *ret_item)
{
    bool was_closed = is_closed(s);
    int r = rvi_wait_allowed();

    if (r == 0 && was_closed)
        return get_the_rest(s, ret_item, rv_after(ANSWER_NS));
    if (r == 0)
        r = look_for_more(s, false, rv_after(ANSWER_NS));
    if (r == 0)
        r = get_once(s, ret_item, rv_after(TRY_NS), false);
    return r == -EPIPE || r == -ETIME ? -EAGAIN : r;
}

/* With the lock; NULL: there is none. */
static struct held *oldest_for(struct rvi_queue_cluster *s, const void *party)
{
    RVI_LIST_FOREACH(link, &s->in_hand) {
        struct held *held = rvi_container_of(link, struct held, link);
        if (held->party == party)
            return held;
    }
    struct rvi_link *first = rvi_list_first(&s->in_hand);
    return first ? rvi_container_of(first, struct held, link) : NULL;
}

int rvi_queue_cluster_done(struct rvi_queue_cluster *s)
{
    rvi_lock_acquire(&s->lock);
    struct held *held = oldest_for(s, rvi_party_self());
    if (held) {
        rvi_link_remove(&held->link);
        s->holding--;
        want(s); /* first, or another would be fetched in its place */
        rvi_engine_item_done(held->item);
    }
    rvi_lock_release(&s->lock);
    rvi_free(held);
    return held ? 0 : -EINVAL;
}

/* --- the rest --- */

int rvi_queue_cluster_join(struct rvi_queue_cluster *s, rv_time deadline)
{
    rv_time pause = PAUSE_FIRST;
    struct answer now;
    int r = rvi_wait_allowed();

    while (r == 0) {
        r = count(s, &now, deadline, RVI_WHY_QUEUE_JOIN);
        if (r < 0 || now.waiting + now.leased == 0)
            break;
        r = pause_before(deadline, &pause);
    }
    return r;
}

/* Who is in line asks from now on whether something may come. */
void rvi_queue_cluster_close(struct rvi_queue_cluster *s)
{
    struct rvi_link *wakes = NULL;
    struct getter *getter;

    rvi_lock_acquire(&s->lock);
    s->is_closed = true;
    while ((getter = first_getter(s))) {
        getter->result = -EAGAIN;
        getter->waiter.link.next = wakes;
        wakes = &getter->waiter.link;
    }
    want(s);
    rvi_lock_release(&s->lock);
    rvi_chain_wake(wakes);
}

int rvi_queue_cluster_count(struct rvi_queue_cluster *s, struct rv_queue_stats *ret)
{
    struct answer now;
    int r = rvi_wait_allowed();

    if (r == 0)
        r = count(s, &now, rv_after(ANSWER_NS), RVI_WHY_QUEUE_JOIN);
    if (r < 0)
        return r;
    ret->waiting = now.waiting;
    ret->unfinished = now.waiting + now.leased;
    return 0;
}

int rvi_queue_cluster_drop(struct rvi_queue_cluster *s, rv_time deadline)
{
    struct answer answered;
    int r = rvi_wait_allowed();
    struct ask *ask = r == 0 ? ask_new(s) : NULL;

    if (!ask)
        return r < 0 ? r : -ENOMEM;
    return await(ask, rvi_engine_queue_drop(s->queue, ask), &answered, deadline,
                 RVI_WHY_QUEUE_JOIN);
}

/* --- letting go --- */

static bool is_used(struct rvi_queue_cluster *s)
{
    bool is_any = !rvi_waitlist_is_empty(&s->getters);

    RVI_LIST_FOREACH(link, &s->asks) {
        is_any |= rvi_container_of(link, struct ask, link)->waiter != NULL;
    }
    return is_any;
}

void rvi_queue_cluster_free(struct rvi_queue_cluster *s)
{
    struct rvi_link *link;

    rvi_lock_acquire(&s->lock);
    if (is_used(s))
        rvi_panic("rv_queue_free: somebody still waits for the queue; let them return first");
    rvi_lock_release(&s->lock);
    rvi_engine_queue_close(s->queue);
    rvi_engine_close(s->engine, rv_after(CLOSE_NS));
    while ((link = rvi_list_pop_front(&s->in_hand)))
        rvi_free(rvi_container_of(link, struct held, link));
    while ((link = rvi_list_pop_front(&s->asks)))
        rvi_free(rvi_container_of(link, struct ask, link));
    rvi_free(s);
}

/* --- opening --- */

struct opening {
    struct rvi_queue_cluster *s;
    struct rvi_engine_opts engine;
    char *memory; /* of url and pool */
    const char *name;
    size_t capacity;
    char words[RVI_ENGINE_WORDS];
};

/* "cluster:nats://host:4222/pool/name", or "cluster:name" where RAVEL_CLUSTER is. */
static int take_address(struct opening *o, const char *address)
{
    static const char prefix[] = "cluster:";
    const char *rest = address + sizeof(prefix) - 1, *usual = getenv(RVI_CLUSTER_VARIABLE);

    if (strncmp(address, prefix, sizeof(prefix) - 1) != 0)
        return -EINVAL;
    const char *slash = strrchr(rest, '/');
    o->name = slash ? slash + 1 : rest;
    if (!slash)
        return usual ? rvi_engine_address_take(&o->engine, &o->memory, usual, o->words) : -EINVAL;
    char *place = rvi_alloc((size_t)(slash - rest) + 1);
    if (!place)
        return -ENOMEM;
    memcpy(place, rest, (size_t)(slash - rest));
    place[slash - rest] = '\0';
    int r = rvi_engine_address_take(&o->engine, &o->memory, place, o->words);
    rvi_free(place);
    return r;
}

static void take_opts(struct opening *o, const struct rv_cluster_opts *opts)
{
    o->engine = (struct rvi_engine_opts){
        .role = RVI_ENGINE_QUEUER,
        .ca_file = opts->ca_file,
        .cert_file = opts->cert_file,
        .key_file = opts->key_file,
        .nkey_file = opts->nkey_file,
        .connect_timeout = opts->connect_timeout,
    };
    rvi_engine_credentials_take(&o->engine);
}

static int connect_to(void *arg)
{
    static const struct rvi_engine_events none;
    struct opening *o = arg;
    struct rvi_queue_cluster *s = o->s;
    int r = rvi_engine_open(&s->engine, &o->engine, &none, s, o->words);

    if (r < 0)
        return r;
    r = rvi_engine_queue_open(&s->queue, s->engine, o->name, o->capacity, &events, s);
    if (r < 0)
        rvi_engine_close(s->engine, 0);
    return r;
}

static void explain(const struct opening *o, int error, const struct rv_cluster_opts *opts)
{
    const char *words = error == -EINVAL ? "no address of a queue; one is "
                                           "cluster:nats://host:4222/pool/name"
                                         : strerror(-error);

    if (opts->words && opts->words_bytes > 0)
        snprintf(opts->words, opts->words_bytes, "%s", o->words[0] ? o->words : words);
}

static int open_by(struct opening *o, const char *address, const struct rv_cluster_opts *opts)
{
    take_opts(o, opts);
    int r = take_address(o, address);
    if (r == 0 && !rvi_engine_is_name(o->name))
        r = -EINVAL;
    if (r == 0)
        r = rv_blocking(connect_to, o, NULL);
    rvi_free(o->memory);
    if (r < 0)
        explain(o, r, opts);
    return r;
}

/* So whoever comes later finds it as it was wanted here. On error it is let go of. */
static int await_made(struct opening *o, const struct rv_cluster_opts *opts)
{
    rv_time patience = opts->connect_timeout > 0 ? opts->connect_timeout : ANSWER_NS;
    struct answer now;
    int r = count(o->s, &now, rv_after(patience), RVI_WHY_QUEUE_PUT);

    if (r < 0) {
        rvi_queue_cluster_free(o->s);
        explain(o, r, opts);
    }
    return r;
}

int rvi_queue_cluster_open(struct rvi_queue_cluster **ret, const char *address, size_t item_bytes,
                           size_t capacity, const struct rv_cluster_opts *user_opts)
{
    struct opening o = {.capacity = capacity};
    struct rv_cluster_opts opts;
    int r = rvi_opts_copy(&opts, sizeof(opts), user_opts, user_opts ? user_opts->size : 0);

    if (r < 0)
        return r;
    if (item_bytes == 0 || capacity == 0)
        return -EINVAL;
    if (item_bytes > RVI_ENGINE_WHOLE)
        return -EMSGSIZE;
    o.s = rvi_calloc(1, sizeof(*o.s));
    if (!o.s)
        return -ENOMEM;
    o.s->item_bytes = item_bytes;
    rvi_list_init(&o.s->in_hand);
    rvi_list_init(&o.s->asks);
    r = open_by(&o, address, &opts);
    if (r < 0) {
        rvi_free(o.s);
        return r;
    }
    r = await_made(&o, &opts);
    if (r == 0)
        *ret = o.s;
    return r;
}
