/* SPDX-License-Identifier: MIT */
/* nats_behind.c - what is done and stored all the same.
 *
 * After a crash the server may have again what was acknowledged. The place up to which all of a
 * consumer is acknowledged it still knows, and delivers nothing behind that; but what lies there
 * takes room of the backlog, and would be delivered to a consumer that is made anew. So who
 * connects looks for it, message by message, and deletes what he finds; what is left, on an error,
 * is found the next time.
 *
 * Rejected: a purge up to that place, which is one request. Servers of 2.9 then take all that is
 * leased beyond it for acknowledged, whoever has it. So what is purged lies in streams without
 * consumers.
 *
 * Checked by: tests/unit/engine/test_by_nats.c, test_nats_queue.c, tests/soak */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/nats_behind.h"

static void look(struct rvi_nats *e, struct rvi_nats_behind *behind);

static void deleted(struct rvi_nats *e, struct rvi_nats_ask *ask,
                    const struct rvi_nats_answer *answer)
{
    (void)answer; /* or somebody else has */
    look(e, rvi_container_of(ask, struct rvi_nats_behind, ask));
}

static void delete (struct rvi_nats *e, struct rvi_nats_behind *behind, uint64_t sequence)
{
    struct rvi_nats_ask *ask = &behind->ask;

    behind->at = sequence + 1;
    snprintf(ask->subject, sizeof(ask->subject), "$JS.API.STREAM.MSG.DELETE.%s", behind->stream);
    ask->count = (size_t)snprintf(behind->request, sizeof(behind->request),
                                  "{\"seq\":%" PRIu64 ",\"no_erase\":true}", sequence);
    ask->answered = deleted;
    rvi_nats_ask(e, ask);
}

static void end(struct rvi_nats *e, struct rvi_nats_behind *behind)
{
    if (behind->over)
        behind->over(e, behind);
}

static void found(struct rvi_nats *e, struct rvi_nats_ask *ask,
                  const struct rvi_nats_answer *answer)
{
    struct rvi_nats_behind *behind = rvi_container_of(ask, struct rvi_nats_behind, ask);
    struct rvi_json message = rvi_json_member(answer->json, "message");
    uint64_t sequence;

    if (answer->error == 0 && rvi_json_number(rvi_json_member(message, "seq"), &sequence) &&
        sequence >= behind->at && sequence <= behind->floor)
        delete (e, behind, sequence);
    else
        end(e, behind);
}

static void look(struct rvi_nats *e, struct rvi_nats_behind *behind)
{
    struct rvi_nats_ask *ask = &behind->ask;

    if (behind->at > behind->floor) {
        end(e, behind);
        return;
    }
    snprintf(ask->subject, sizeof(ask->subject), "$JS.API.STREAM.MSG.GET.%s", behind->stream);
    ask->count = (size_t)snprintf(behind->request, sizeof(behind->request),
                                  "{\"seq\":%" PRIu64 ",\"next_by_subj\":\"%s\"}", behind->at,
                                  behind->subject);
    ask->answered = found;
    rvi_nats_ask(e, ask);
}

void rvi_nats_behind_look(struct rvi_nats *e, struct rvi_nats_behind *behind, uint64_t floor)
{
    rvi_nats_unask(e, &behind->ask);
    behind->ask.bytes = behind->request;
    behind->at = 1;
    behind->floor = floor;
    look(e, behind);
}
