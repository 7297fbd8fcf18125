/* SPDX-License-Identifier: MIT */
/* nats_bury.c - dead letters: tasks that have had their last attempt, and what came as a task and
 * is none. A letter is the task's message as it was, under headers that say how it ended. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <ravel/future.h>

#include "base/check.h"
#include "engine/nats_worker.h"

static void letter_stored(struct rvi_nats *e, struct rvi_nats_ask *ask,
                          const struct rvi_nats_answer *answer)
{
    struct rvi_nats_lease *lease = rvi_container_of(ask, struct rvi_nats_lease, ask);

    memset(ask->header, 0, sizeof(ask->header));
    if (answer->error < 0)
        rvi_nats_ask_later(e, ask);
    else if (lease->is_nonsense) {
        rvi_nats_lease_say(e, lease, "+TERM");
        rvi_nats_lease_free(e, lease);
    } else
        rvi_nats_lease_settle(e, lease);
}

/* What is sent in a header is one line. */
static void copy_line(char *ret, size_t room, const char *words)
{
    snprintf(ret, room, "%s", words ? words : "");
    for (char *at = ret; *at; at++) {
        if ((unsigned char)*at < ' ')
            *at = ' ';
    }
}

static void store(struct rvi_nats *e, struct rvi_nats_lease *lease, const char *name)
{
    struct rvi_nats_ask *ask = &lease->ask;

    int bytes =
        snprintf(ask->subject, sizeof(ask->subject), "ravel.%s.dead.%s", e->opts.pool, name);
    RV_CHECK((size_t)bytes < sizeof(ask->subject));
    ask->header[0] = (struct rvi_nats_header){"Nats-Msg-Id", name};
    ask->header[1] = (struct rvi_nats_header){"Ravel-Outcome", lease->request};
    if (lease->words[0]) /* libnats reads the line below an empty header as its value */
        ask->header[2] = (struct rvi_nats_header){"Ravel-Words", lease->words};
    ask->bytes = e->api->natsMsg_GetData(lease->msg);
    ask->count = (size_t)e->api->natsMsg_GetDataLength(lease->msg);
    ask->answered = letter_stored;
    rvi_nats_ask(e, ask);
}

void rvi_nats_lease_bury(struct rvi_nats *e, struct rvi_nats_lease *lease)
{
    struct rvi_wire_result wire;

    lease->is_buried = true;
    RV_CHECK(rvi_wire_result_read(&wire, lease->result, lease->result_bytes));
    snprintf(lease->request, sizeof(lease->request), "%d %d %d %u %" PRIu64, wire.result.kind,
             wire.result.error, wire.result.signal, wire.result.deaths,
             lease->delivered - lease->unbegun);
    copy_line(lease->words, sizeof(lease->words), wire.result.words);
    store(e, lease, lease->entry.id);
}

void rvi_nats_bury_lost(struct rvi_nats *e, struct rvi_nats_lease *lease, const char *words)
{
    const struct rvi_engine_result result = {.kind = RV_OUTCOME_LOST, .words = words};

    rvi_nats_lease_give_up(e, lease);
    rvi_nats_lease_write(lease, &result);
    rvi_nats_lease_bury(e, lease);
}

void rvi_nats_bury_nonsense(struct rvi_nats *e, struct rvi_nats_lease *lease,
                            const struct rvi_nats_origin *origin)
{
    lease->is_nonsense = true;
    e->nonsense++;
    rvi_nats_lease_give_up(e, lease);
    snprintf(lease->request, sizeof(lease->request), "nonsense");
    copy_line(lease->words, sizeof(lease->words), e->api->natsMsg_GetSubject(lease->msg));
    snprintf(lease->small, sizeof(lease->small), "nonsense-%" PRIu64, origin->sequence);
    store(e, lease, lease->small);
}
