/* SPDX-License-Identifier: MIT */
/* nats_hear.c - what comes in, by where it comes from.
 *
 * What consumers deliver keeps the subject under which it was stored; from whom it comes stands in
 * the subject of its acknowledgement:
 *
 *     $JS.ACK.STREAM.CONSUMER.DELIVERED.SEQUENCE.CONSUMED.TIME.PENDING
 *     $JS.ACK.DOMAIN.ACCOUNT.STREAM.CONSUMER.DELIVERED.SEQUENCE.CONSUMED.TIME.PENDING.RANDOM
 *
 * (NATS, ADR-15). All else comes to our own subject. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/by_nats.h"

enum { TOKENS = 16, OLD_TOKENS = 9 };

static bool take_number(const char *token, uint64_t *ret)
{
    return rvi_json_number((struct rvi_json){token, strcspn(token, ".")}, ret);
}

bool rvi_nats_origin(const char *reply, struct rvi_nats_origin *ret)
{
    const char *token[TOKENS];
    int count = 0;

    for (const char *at = reply; at && count < TOKENS;
         at = strchr(at, '.'), at = at ? at + 1 : NULL)
        token[count++] = at;
    if (strncmp(reply, "$JS.ACK.", 8) != 0 || count < OLD_TOKENS || count == 10 || count == TOKENS)
        return false;
    const char **of = &token[count == OLD_TOKENS ? 3 : 5]; /* the consumer */
    size_t length = strcspn(of[0], ".");
    if (length >= sizeof(ret->consumer))
        return false;
    memcpy(ret->consumer, of[0], length);
    ret->consumer[length] = '\0';
    return take_number(of[1], &ret->delivered) && take_number(of[2], &ret->sequence) &&
           take_number(of[3], &ret->consumed) && take_number(of[5], &ret->pending);
}

static void hear_delivered(struct rvi_nats *e, const char *reply, natsMsg *msg)
{
    struct rvi_nats_origin origin;

    if (!rvi_nats_origin(reply, &origin))
        e->nonsense++;
    else if (!rvi_nats_queues_heard(e, &origin, msg) && e->worker)
        rvi_nats_worker_heard(e, &origin, msg);
}

/* Of what was sent to ravel.POOL.to.ME.: the rest, which begins with one letter. */
static const char *addressed(struct rvi_nats *e, const char *subject)
{
    char prefix[RVI_NATS_SUBJECT];
    int length = snprintf(prefix, sizeof(prefix), "ravel.%s.to.%s.", e->opts.pool, e->me);

    return strncmp(subject, prefix, (size_t)length) == 0 ? subject + length : NULL;
}

static void hear_addressed(struct rvi_nats *e, const char *rest, natsMsg *msg)
{
    const char *bytes = e->api->natsMsg_GetData(msg);
    size_t count = (size_t)e->api->natsMsg_GetDataLength(msg);

    if (rest[0] == '\0' || rest[1] != '.')
        e->nonsense++;
    else if (rest[0] == 'q')
        rvi_nats_ask_heard(e, rest + 2, msg);
    else if (rest[0] == 'n' && e->client)
        rvi_nats_progress_heard(e, rest + 2, bytes, count);
    else if (rest[0] == 'c' && e->client)
        rvi_nats_claim_heard(e, rest + 2);
    else if (rest[0] == 'p')
        rvi_nats_pull_status(e, rest + 2);
    else
        e->nonsense++;
}

void rvi_nats_hear(struct rvi_nats *e, natsMsg *msg)
{
    const char *reply = e->api->natsMsg_GetReply(msg);
    const char *rest = addressed(e, e->api->natsMsg_GetSubject(msg));

    if (rest)
        hear_addressed(e, rest, msg);
    else if (reply)
        hear_delivered(e, reply, msg);
    else
        e->nonsense++;
}
