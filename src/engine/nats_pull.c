/* SPDX-License-Identifier: MIT */
/* nats_pull.c - requests for tasks.
 *
 * A request names how many, at most so many as there are free slots, and stands for a quarter of a
 * second; the server answers with tasks, and at its end with a status. Each lane has a consumer of
 * its own. While a lane has more to give, those below it are not asked, so the higher one is leased
 * first; lanes that have none all have a request standing, so whichever gets a task gives it at
 * once. What comes by that beyond the free slots is handed back. On a new connection nothing is
 * known of any lane: the first request of each does not stand, and is answered before the next one
 * is asked.
 *
 * The server serves requests in their order, and does not say with a task which it answers: it is
 * the oldest that stands. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/nats_worker.h"
#include "sys/clock.h"

static const int64_t ms = 1000000;

enum { LATE_MS = 250 }; /* a request's end is forgotten so long after */

static const enum rvi_engine_lane by_rank[RVI_LANES] = {RVI_LANE_HIGH, RVI_LANE_NORMAL,
                                                        RVI_LANE_LOW};

static unsigned asked_for(const struct rvi_nats_lane *lane)
{
    unsigned sum = 0;

    for (unsigned i = 0; i < lane->count; i++)
        sum += lane->pull[i].left;
    return sum;
}

static void forget(struct rvi_nats_lane *lane, unsigned index)
{
    lane->count--;
    memmove(&lane->pull[index], &lane->pull[index + 1],
            (lane->count - index) * sizeof(lane->pull[0]));
}

static void request(struct rvi_nats *e, struct rvi_nats_lane *lane, unsigned count, int64_t now)
{
    char reply[RVI_NATS_SUBJECT], bytes[64];
    unsigned number = ++e->pull_number;
    int length = lane->is_known
                     ? snprintf(bytes, sizeof(bytes), "{\"batch\":%u,\"expires\":%d}", count,
                                RVI_ENGINE_PULL_MS * 1000000)
                     : snprintf(bytes, sizeof(bytes), "{\"batch\":%u,\"no_wait\":true}", count);

    snprintf(reply, sizeof(reply), "ravel.%s.to.%s.p.%u", e->opts.pool, e->me, number);
    if (rvi_nats_say(e, lane->subject, reply, NULL, bytes, (size_t)length) < 0)
        return;
    lane->pull[lane->count++] = (struct rvi_nats_pull){
        .number = number, .left = count, .end = now + (RVI_ENGINE_PULL_MS + LATE_MS) * ms};
}

void rvi_nats_lane_turn(struct rvi_nats *e, struct rvi_nats_lane *lane, unsigned wanted,
                        int64_t now)
{
    while (lane->count > 0 && lane->pull[0].end <= now)
        forget(lane, 0);
    if (now < lane->again_at)
        return;
    lane->again_at = 0;
    unsigned asked = asked_for(lane);
    bool is_short = asked == 0 || (lane->is_full && asked <= wanted / 2);
    if (wanted > asked && is_short && lane->count < RVI_NATS_PULLS)
        request(e, lane, wanted - asked, now);
}

int64_t rvi_nats_lane_due(const struct rvi_nats_lane *lane)
{
    int64_t end = lane->count > 0 ? lane->pull[0].end : INT64_MAX;

    return lane->again_at > 0 && lane->again_at < end ? lane->again_at : end;
}

void rvi_nats_lane_heard(struct rvi_nats_lane *lane, const struct rvi_nats_origin *origin)
{
    lane->is_full = origin->pending > 0;
    lane->is_known = true;
    if (lane->count > 0 && --lane->pull[0].left == 0)
        forget(lane, 0);
}

/* Long before its time: the consumer is not there, or says no. To ask at once would be to ask
 * without end. */
static void note_refusal(struct rvi_nats_lane *lane, const struct rvi_nats_pull *pull)
{
    int64_t now = rvi_clock_now();

    if (lane->is_known && now < pull->end - (LATE_MS + RVI_ENGINE_PULL_MS / 2) * ms)
        lane->again_at = now + RVI_NATS_AGAIN_MS * ms;
}

bool rvi_nats_lane_status(struct rvi_nats_lane *lane, unsigned long number)
{
    for (unsigned i = 0; i < lane->count; i++) {
        if (lane->pull[i].number == number) {
            note_refusal(lane, &lane->pull[i]);
            lane->is_full = false;
            lane->is_known = true;
            forget(lane, i);
            return true;
        }
    }
    return false;
}

void rvi_nats_lane_lost(struct rvi_nats_lane *lane)
{
    lane->count = 0;
    lane->again_at = 0;
    lane->is_known = lane->is_full = false;
}

/* --- all lanes of a worker --- */

void rvi_nats_pull_open(struct rvi_nats *e)
{
    for (enum rvi_engine_lane i = 0; i < RVI_LANES; i++) {
        struct rvi_nats_lane *lane = &e->worker->lane[i];
        char name[64];
        rvi_nats_consumer_name(e->opts.build, i, name);
        snprintf(lane->consumer, sizeof(lane->consumer), "%s", name);
        snprintf(lane->subject, sizeof(lane->subject),
                 "$JS.API.CONSUMER.MSG.NEXT.RAVEL_%s_TASKS.%s", e->opts.pool, name);
    }
}

void rvi_nats_pull_lost(struct rvi_nats *e)
{
    for (int i = 0; i < RVI_LANES; i++)
        rvi_nats_lane_lost(&e->worker->lane[i]);
}

void rvi_nats_pull_turn(struct rvi_nats *e, int64_t now)
{
    unsigned wanted = rvi_nats_free_slots(e);

    for (int i = 0; i < RVI_LANES; i++) {
        struct rvi_nats_lane *lane = &e->worker->lane[by_rank[i]];
        rvi_nats_lane_turn(e, lane, wanted, now);
        if (lane->is_full || !lane->is_known)
            return;
    }
}

int64_t rvi_nats_pull_due(const struct rvi_nats *e)
{
    int64_t due = INT64_MAX;

    for (int i = 0; i < RVI_LANES && rvi_nats_free_slots(e) > 0; i++) {
        int64_t its = rvi_nats_lane_due(&e->worker->lane[i]);
        due = its < due ? its : due;
    }
    return due;
}

bool rvi_nats_pull_is_asked(const struct rvi_nats *e)
{
    bool it_is = false;

    for (int i = 0; i < RVI_LANES; i++)
        it_is |= e->worker->lane[i].count > 0;
    return it_is;
}

bool rvi_nats_pull_heard(struct rvi_nats *e, const struct rvi_nats_origin *origin)
{
    for (int i = 0; i < RVI_LANES; i++) {
        if (strcmp(e->worker->lane[i].consumer, origin->consumer) == 0) {
            rvi_nats_lane_heard(&e->worker->lane[i], origin);
            return true;
        }
    }
    return false;
}

void rvi_nats_pull_status(struct rvi_nats *e, const char *rest)
{
    unsigned long number = strtoul(rest, NULL, 10);

    for (int i = 0; e->worker && i < RVI_LANES; i++) {
        if (rvi_nats_lane_status(&e->worker->lane[i], number))
            return;
    }
    rvi_nats_queues_status(e, number);
}
