/* SPDX-License-Identifier: MIT */
/* nats_visit.h - somebody waits while the engine's thread asks one thing after the other for
 * him. */
#pragma once

#include "engine/by_nats.h"

struct rvi_nats_visit {
    struct rvi_nats_note note;
    struct rvi_link link; /* of those under way */
    struct rvi_nats_ask ask;
    void (*begin)(struct rvi_nats *e, struct rvi_nats_visit *visit);
    int64_t deadline;
    _Atomic(uint32_t) is_over;
    int error;
    char request[RVI_NATS_SUBJECT + 64];
};

/** Have it done. Returns what rvi_nats_visit_end() was told, or -ETIME. Blocks: until then */
int rvi_nats_visit(struct rvi_nats *e, struct rvi_nats_visit *visit,
                   void (*begin)(struct rvi_nats *e, struct rvi_nats_visit *visit),
                   int64_t deadline);

/* On the engine's thread. */

/** Ask what visit->request holds, of "$JS.API.`what`.RAVEL_POOL_`stream`"; without a stream the
 * subject ends before it. */
void rvi_nats_visit_ask(struct rvi_nats *e, struct rvi_nats_visit *visit, const char *what,
                        const char *stream,
                        void (*answered)(struct rvi_nats *e, struct rvi_nats_ask *ask,
                                         const struct rvi_nats_answer *answer));

/** The next message of a stream whose number is not less than that. */
void rvi_nats_visit_next(struct rvi_nats *e, struct rvi_nats_visit *visit, const char *stream,
                         const char *subject, uint64_t from,
                         void (*answered)(struct rvi_nats *e, struct rvi_nats_ask *ask,
                                          const struct rvi_nats_answer *answer));

void rvi_nats_visit_end(struct rvi_nats *e, struct rvi_nats_visit *visit, int error);

/** A number in a header of a message; 0: there is none. */
uint64_t rvi_nats_header_number(struct rvi_nats *e, natsMsg *msg, const char *name);

/** When a message was stored, in nanoseconds since 1970, to the second; 0: it does not say. */
int64_t rvi_nats_header_time(struct rvi_nats *e, natsMsg *msg);
