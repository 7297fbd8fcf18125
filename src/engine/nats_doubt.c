/* SPDX-License-Identifier: MIT */
/* nats_doubt.c - whether what was stored is there still.
 *
 * A server that loses its power forgets what it has confirmed and not yet written to its disk.
 * Nobody would ever say how a task has ended that is lost in that way. So a client looks for its
 * tasks: soon after it has come back for all that were stored before, and from time to time for the
 * oldest one; if that finds something, for all once more.
 *
 *     is it in the stream, under its number and identity?   it waits, or somebody has it
 *     otherwise: is its result stored?                      it will be heard
 *     otherwise                                             it is forgotten, and ends as LOST;
 *                                                           or as cancelled, if it was deleted
 *
 * A result is stored before its task is acknowledged (E4), so in this order nothing falls between
 * the two looks.
 *
 * Such a server gives numbers a second time. A result that is found before the place up to which
 * they were read was passed over: they are read again from there (see nats_results.c).
 *
 * Rejected: to submit it again. Whether it has run nobody knows; whoever wants that can do so
 * himself.
 *
 * Checked by: tests/unit/engine/test_nats_faults.c */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/nats_client.h"
#include "sys/clock.h"

static const int64_t second = 1000000000;

enum { SOON_S = 1, OFTEN_S = 30, HEADER = 256 };

static void look(struct rvi_nats *e, struct rvi_nats_doubt *doubt);

static void look_for_next(struct rvi_nats *e, struct rvi_nats_doubt *doubt)
{
    struct rvi_link *link = rvi_list_pop_front(&e->client->doubted);

    doubt->sent = link ? rvi_container_of(link, struct rvi_nats_sent, stored) : NULL;
    if (doubt->sent)
        look(e, doubt);
}

static void is_there(struct rvi_nats *e, struct rvi_nats_doubt *doubt)
{
    rvi_list_push_back(&e->client->stored, &doubt->sent->stored);
    look_for_next(e, doubt);
}

/* --- its result --- */

static void result_looked_for(struct rvi_nats *e, struct rvi_nats_ask *ask,
                              const struct rvi_nats_answer *answer)
{
    struct rvi_nats_doubt *doubt = rvi_container_of(ask, struct rvi_nats_doubt, ask);
    struct rvi_nats_client *client = e->client;
    struct rvi_json message = rvi_json_member(answer->json, "message");
    uint64_t sequence;

    if (answer->error == -ENOENT && !doubt->sent->result) {
        client->has_lost = true;
        rvi_nats_client_forgotten(e, doubt->sent); /* which leaves */
        return;
    }
    if (answer->error == 0 && rvi_json_number(rvi_json_member(message, "seq"), &sequence) &&
        sequence > 0 && sequence <= client->sequence) {
        client->has_lost = true;
        rvi_nats_results_again(e, sequence - 1);
    }
    is_there(e, doubt);
}

static void look_for_result(struct rvi_nats *e, struct rvi_nats_doubt *doubt)
{
    struct rvi_nats_ask *ask = &doubt->ask;

    snprintf(ask->subject, sizeof(ask->subject), "$JS.API.STREAM.MSG.GET.RAVEL_%s_RESULTS",
             e->opts.pool);
    ask->count = (size_t)snprintf(doubt->request, sizeof(doubt->request),
                                  "{\"last_by_subj\":\"ravel.%s.result.%s.%s\"}", e->opts.pool,
                                  e->me, doubt->sent->entry.id);
    ask->answered = result_looked_for;
    rvi_nats_ask(e, ask);
}

/* --- the task --- */

static bool is_of(const struct rvi_nats_sent *sent, struct rvi_json message)
{
    char header[HEADER];
    size_t count = rvi_json_bytes(rvi_json_member(message, "hdrs"), header, sizeof(header));

    return memmem(header, count, sent->entry.id, strlen(sent->entry.id)) != NULL;
}

static void task_looked_for(struct rvi_nats *e, struct rvi_nats_ask *ask,
                            const struct rvi_nats_answer *answer)
{
    struct rvi_nats_doubt *doubt = rvi_container_of(ask, struct rvi_nats_doubt, ask);
    bool is_gone =
        answer->error == -ENOENT ||
        (answer->error == 0 && !is_of(doubt->sent, rvi_json_member(answer->json, "message")));

    if (is_gone)
        look_for_result(e, doubt);
    else
        is_there(e, doubt);
}

static void look(struct rvi_nats *e, struct rvi_nats_doubt *doubt)
{
    struct rvi_nats_ask *ask = &doubt->ask;

    snprintf(ask->subject, sizeof(ask->subject), "$JS.API.STREAM.MSG.GET.RAVEL_%s_TASKS",
             e->opts.pool);
    ask->bytes = doubt->request;
    ask->count = (size_t)snprintf(doubt->request, sizeof(doubt->request), "{\"seq\":%" PRIu64 "}",
                                  doubt->sent->sequence);
    ask->answered = task_looked_for;
    rvi_nats_ask(e, ask);
}

/* --- when --- */

void rvi_nats_doubt_open(struct rvi_nats *e)
{
    rvi_list_init(&e->client->stored);
    rvi_list_init(&e->client->doubted);
}

void rvi_nats_doubt_ready(struct rvi_nats *e, bool was_away)
{
    struct rvi_nats_client *client = e->client;

    client->doubt_at = rvi_clock_now() + (was_away ? SOON_S : OFTEN_S) * second;
    rvi_list_concat(&client->doubted, &client->stored);
}

void rvi_nats_doubt_stored(struct rvi_nats *e, struct rvi_nats_sent *sent)
{
    rvi_list_push_back(&e->client->stored, &sent->stored);
}

void rvi_nats_doubt_left(struct rvi_nats *e, struct rvi_nats_sent *sent)
{
    struct rvi_nats_client *client = e->client;

    if (rvi_link_is_linked(&sent->stored)) {
        rvi_link_remove(&sent->stored);
        return;
    }
    for (int i = 0; i < RVI_NATS_DOUBTS; i++) {
        if (client->doubt[i].sent == sent) {
            rvi_nats_unask(e, &client->doubt[i].ask);
            look_for_next(e, &client->doubt[i]);
        }
    }
}

void rvi_nats_doubt_turn(struct rvi_nats *e, int64_t now)
{
    struct rvi_nats_client *client = e->client;
    struct rvi_link *oldest = rvi_list_first(&client->stored);

    if (e->state != RVI_NATS_READY || client->doubt_at > now)
        return;
    if (client->has_lost)
        rvi_list_concat(&client->doubted, &client->stored);
    else if (rvi_list_is_empty(&client->doubted) && oldest) {
        rvi_link_remove(oldest);
        rvi_list_push_back(&client->doubted, oldest);
    }
    client->has_lost = false;
    client->doubt_at = now + OFTEN_S * second;
    for (int i = 0; i < RVI_NATS_DOUBTS; i++) {
        if (!client->doubt[i].sent)
            look_for_next(e, &client->doubt[i]);
    }
}

int64_t rvi_nats_doubt_due(const struct rvi_nats *e)
{
    const struct rvi_nats_client *client = e->client;
    bool has_any = !rvi_list_is_empty(&client->stored) || !rvi_list_is_empty(&client->doubted);

    return has_any && e->state == RVI_NATS_READY ? client->doubt_at : INT64_MAX;
}
