/* SPDX-License-Identifier: MIT */
/* nats_results.c - a client's results, in their order, each at least once: an ordered consumer
 * (NATS, ADR-17), without a library's call that waits.
 *
 * It is an ephemeral consumer that pushes, acknowledges nothing, and numbers what it delivers.
 * Where a number is missing, when it has been silent for too long, and with each new connection,
 * another one is made, which begins behind the last result that was read, and the older one is
 * deleted. What that still sends has its name, and is passed over.
 *
 * A server that has lost its power may have lost the last results, and gives their numbers to
 * others. What it makes then begins at its end, before what was asked for; those that came in
 * between are found by reading all once more.
 *
 * The server stops after some megabytes until it is told to go on (flow control).
 *
 * Rejected: a plain subscription on the results' subjects. What is published while the connection
 * is away is lost to it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/nats_client.h"
#include "engine/nats_visit.h"
#include "sys/clock.h"

static const int64_t second = 1000000000;

enum { HEARTBEAT_S = 2, SILENT_S = 5, UNUSED_S = 10 };

static void made(struct rvi_nats *e, struct rvi_nats_ask *ask,
                 const struct rvi_nats_answer *answer);

/* --- those before this one --- */

static void delete_older(struct rvi_nats *e);

static void deleted(struct rvi_nats *e, struct rvi_nats_ask *ask,
                    const struct rvi_nats_answer *answer)
{
    (void)ask;
    (void)answer; /* or it has gone by itself */
    e->client->deleted++;
    delete_older(e);
}

/* The server forgets each by itself after UNUSED_S, but not while it is started again more often
 * than that: then they gather, and make each of its starts longer. */
static void delete_older(struct rvi_nats *e)
{
    struct rvi_nats_client *client = e->client;
    struct rvi_nats_ask *ask = &client->deletion;

    if (client->deleted + 1 == client->generation || ask->state != RVI_ASK_IDLE)
        return;
    snprintf(ask->subject, sizeof(ask->subject), "$JS.API.CONSUMER.DELETE.RAVEL_%s_RESULTS.%s_%u",
             e->opts.pool, e->me, client->deleted + 1);
    ask->answered = deleted;
    rvi_nats_ask(e, ask);
}

/* --- this one --- */

/* The first time nothing is there for this client, so it begins at the first. */
static void begin(struct rvi_nats *e)
{
    struct rvi_nats_client *client = e->client;
    struct rvi_nats_ask *ask = &client->ask;
    char subject[RVI_NATS_SUBJECT];

    rvi_nats_unask(e, ask);
    snprintf(client->consumer, sizeof(client->consumer), "%s_%u", e->me, ++client->generation);
    delete_older(e);
    client->consumed = 0;
    client->begun_at = client->sequence;
    client->is_reading = true;
    client->heard = rvi_clock_now();
    snprintf(subject, sizeof(subject), "ravel.%s.read.%s.%u", e->opts.pool, e->me,
             client->generation);
    if (rvi_nats_read_results(e, subject) < 0)
        return; /* the connection is lost */
    snprintf(ask->subject, sizeof(ask->subject), "$JS.API.CONSUMER.CREATE.RAVEL_%s_RESULTS.%s",
             e->opts.pool, client->consumer);
    ask->bytes = client->config;
    ask->count = (size_t)snprintf(
        client->config, sizeof(client->config),
        "{\"stream_name\":\"RAVEL_%s_RESULTS\",\"config\":{\"name\":\"%s\","
        "\"deliver_policy\":\"by_start_sequence\",\"opt_start_seq\":%" PRIu64 ","
        "\"ack_policy\":\"none\",\"max_deliver\":1,\"filter_subject\":\"ravel.%s.result.%s.*\","
        "\"replay_policy\":\"instant\",\"deliver_subject\":\"%s\","
        "\"flow_control\":true,\"idle_heartbeat\":%" PRId64 ",\"num_replicas\":1,"
        "\"inactive_threshold\":%" PRId64 "}}",
        e->opts.pool, client->consumer, client->sequence + 1, e->opts.pool, e->me, subject,
        HEARTBEAT_S * second, UNUSED_S * second);
    ask->is_once = true;
    ask->answered = made;
    rvi_nats_ask(e, ask);
}

void rvi_nats_results_again(struct rvi_nats *e, uint64_t sequence)
{
    e->client->sequence = sequence;
    begin(e);
}

static void made(struct rvi_nats *e, struct rvi_nats_ask *ask, const struct rvi_nats_answer *answer)
{
    struct rvi_json delivered = rvi_json_member(answer->json, "delivered");
    uint64_t last;

    (void)ask;
    e->client->heard = rvi_clock_now();
    if (answer->error == 0 && rvi_json_number(rvi_json_member(delivered, "stream_seq"), &last) &&
        last < e->client->begun_at)
        rvi_nats_results_again(e, 0);
    if (answer->error < 0 && answer->error != -ENOTCONN)
        e->client->heard -= (SILENT_S - 1) * second; /* in a second it is tried again */
}

void rvi_nats_results_open(struct rvi_nats *e)
{
    begin(e);
}

void rvi_nats_results_lost(struct rvi_nats *e)
{
    e->client->is_reading = false;
    rvi_nats_unask(e, &e->client->ask);
}

void rvi_nats_results_turn(struct rvi_nats *e, int64_t now)
{
    if (e->client->is_reading && e->client->heard + SILENT_S * second <= now)
        begin(e);
}

int64_t rvi_nats_results_due(const struct rvi_nats *e)
{
    return e->client->is_reading ? e->client->heard + SILENT_S * second : INT64_MAX;
}

static void hear_delivered(struct rvi_nats *e, const struct rvi_nats_origin *origin, natsMsg *msg)
{
    struct rvi_nats_client *client = e->client;
    const char *id = strrchr(e->api->natsMsg_GetSubject(msg), '.');

    if (origin->consumed != client->consumed + 1) {
        begin(e);
        return;
    }
    client->consumed = origin->consumed;
    client->sequence = origin->sequence;
    if (id && rvi_wire_is_id(id + 1, strlen(id + 1)))
        rvi_nats_result(e, id + 1, msg);
    else
        e->nonsense++;
}

/* Heartbeats, which say how much was delivered, and questions whether to go on. */
static void hear_status(struct rvi_nats *e, natsMsg *msg)
{
    const char *stalled, *reply = e->api->natsMsg_GetReply(msg);

    if (reply)
        (void)rvi_nats_say(e, reply, NULL, NULL, "", 0);
    else if (e->api->natsMsgHeader_Get(msg, "Nats-Consumer-Stalled", &stalled) == NATS_OK)
        (void)rvi_nats_say(e, stalled, NULL, NULL, "", 0);
    if (!reply && rvi_nats_header_number(e, msg, "Nats-Last-Consumer") != e->client->consumed)
        begin(e);
}

void rvi_nats_hear_result(struct rvi_nats *e, natsMsg *msg)
{
    const char *reply = e->api->natsMsg_GetReply(msg);
    struct rvi_nats_origin origin;

    e->client->heard = rvi_clock_now();
    if (reply && rvi_nats_origin(reply, &origin))
        hear_delivered(e, &origin, msg);
    else
        hear_status(e, msg);
}
