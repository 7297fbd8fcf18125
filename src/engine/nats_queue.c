/* SPDX-License-Identifier: MIT */
/* nats_queue.c - durable named queues: a stream each, of items that wait or are leased, and one
 * consumer, which everybody asks.
 *
 * An item is published under an identity of its own, so that one that was said twice is stored
 * once. That an item is done, or goes back, is asked as any exchange is: the server confirms it.
 *
 * After a crash the server may have again what was done. The consumer knows better, and delivers
 * none of it: whenever the queue is there anew, all behind the place up to which everything is done
 * is removed, so that the room is not taken. What is unfinished is counted by the consumer.
 *
 *   Q1  A queue, its puts, counts and items are the engine's thread's, but for `todo` and `wanted`
 *       (in.lock). Until a queue is ready, what is asked of it waits in its lists.
 *   Q2  An item is extended each third of a lease, until it is given up. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "engine/nats_queue.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/futex.h"

/* --- puts, counts, removal --- */

static void thing_over(struct rvi_nats *e, struct rvi_nats_thing *thing)
{
    rvi_nats_unask(e, &thing->ask);
    rvi_link_remove(&thing->link);
    rvi_free(thing);
}

static void thing_answered(struct rvi_nats *e, struct rvi_nats_ask *ask,
                           const struct rvi_nats_answer *answer)
{
    struct rvi_nats_thing *thing = rvi_container_of(ask, struct rvi_nats_thing, ask);
    struct rvi_engine_queue *q = &thing->queue->base;
    uint64_t waiting = 0, leased = 0;

    if (answer->error == -EIO) {
        rvi_nats_ask_later(e, ask);
        return;
    }
    switch (thing->what) {
    case RVI_THING_PUT:
        q->events.put(q->arg, thing->token, answer->error);
        break;
    case RVI_THING_COUNT:
        rvi_json_number(rvi_json_member(answer->json, "num_pending"), &waiting);
        rvi_json_number(rvi_json_member(answer->json, "num_ack_pending"), &leased);
        q->events.counted(q->arg, thing->token, answer->error, waiting, leased);
        break;
    case RVI_THING_DROP: /* it is gone, by whomever */
        q->events.dropped(q->arg, thing->token, answer->error == -ENOENT ? 0 : answer->error);
        break;
    }
    thing_over(e, thing);
}

static void ask_thing(struct rvi_nats *e, struct rvi_nats_thing *thing)
{
    struct rvi_nats_ask *ask = &thing->ask;

    const char *pool = e->opts.pool, *name = thing->queue->name;

    switch (thing->what) {
    case RVI_THING_PUT:
        snprintf(ask->subject, sizeof(ask->subject), "ravel.%s.queue.%s", pool, name);
        ask->header[0] = (struct rvi_nats_header){"Nats-Msg-Id", thing->id};
        break;
    case RVI_THING_COUNT:
        snprintf(ask->subject, sizeof(ask->subject), "$JS.API.CONSUMER.INFO.RAVEL+%s+%s.q_%s", pool,
                 name, name);
        break;
    case RVI_THING_DROP:
        snprintf(ask->subject, sizeof(ask->subject), "$JS.API.STREAM.DELETE.RAVEL+%s+%s", pool,
                 name);
        break;
    }
    ask->bytes = thing->bytes;
    ask->count = thing->count;
    ask->answered = thing_answered;
    rvi_nats_ask(e, ask);
}

static void thing_read(struct rvi_nats *e, struct rvi_nats_note *note)
{
    struct rvi_nats_thing *thing = rvi_container_of(note, struct rvi_nats_thing, note);

    rvi_list_push_back(&thing->queue->things, &thing->link);
    if (thing->queue->is_ready)
        ask_thing(e, thing);
}

static int begin_thing(struct rvi_engine_queue *q, const void *bytes, size_t count, void *token,
                       int what)
{
    struct rvi_nats *e = rvi_nats_of(q->engine);
    struct rvi_nats_thing *thing = rvi_calloc(1, sizeof(*thing) + count);
    int r = thing ? rvi_engine_make_id(thing->id) : -ENOMEM;

    if (r < 0) {
        rvi_free(thing);
        return r;
    }
    thing->note.read = thing_read;
    thing->queue = rvi_nats_queue_of(q);
    thing->token = token;
    thing->what = what;
    thing->count = count;
    if (count > 0)
        memcpy(thing->bytes, bytes, count);
    rvi_nats_note(e, &thing->note);
    return 0;
}

static int put(struct rvi_engine_queue *q, const void *bytes, size_t count, void *token)
{
    return begin_thing(q, bytes, count, token, RVI_THING_PUT);
}

static int count_items(struct rvi_engine_queue *q, void *token)
{
    return begin_thing(q, NULL, 0, token, RVI_THING_COUNT);
}

static int drop(struct rvi_engine_queue *q, void *token)
{
    return begin_thing(q, NULL, 0, token, RVI_THING_DROP);
}

/* --- making it --- */

static void tell_lapsed(struct rvi_nats *e, struct rvi_nats_queue *q)
{
    int64_t now = rvi_clock_now();

    if (q->held > 0 && q->extended + rvi_nats_lease_time(e) <= now) {
        RVI_LIST_FOREACH(link, &q->items) {
            struct rvi_nats_item *item = rvi_container_of(link, struct rvi_nats_item, link);
            if (!item->end)
                q->base.events.lapsed(q->base.arg, &item->base);
        }
    }
    q->extended = 0;
}

static void be_ready(struct rvi_nats *e, struct rvi_nats_queue *q)
{
    q->is_ready = true;
    tell_lapsed(e, q);
    RVI_LIST_FOREACH_SAFE(link, &q->things) {
        struct rvi_nats_thing *thing = rvi_container_of(link, struct rvi_nats_thing, link);
        if (thing->ask.state == RVI_ASK_IDLE)
            ask_thing(e, thing);
    }
}

static void looked_behind(struct rvi_nats *e, struct rvi_nats_behind *behind)
{
    be_ready(e, rvi_container_of(behind, struct rvi_nats_queue, behind));
}

/* Before anything is put: what is put may need the room. */
static void look_behind(struct rvi_nats *e, struct rvi_nats_queue *q, uint64_t floor)
{
    struct rvi_nats_behind *behind = &q->behind;

    snprintf(behind->stream, sizeof(behind->stream), "RAVEL+%s+%s", e->opts.pool, q->name);
    snprintf(behind->subject, sizeof(behind->subject), "ravel.%s.queue.%s", e->opts.pool, q->name);
    behind->over = looked_behind;
    rvi_nats_behind_look(e, behind, floor);
}

static void consumer_made(struct rvi_nats *e, struct rvi_nats_ask *ask,
                          const struct rvi_nats_answer *answer)
{
    struct rvi_nats_queue *q = rvi_container_of(ask, struct rvi_nats_queue, ask);
    struct rvi_json floor = rvi_json_member(answer->json, "ack_floor");
    uint64_t sequence = 0;

    rvi_json_number(rvi_json_member(floor, "stream_seq"), &sequence);
    if (answer->error < 0 && answer->error != -EEXIST)
        rvi_nats_ask_later(e, ask);
    else if (sequence > 0)
        look_behind(e, q, sequence);
    else
        be_ready(e, q);
}

static void make_consumer(struct rvi_nats *e, struct rvi_nats_queue *q)
{
    struct rvi_nats_ask *ask = &q->ask;

    snprintf(ask->subject, sizeof(ask->subject), "$JS.API.CONSUMER.DURABLE.CREATE.RAVEL+%s+%s.q_%s",
             e->opts.pool, q->name, q->name);
    ask->count = (size_t)snprintf(
        q->config, sizeof(q->config),
        "{\"stream_name\":\"RAVEL+%s+%s\",\"config\":{\"durable_name\":\"q_%s\","
        "\"deliver_policy\":\"all\",\"ack_policy\":\"explicit\",\"ack_wait\":%" PRId64 ","
        "\"max_deliver\":-1,\"replay_policy\":\"instant\",\"max_waiting\":100000,"
        "\"max_ack_pending\":%d}}",
        e->opts.pool, q->name, q->name, rvi_nats_lease_time(e), 1 << 20);
    ask->answered = consumer_made;
    rvi_nats_ask(e, ask);
}

static void stream_made(struct rvi_nats *e, struct rvi_nats_ask *ask,
                        const struct rvi_nats_answer *answer)
{
    if (answer->error < 0 && answer->error != -EEXIST)
        rvi_nats_ask_later(e, ask);
    else
        make_consumer(e, rvi_container_of(ask, struct rvi_nats_queue, ask));
}

static void make(struct rvi_nats *e, struct rvi_nats_queue *q)
{
    struct rvi_nats_ask *ask = &q->ask;

    snprintf(ask->subject, sizeof(ask->subject), "$JS.API.STREAM.CREATE.RAVEL+%s+%s", e->opts.pool,
             q->name);
    ask->bytes = q->config;
    ask->count = (size_t)snprintf(
        q->config, sizeof(q->config),
        "{\"name\":\"RAVEL+%s+%s\",\"subjects\":[\"ravel.%s.queue.%s\"],"
        "\"retention\":\"workqueue\",\"storage\":\"file\",\"discard\":\"new\","
        "\"num_replicas\":%d,\"max_msgs\":%" PRIu64 "}",
        e->opts.pool, q->name, e->opts.pool, q->name, e->is_clustered ? 3 : 1, q->capacity);
    ask->answered = stream_made;
    rvi_nats_ask(e, ask);
}

/* --- the thread's turns --- */

void rvi_nats_queues_ready(struct rvi_nats *e)
{
    RVI_LIST_FOREACH(link, &e->queues) {
        make(e, rvi_nats_queue_at(link));
    }
}

void rvi_nats_queues_lost(struct rvi_nats *e)
{
    RVI_LIST_FOREACH(link, &e->queues) {
        rvi_nats_unask(e, &rvi_nats_queue_at(link)->ask);
        rvi_nats_unask(e, &rvi_nats_queue_at(link)->behind.ask);
        rvi_nats_lane_lost(&rvi_nats_queue_at(link)->lane);
        rvi_nats_queue_at(link)->is_ready = false;
    }
}

void rvi_nats_queues_status(struct rvi_nats *e, unsigned long number)
{
    RVI_LIST_FOREACH(link, &e->queues) {
        if (rvi_nats_lane_status(&rvi_nats_queue_at(link)->lane, number))
            return;
    }
}

bool rvi_nats_queues_are_asked(const struct rvi_nats *e)
{
    bool they_are = false;

    RVI_LIST_FOREACH(link, &e->queues) {
        they_are |= rvi_nats_queue_at(link)->lane.count > 0;
    }
    return they_are;
}

void rvi_nats_queues_turn(struct rvi_nats *e, int64_t now)
{
    RVI_LIST_FOREACH(link, &e->queues) {
        struct rvi_nats_queue *q = rvi_nats_queue_at(link);
        if (!q->is_ready)
            continue;
        rvi_nats_lane_turn(e, &q->lane, q->slots > q->held ? q->slots - q->held : 0, now);
        if (q->held > 0 && q->extended + rvi_nats_lease_time(e) / 3 <= now)
            rvi_nats_items_extend(e, q, now);
    }
}

int64_t rvi_nats_queues_due(const struct rvi_nats *e)
{
    int64_t due = INT64_MAX;

    RVI_LIST_FOREACH(link, &e->queues) {
        struct rvi_nats_queue *q = rvi_nats_queue_at(link);
        int64_t extend_at = q->held > 0 ? q->extended + rvi_nats_lease_time(e) / 3 : INT64_MAX;
        int64_t ask_at = q->slots > q->held ? rvi_nats_lane_due(&q->lane) : INT64_MAX;
        if (q->is_ready && extend_at < due)
            due = extend_at;
        if (q->is_ready && ask_at < due)
            due = ask_at;
    }
    return due;
}

/* --- its life --- */

static void news_read(struct rvi_nats *e, struct rvi_nats_note *note)
{
    struct rvi_nats_queue *q = rvi_container_of(note, struct rvi_nats_queue, news);

    rvi_lock_acquire(&e->in.lock);
    q->slots = q->wanted;
    q->is_noted = false;
    rvi_lock_release(&e->in.lock);
}

static void want(struct rvi_engine_queue *base, unsigned items)
{
    struct rvi_nats *e = rvi_nats_of(base->engine);
    struct rvi_nats_queue *q = rvi_nats_queue_of(base);

    rvi_lock_acquire(&e->in.lock);
    q->wanted = items;
    bool rings = !q->is_noted && rvi_nats_note_locked(e, &q->news);
    q->is_noted = true;
    rvi_lock_release(&e->in.lock);
    if (rings)
        rvi_fd_event_signal(e->bell);
}

static void opening_read(struct rvi_nats *e, struct rvi_nats_note *note)
{
    struct rvi_nats_queue *q = rvi_container_of(note, struct rvi_nats_queue, opening);

    rvi_list_push_back(&e->queues, &q->link);
    if (e->state == RVI_NATS_READY)
        make(e, q);
}

static void closing_read(struct rvi_nats *e, struct rvi_nats_note *note)
{
    struct rvi_nats_queue *q = rvi_container_of(note, struct rvi_nats_queue, closing);
    _Atomic(uint32_t) *closed = q->closed;

    while (!rvi_list_is_empty(&q->things))
        thing_over(e, rvi_container_of(rvi_list_first(&q->things), struct rvi_nats_thing, link));
    rvi_nats_items_leave(e, q);
    rvi_nats_unask(e, &q->ask);
    rvi_nats_unask(e, &q->behind.ask);
    rvi_link_remove(&q->link);
    rvi_free(q);
    rvi_store_release(closed, 1); /* pairs: nats-queue-closed */
    rvi_futex_wake(closed, 1);
}

static void close_queue(struct rvi_engine_queue *base)
{
    struct rvi_nats_queue *q = rvi_nats_queue_of(base);
    _Atomic(uint32_t) closed = 0;

    q->closed = &closed;
    rvi_nats_note(rvi_nats_of(base->engine), &q->closing);
    while (!rvi_load_acquire(&closed)) /* pairs: nats-queue-closed */
        rvi_futex_wait(&closed, 0, INT64_MAX);
}

static int open_queue(struct rvi_engine_queue **ret, struct rvi_engine *engine, const char *name,
                      uint64_t capacity, const struct rvi_engine_queue_events *events, void *arg)
{
    struct rvi_nats *e = rvi_nats_of(engine);
    struct rvi_nats_queue *q = rvi_calloc(1, sizeof(*q));

    if (!q)
        return -ENOMEM;
    q->base = (struct rvi_engine_queue){.engine = engine, .events = *events, .arg = arg};
    q->capacity = capacity;
    snprintf(q->name, sizeof(q->name), "%s", name);
    snprintf(q->lane.consumer, sizeof(q->lane.consumer), "q_%s", name);
    snprintf(q->lane.subject, sizeof(q->lane.subject), "$JS.API.CONSUMER.MSG.NEXT.RAVEL+%s+%s.q_%s",
             e->opts.pool, name, name);
    rvi_list_init(&q->things);
    rvi_list_init(&q->items);
    q->news.read = news_read;
    q->opening.read = opening_read;
    q->closing.read = closing_read;
    rvi_nats_note(e, &q->opening);
    *ret = &q->base;
    return 0;
}

const struct rvi_engine_queue_kind rvi_nats_queue_kind = {
    .open = open_queue,
    .close = close_queue,
    .put = put,
    .want = want,
    .count = count_items,
    .drop = drop,
    .done = rvi_nats_item_done,
    .back = rvi_nats_item_back,
};
