/* SPDX-License-Identifier: MIT */
/* nats_visit.c - see nats_visit.h. The visitor's memory is used by the engine's thread until it
 * says that it is over; so the deadline is kept there, and the visitor waits without one. */
#include "engine/nats_visit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "sys/clock.h"
#include "sys/futex.h"

static struct rvi_nats_visit *visit_of(struct rvi_link *link)
{
    return rvi_container_of(link, struct rvi_nats_visit, link);
}

static void note_read(struct rvi_nats *e, struct rvi_nats_note *note)
{
    struct rvi_nats_visit *visit = rvi_container_of(note, struct rvi_nats_visit, note);

    rvi_list_push_back(&e->visits, &visit->link);
    visit->begin(e, visit);
}

int rvi_nats_visit(struct rvi_nats *e, struct rvi_nats_visit *visit,
                   void (*begin)(struct rvi_nats *e, struct rvi_nats_visit *visit),
                   int64_t deadline)
{
    visit->note.read = note_read;
    visit->begin = begin;
    visit->deadline = deadline;
    rvi_nats_note(e, &visit->note);
    while (!rvi_load_acquire(&visit->is_over)) /* pairs: nats-visit */
        rvi_futex_wait(&visit->is_over, 0, INT64_MAX);
    return visit->error;
}

void rvi_nats_visit_end(struct rvi_nats *e, struct rvi_nats_visit *visit, int error)
{
    _Atomic(uint32_t) *word = &visit->is_over;

    rvi_nats_unask(e, &visit->ask);
    rvi_link_remove(&visit->link);
    visit->error = error;
    rvi_store_release(word, 1); /* pairs: nats-visit */
    rvi_futex_wake(word, 1);
}

void rvi_nats_visits_turn(struct rvi_nats *e, int64_t now)
{
    RVI_LIST_FOREACH_SAFE(link, &e->visits) {
        if (visit_of(link)->deadline <= now)
            rvi_nats_visit_end(e, visit_of(link), -ETIME);
    }
}

int64_t rvi_nats_visits_due(const struct rvi_nats *e)
{
    int64_t due = INT64_MAX;

    RVI_LIST_FOREACH(link, &e->visits) {
        if (visit_of(link)->deadline < due)
            due = visit_of(link)->deadline;
    }
    return due;
}

void rvi_nats_visit_ask(struct rvi_nats *e, struct rvi_nats_visit *visit, const char *what,
                        const char *stream,
                        void (*answered)(struct rvi_nats *e, struct rvi_nats_ask *ask,
                                         const struct rvi_nats_answer *answer))
{
    struct rvi_nats_ask *ask = &visit->ask;

    if (stream)
        snprintf(ask->subject, sizeof(ask->subject), "$JS.API.%s.RAVEL_%s_%s", what, e->opts.pool,
                 stream);
    else
        snprintf(ask->subject, sizeof(ask->subject), "$JS.API.%s", what);
    ask->bytes = visit->request;
    ask->count = strlen(visit->request);
    ask->answered = answered;
    rvi_nats_ask(e, ask);
}

void rvi_nats_visit_next(struct rvi_nats *e, struct rvi_nats_visit *visit, const char *stream,
                         const char *subject, uint64_t from,
                         void (*answered)(struct rvi_nats *e, struct rvi_nats_ask *ask,
                                          const struct rvi_nats_answer *answer))
{
    snprintf(visit->request, sizeof(visit->request),
             "{\"seq\":%" PRIu64 ",\"next_by_subj\":\"ravel.%s.%s.*\"}", from, e->opts.pool,
             subject);
    rvi_nats_visit_ask(e, visit, "DIRECT.GET", stream, answered);
}

uint64_t rvi_nats_header_number(struct rvi_nats *e, natsMsg *msg, const char *name)
{
    const char *text;
    uint64_t number = 0;

    if (e->api->natsMsgHeader_Get(msg, name, &text) == NATS_OK)
        rvi_json_number((struct rvi_json){text, strlen(text)}, &number);
    return number;
}

int64_t rvi_nats_header_time(struct rvi_nats *e, natsMsg *msg)
{
    const char *text;
    struct tm tm = {0};

    if (e->api->natsMsgHeader_Get(msg, "Nats-Time-Stamp", &text) != NATS_OK ||
        !strptime(text, "%Y-%m-%dT%H:%M:%S", &tm))
        return 0;
    return (int64_t)timegm(&tm) * 1000000000;
}
