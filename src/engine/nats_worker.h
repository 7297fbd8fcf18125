/* SPDX-License-Identifier: MIT */
/* nats_worker.h - what a worker has, between nats_worker.c, nats_pull.c and nats_settle.c. */
#pragma once

#include "engine/by_nats.h"
#include "engine/nats_behind.h"
#include "engine/nats_blob.h"
#include "engine/nats_pull.h"

enum { RVI_NATS_SMALL = 256 };

/* What is asked of a lease, by its holder. */
enum {
    RVI_LEASE_EXTEND = 1,
    RVI_LEASE_SETTLE = 2,
    RVI_LEASE_HAND_BACK = 4,
    RVI_LEASE_BURY = 8,
};

/* A task that this worker has: leased, or given up and not yet done with. */
struct rvi_nats_lease {
    struct rvi_engine_lease base;
    struct rvi_nats_entry entry;
    struct rvi_link given_up; /* of those whose end is not said yet */
    struct rvi_nats_note note;
    unsigned todo; /* (in.lock) RVI_LEASE_; with anything noted */
    bool is_told;  /* of it the holder knows */
    bool is_in;    /* the table */
    bool holds;    /* a slot */
    bool is_nonsense, is_buried;
    bool is_stale;                /* somebody else has it by now */
    int stop_why;                 /* it is to stop, which its holder has not been told; 0: no */
    natsMsg *msg;                 /* which has the task */
    char reply[RVI_NATS_SUBJECT]; /* where it is acknowledged: that of the last delivery */
    struct rvi_wire_task wire;
    uint64_t delivered, unbegun; /* times; of these: that never began */
    struct rvi_nats_ask ask;
    char request[64], words[RVI_ENGINE_WORDS];
    char *result; /* a message, in `small` or of its own */
    size_t result_bytes;
    char small[RVI_NATS_SMALL];
    struct rvi_nats_blob input, value; /* in pieces */
    int64_t extended;                  /* when that was said, while its input is fetched */
    bool has_begun;
    int64_t delay_ns;
};

struct rvi_nats_worker {
    struct rvi_nats_table table;
    unsigned slots;   /* tasks that may be here at one time */
    unsigned holding; /* that are: W2 */
    struct rvi_nats_lane lane[RVI_LANES];
    struct rvi_list given_up;  /* leases whose end is not said yet */
    int64_t given_up_extended; /* when that was said of them */
    struct rvi_nats_behind behind[RVI_LANES];
    struct rvi_nats_ask last_task;
    uint64_t doubted;          /* of tasks up to this a first delivery may be none */
    struct rvi_nats_note news; /* of in.wanted, in.beat */
    bool is_news_noted;        /* (in.lock) */
    struct rvi_nats_ask beat;
    struct rvi_nats_beat last_beat;
    bool has_beat;
    int64_t since;
    char beat_text[512];
};

/* --- nats_settle.c --- */

/** Say one of "+ACK", "-NAK", "+WPI", "+TERM" of it. */
void rvi_nats_lease_say(struct rvi_nats *e, struct rvi_nats_lease *lease, const char *what);

/** Nothing is left to be said of it. */
void rvi_nats_lease_free(struct rvi_nats *e, struct rvi_nats_lease *lease);

/** What its holder has asked for. */
void rvi_nats_lease_read(struct rvi_nats *e, struct rvi_nats_note *note);

/** Write its result down. Any thread. */
void rvi_nats_lease_write(struct rvi_nats_lease *lease, const struct rvi_engine_result *result);

/** It has no slot any more; what is left to be said of it keeps its lease from lapsing. */
void rvi_nats_lease_give_up(struct rvi_nats *e, struct rvi_nats_lease *lease);

/** Then: store its result, or hand it back. */
void rvi_nats_lease_settle(struct rvi_nats *e, struct rvi_nats_lease *lease);
void rvi_nats_lease_back(struct rvi_nats *e, struct rvi_nats_lease *lease);

/* --- nats_bury.c --- */

void rvi_nats_lease_bury(struct rvi_nats *e, struct rvi_nats_lease *lease);

/** Its input is gone; what was delivered is no task. */
void rvi_nats_bury_lost(struct rvi_nats *e, struct rvi_nats_lease *lease, const char *words);
void rvi_nats_bury_nonsense(struct rvi_nats *e, struct rvi_nats_lease *lease,
                            const struct rvi_nats_origin *origin);

/* --- nats_worker.c --- */

/** How many slots are free. */
unsigned rvi_nats_free_slots(const struct rvi_nats *e);

/** All is known of it: tell its holder, or hand it back. */
void rvi_nats_lease_judge(struct rvi_nats *e, struct rvi_nats_lease *lease);
