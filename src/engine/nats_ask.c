/* SPDX-License-Identifier: MIT */
/* nats_ask.c - exchanges: something is published, and answered.
 *
 * An exchange waits until the connection takes it, is sent, and has an answer, or none for too
 * long. What was lost with a connection, or has had no answer, waits again, in front of the others;
 * all that is asked here can be asked twice. Answers find their exchange by number: a slot, and how
 * often that was used, so one that comes late finds nothing.
 *
 * JetStream says that it is not there (no responders, or one of its own errors) while it starts,
 * and while a cluster has no leader: that is not told, but asked again after a while, when an
 * exchange is not `is_once`. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "engine/by_nats.h"
#include "sys/clock.h"

static const int64_t ms = 1000000;

enum { NO_MEMORY_MS = 10 }; /* before it is looked whether there is some again */

static struct rvi_nats_ask *ask_of(struct rvi_link *link)
{
    return rvi_container_of(link, struct rvi_nats_ask, link);
}

void rvi_nats_ask(struct rvi_nats *e, struct rvi_nats_ask *ask)
{
    RV_DCHECK(ask->state == RVI_ASK_IDLE);
    ask->state = RVI_ASK_WAITING;
    rvi_list_push_back(&e->waiting, &ask->link);
}

void rvi_nats_ask_later(struct rvi_nats *e, struct rvi_nats_ask *ask)
{
    RV_DCHECK(ask->state == RVI_ASK_IDLE);
    ask->state = RVI_ASK_LATER;
    ask->when = rvi_clock_now() + RVI_NATS_AGAIN_MS * ms;
    rvi_list_push_back(&e->later, &ask->link);
}

static void forget_sent(struct rvi_nats *e, struct rvi_nats_ask *ask)
{
    e->asked[ask->number].ask = NULL;
    e->asked[ask->number].uses++;
    e->sent_count--;
}

void rvi_nats_unask(struct rvi_nats *e, struct rvi_nats_ask *ask)
{
    if (ask->state == RVI_ASK_IDLE)
        return;
    if (ask->state == RVI_ASK_SENT)
        forget_sent(e, ask);
    rvi_link_remove(&ask->link);
    ask->state = RVI_ASK_IDLE;
}

/* Slots are taken in turn, so an answer that comes late meets its number again after long. */
static bool take_slot(struct rvi_nats *e, struct rvi_nats_ask *ask)
{
    if (e->sent_count == e->asked_room) {
        unsigned room = e->asked_room ? e->asked_room * 2 : 64;
        struct rvi_nats_asked *asked = rvi_realloc(e->asked, room * sizeof(*asked));
        if (!asked)
            return false;
        memset(asked + e->asked_room, 0, (room - e->asked_room) * sizeof(*asked));
        e->asked = asked;
        e->asked_next = e->asked_room;
        e->asked_room = room;
    }
    while (e->asked[e->asked_next].ask)
        e->asked_next = (e->asked_next + 1) % e->asked_room;
    ask->number = e->asked_next;
    e->asked[ask->number].ask = ask;
    e->asked_next = (e->asked_next + 1) % e->asked_room;
    e->sent_count++;
    return true;
}

/* False: not now. */
static bool send(struct rvi_nats *e, struct rvi_nats_ask *ask, int64_t now)
{
    char reply[RVI_NATS_SUBJECT];

    if (!take_slot(e, ask))
        return false;
    snprintf(reply, sizeof(reply), "ravel.%s.to.%s.q.%u.%u", e->opts.pool, e->me, ask->number,
             e->asked[ask->number].uses);
    if (rvi_nats_say(e, ask->subject, reply, ask->header, ask->bytes, ask->count) < 0) {
        forget_sent(e, ask);
        return false;
    }
    rvi_link_remove(&ask->link);
    ask->state = RVI_ASK_SENT;
    ask->was_sent = true;
    ask->when = now;
    rvi_list_push_back(&e->sent, &ask->link);
    return true;
}

/* To the front, the youngest first: so they keep their order. */
static void ask_again(struct rvi_nats *e, struct rvi_nats_ask *ask)
{
    rvi_nats_unask(e, ask);
    ask->state = RVI_ASK_WAITING;
    rvi_list_push_front(&e->waiting, &ask->link);
}

static void answer(struct rvi_nats *e, struct rvi_nats_ask *ask,
                   const struct rvi_nats_answer *answer)
{
    rvi_nats_unask(e, ask);
    if (answer->error != -EHOSTUNREACH || ask->is_once) {
        ask->answered(e, ask, answer);
        return;
    }
    if (answer->json.count > 0)
        snprintf(e->reason, sizeof(e->reason), "%s", answer->words);
    rvi_nats_ask_later(e, ask);
}

void rvi_nats_ask_lost(struct rvi_nats *e)
{
    const struct rvi_nats_answer lost = {.error = -ENOTCONN};
    struct rvi_list all;

    rvi_list_init(&all);
    rvi_list_concat(&all, &e->sent);
    while (!rvi_list_is_empty(&all)) {
        struct rvi_nats_ask *ask = ask_of(all.head.prev);
        if (ask->is_once)
            answer(e, ask, &lost);
        else
            ask_again(e, ask);
    }
}

/* Of two that make the same in a cluster at the same time, one may get no answer. */
static int64_t patience(const struct rvi_nats *e)
{
    return (e->state == RVI_NATS_MAKING ? RVI_NATS_MAKE_MS : RVI_NATS_ASK_MS) * ms;
}

static void look_after_old(struct rvi_nats *e, int64_t now)
{
    const struct rvi_nats_answer none = {.error = -ETIME};
    struct rvi_link *link;

    while ((link = rvi_list_first(&e->sent)) && ask_of(link)->when + patience(e) <= now) {
        if (ask_of(link)->is_once)
            answer(e, ask_of(link), &none);
        else
            ask_again(e, ask_of(link));
    }
    while ((link = rvi_list_first(&e->later)) && ask_of(link)->when <= now)
        ask_again(e, ask_of(link));
}

void rvi_nats_send_waiting(struct rvi_nats *e, int64_t now)
{
    struct rvi_link *link;

    e->ask_again_at = INT64_MAX;
    while ((link = rvi_list_first(&e->waiting)) && e->sent_count < RVI_NATS_PUBLISHED &&
           e->buffered < RVI_NATS_BUFFERED && e->ask_again_at == INT64_MAX) {
        if (!send(e, ask_of(link), now))
            e->ask_again_at = now + NO_MEMORY_MS * ms;
    }
}

void rvi_nats_ask_turn(struct rvi_nats *e, int64_t now)
{
    if (!rvi_nats_is_connected(e))
        return;
    look_after_old(e, now);
    rvi_nats_send_waiting(e, now);
}

int64_t rvi_nats_ask_due(const struct rvi_nats *e)
{
    struct rvi_link *sent = rvi_list_first(&e->sent), *later = rvi_list_first(&e->later);
    int64_t due = e->ask_again_at;

    if (sent && ask_of(sent)->when + patience(e) < due)
        due = ask_of(sent)->when + patience(e);
    if (later && ask_of(later)->when < due)
        due = ask_of(later)->when;
    return due;
}

/* --- what answers say --- */

/* The server's numbers (its server/errors.json); what is not named is told as it is. */
static int error_of(unsigned code, unsigned status, const char *words)
{
    switch (code) {
    case 10039: /* JetStream is off: for this account, at all */
    case 10076:
        return -EPROTO;
    case 10002: /* limits: of an account, of memory, of the disk */
    case 10023:
    case 10028:
    case 10047:
        return -ENOSPC;
    case 10077: /* storing failed */
        if (strstr(words, "messages per subject"))
            return -EEXIST;
        return strstr(words, "maximum messages") ? -EAGAIN : -ENOSPC;
    case 10054:
        return -EFBIG;
    case 10014: /* no such consumer, message, stream, sequence */
    case 10037:
    case 10043:
    case 10057:
    case 10059:
        return -ENOENT;
    case 10058: /* it is there, and otherwise */
    case 10013:
    case 10105:
        return -EEXIST;
    default:
        return status == 503 ? -EHOSTUNREACH : -EIO;
    }
}

static void judge(struct rvi_nats_answer *ret)
{
    struct rvi_json error = rvi_json_member(ret->json, "error");
    uint64_t code = 0, status = 0;

    if (error.count == 0)
        return;
    rvi_json_number(rvi_json_member(error, "err_code"), &code);
    rvi_json_number(rvi_json_member(error, "code"), &status);
    rvi_json_text(rvi_json_member(error, "description"), ret->words, sizeof(ret->words));
    ret->code = (unsigned)code;
    ret->error = error_of(ret->code, (unsigned)status, ret->words);
}

/* "503" and the like come without a body. */
static void read_answer(struct rvi_nats *e, natsMsg *msg, struct rvi_nats_answer *ret)
{
    const char *bytes = e->api->natsMsg_GetData(msg), *status = NULL;
    size_t count = (size_t)e->api->natsMsg_GetDataLength(msg);

    *ret = (struct rvi_nats_answer){.msg = msg};
    if (count == 0 && e->api->natsMsgHeader_Get(msg, "Status", &status) == NATS_OK) {
        ret->code = (unsigned)strtoul(status, NULL, 10);
        ret->error = ret->code == 503 ? -EHOSTUNREACH : ret->code == 404 ? -ENOENT : -EIO;
        snprintf(ret->words, sizeof(ret->words), "%.32s", status);
        return;
    }
    if (count > 0 && bytes[0] == '{') {
        ret->json = rvi_json_whole(bytes, count);
        judge(ret);
    }
}

void rvi_nats_ask_heard(struct rvi_nats *e, const char *number, natsMsg *msg)
{
    struct rvi_nats_answer it;
    char *end;
    unsigned long slot = strtoul(number, &end, 10);

    if (*end != '.' || slot >= e->asked_room || !e->asked[slot].ask ||
        strtoul(end + 1, NULL, 10) != e->asked[slot].uses)
        return;
    read_answer(e, msg, &it);
    answer(e, e->asked[slot].ask, &it);
}
