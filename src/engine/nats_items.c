/* SPDX-License-Identifier: MIT */
/* nats_items.c - the items of queues that are leased here. See nats_queue.c. */
#include <string.h>

#include "base/alloc.h"
#include "engine/nats_queue.h"
#include "sys/clock.h"

enum { PREFIX = 2 }; /* of a queue's consumer: "q_" */

static void free_item(struct rvi_nats *e, struct rvi_nats_item *item)
{
    rvi_nats_unask(e, &item->ask);
    rvi_link_remove(&item->link);
    rvi_nats_drop(e, item->msg);
    rvi_free(item);
}

static void item_over(struct rvi_nats *e, struct rvi_nats_ask *ask,
                      const struct rvi_nats_answer *answer)
{
    (void)answer; /* whatever the server says to it, it has heard it */
    free_item(e, rvi_container_of(ask, struct rvi_nats_item, ask));
}

static void item_read(struct rvi_nats *e, struct rvi_nats_note *note)
{
    struct rvi_nats_item *item = rvi_container_of(note, struct rvi_nats_item, note);
    struct rvi_nats_ask *ask = &item->ask;

    item->end = item->wish;
    rvi_nats_queue_of(item->base.queue)->held--;
    snprintf(ask->subject, sizeof(ask->subject), "%s", e->api->natsMsg_GetReply(item->msg));
    ask->bytes = item->end;
    ask->count = strlen(item->end);
    ask->answered = item_over;
    rvi_nats_ask(e, ask);
}

static void give_up(struct rvi_engine_item *base, const char *end)
{
    struct rvi_nats_item *item = rvi_container_of(base, struct rvi_nats_item, base);

    item->wish = end;
    rvi_nats_note(rvi_nats_of(base->queue->engine), &item->note);
}

void rvi_nats_item_done(struct rvi_engine_item *item)
{
    give_up(item, "+ACK");
}

void rvi_nats_item_back(struct rvi_engine_item *item)
{
    give_up(item, "-NAK");
}

static struct rvi_nats_queue *find(struct rvi_nats *e, const char *consumer)
{
    RVI_LIST_FOREACH(link, &e->queues) {
        if (strcmp(rvi_nats_queue_at(link)->lane.consumer, consumer) == 0)
            return rvi_nats_queue_at(link);
    }
    return NULL;
}

/* Without memory, and beyond what is wanted, it lapses or goes back, and is delivered again. */
static void take(struct rvi_nats *e, struct rvi_nats_queue *q, const struct rvi_nats_origin *origin,
                 natsMsg *msg)
{
    struct rvi_nats_item *item = q->held < q->slots ? rvi_calloc(1, sizeof(*item)) : NULL;

    if (!item) {
        (void)rvi_nats_say(e, e->api->natsMsg_GetReply(msg), NULL, NULL, "-NAK", 4);
        return;
    }
    item->base = (struct rvi_engine_item){.queue = &q->base,
                                          .bytes = e->api->natsMsg_GetData(msg),
                                          .count = (size_t)e->api->natsMsg_GetDataLength(msg),
                                          .delivered = origin->delivered};
    item->note.read = item_read;
    item->msg = msg;
    e->is_kept = true;
    rvi_list_push_back(&q->items, &item->link);
    if (q->held++ == 0)
        q->extended = rvi_clock_now();
    q->base.events.got(q->base.arg, &item->base);
}

bool rvi_nats_queues_heard(struct rvi_nats *e, const struct rvi_nats_origin *origin, natsMsg *msg)
{
    struct rvi_nats_queue *q = find(e, origin->consumer);

    if (q) {
        rvi_nats_lane_heard(&q->lane, origin);
        take(e, q, origin, msg);
    }
    return q || strncmp(origin->consumer, "q_", PREFIX) == 0;
}

void rvi_nats_items_extend(struct rvi_nats *e, struct rvi_nats_queue *q, int64_t now)
{
    q->extended = now;
    RVI_LIST_FOREACH(link, &q->items) {
        struct rvi_nats_item *item = rvi_container_of(link, struct rvi_nats_item, link);
        if (!item->end)
            (void)rvi_nats_say(e, e->api->natsMsg_GetReply(item->msg), NULL, NULL, "+WPI", 4);
    }
}

/* What was given up is said once more without waiting for an answer: if it is lost, it is delivered
 * again. */
void rvi_nats_items_leave(struct rvi_nats *e, struct rvi_nats_queue *q)
{
    while (!rvi_list_is_empty(&q->items)) {
        struct rvi_nats_item *item =
            rvi_container_of(rvi_list_first(&q->items), struct rvi_nats_item, link);
        const char *end = item->end ? item->end : "-NAK";
        (void)rvi_nats_say(e, e->api->natsMsg_GetReply(item->msg), NULL, NULL, end, strlen(end));
        free_item(e, item);
    }
}
