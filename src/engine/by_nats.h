/* SPDX-License-Identifier: MIT */
/* by_nats.h - NATS JetStream as an engine: what its files share.
 *
 * Of pool P are these streams, all kept in files but MEMBERS:
 *
 *   RAVEL_P_TASKS    ravel.P.task.LANE.BUILD     a work queue; one durable consumer a lane and
 *                                                build. An identity in the subject cost 4 us
 *   RAVEL_P_RESULTS  ravel.P.result.CLIENT.ID    one message a subject, the first one: a second
 *                                                result of a task cannot be stored
 *   RAVEL_P_VALUES   ravel.P.piece.NAME.N        values that are long, in pieces
 *   RAVEL_P_BLOBS    ravel.P.blob.NAME.N         inputs that are long, in pieces
 *                    ravel.P.tries.ID            deliveries of a task that came to nothing
 *   RAVEL_P_DEAD     ravel.P.dead.ID
 *   RAVEL_P_MEMBERS  ravel.P.member.NAME         the last word of each worker
 *   RAVEL+P+NAME     ravel.P.queue.NAME          a queue
 *
 * and these subjects that are not stored:
 *
 *   ravel.P.to.WHO.>     to one endpoint: answers (q), tasks (p), claims (c), progress (n)
 *   ravel.P.read.WHO.N   to a client: results. By itself, as consumers push only where somebody has
 *                        subscribed to exactly that
 *   ravel.P.held.BUILD   among workers: who has a task, and that it is to stop
 *
 * One thread does everything: it waits for the connection's socket and for a bell, reads, handles,
 * and writes what has gathered, in one system call. libnats is driven as by an event loop, so none
 * of its threads touches the connection.
 *
 *   N1  All but `in`, `bell` and what is marked (in.lock) belongs to the engine's thread, or while
 *       that sleeps to somebody who has borrowed it: he holds `turn`, which the thread does while
 *       it is awake. He publishes what he has to say himself, if nothing is unanswered: jobs one
 *       after the other do not wait for the thread to wake up, and many at once still gather.
 *   N2  What others say is put on `in` without an allocation that could fail, but for what the call
 *       can refuse (submit) or may lose (progress).
 *   N3  A connection that is lost is thrown away, and another made; no message outlives it. All
 *       that was asked and not answered is asked again.
 *
 * Rejected: libnats' own JetStream calls. They wait, start threads, and keep what is not
 * acknowledged where nobody can look; their ordered consumer begins anew by blocking calls. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "engine/engine.h"
#include "engine/json.h"
#include "engine/nats_api.h"
#include "engine/queue.h"
#include "engine/wire.h"
#include "sys/lock.h"

enum {
    RVI_NATS_SUBJECT = 256,
    RVI_NATS_HEADERS = 3,
    RVI_NATS_ASK_MS = 5000,      /* after so long an answer is lost */
    RVI_NATS_MAKE_MS = 1000,     /* the same while a pool is made */
    RVI_NATS_AGAIN_MS = 250,     /* before what could not be done is tried again */
    RVI_NATS_PUBLISHED = 4096,   /* messages that wait for an answer, at most */
    RVI_NATS_BUFFERED = 4 << 20, /* bytes that wait for the socket, before more is added */
    RVI_NATS_DROPPED = 512,      /* messages that wait to be freed, and their bytes, at most */
    RVI_NATS_DROPPED_BYTES = 256 << 10,
};

struct rvi_nats;
struct rvi_nats_ask;

/* What came back. */
struct rvi_nats_answer {
    int error;            /* 0, or -errno: nobody answers, or what the server says */
    unsigned code;        /* the server's */
    struct rvi_json json; /* none: it is not JSON */
    char words[128];      /* of an error */
    natsMsg *msg;         /* NULL with -ENOTCONN */
};

/* Nats-Msg-Id: the server drops a second copy. */
struct rvi_nats_header {
    const char *name, *value; /* NULL: no more */
};

/* Something that is published and must be answered: it is said again until it is. */
struct rvi_nats_ask {
    struct rvi_link link; /* of one of the three lists */
    enum { RVI_ASK_IDLE, RVI_ASK_WAITING, RVI_ASK_SENT, RVI_ASK_LATER } state;
    bool is_once;    /* a lost link is told as -ENOTCONN instead */
    bool was_sent;   /* once at least */
    unsigned number; /* with RVI_ASK_SENT */
    int64_t when;    /* it was sent; it is due again */
    char subject[RVI_NATS_SUBJECT];
    struct rvi_nats_header header[RVI_NATS_HEADERS];
    const char *bytes;
    size_t count;
    void (*answered)(struct rvi_nats *e, struct rvi_nats_ask *ask,
                     const struct rvi_nats_answer *answer);
};

/* Those that are sent, by number: slot and how often it was used. */
struct rvi_nats_asked {
    struct rvi_nats_ask *ask;
    unsigned uses;
};

/* Something with an identity, in a table. */
struct rvi_nats_entry {
    struct rvi_nats_entry *next;
    char id[RVI_ENGINE_ID_BYTES];
};

struct rvi_nats_table {
    struct rvi_nats_entry **buckets;
    size_t bucket_count, count;
};

/* Said by others, for the engine's thread. */
struct rvi_nats_note {
    struct rvi_qlink link;
    void (*read)(struct rvi_nats *e, struct rvi_nats_note *note);
};

struct rvi_nats {
    struct rvi_engine base;
    struct rvi_engine_opts opts; /* its texts are ours */
    char *texts;
    char me[RVI_ENGINE_ID_BYTES];
    char name[RVI_ENGINE_NAME_BYTES], host[64];
    const struct rvi_nats_api *api;

    struct {
        struct rvi_lock lock;
        struct rvi_fifo notes;
        bool is_asleep;
        bool is_closing;
        int64_t close_deadline;
        unsigned wanted; /* slots, with has_wanted */
        bool has_wanted;
        struct rvi_nats_beat {
            unsigned slots, busy;
            bool is_leaving, is_new;
        } beat;
    } in;
    struct rvi_lock turn; /* N1 */
    int bell, poller;
    uintptr_t thread;
    bool is_mute; /* no event is told any more */

    /* Opening: the engine's thread tells how it went. */
    _Atomic(uint32_t) is_open;
    int64_t open_deadline;
    int open_error;
    char words[RVI_ENGINE_WORDS];
    char reason[128]; /* why it has not come to an end yet; "": nobody has said */

    /* The connection. */
    natsConnection *nc;
    natsSubscription *to_me, *among_workers, *results;
    int fd;
    bool wants_write, has_asked_for_write;
    enum { RVI_NATS_AWAY, RVI_NATS_MAKING, RVI_NATS_READY } state;
    bool was_ready;
    size_t buffered;        /* bytes that the socket has not taken */
    int64_t heard, silence; /* since then it may say nothing for so long, if something is awaited */
    int64_t retry_at;
    unsigned retries, refusals;
    char server[64], version[32];
    bool is_clustered;
    size_t payload_most;
    bool has_queues_only; /* an observer's pool */
    bool is_kept;         /* by whom the message was handed to */
    natsMsg *dropped[RVI_NATS_DROPPED];
    unsigned dropped_count;
    size_t dropped_bytes;

    struct rvi_list waiting, sent, later; /* asks, the oldest first */
    struct rvi_nats_asked *asked;
    unsigned asked_room, asked_next;
    size_t sent_count;
    int64_t ask_again_at; /* one that waits could not be sent for want of memory */

    struct rvi_list visits, queues;
    unsigned pull_number; /* of the last request for tasks or items */
    struct rvi_nats_making *making;
    struct rvi_nats_client *client;
    struct rvi_nats_worker *worker;
    uint64_t nonsense; /* messages that were none */
};

/* --- by_nats.c: the thread --- */

static inline struct rvi_nats *rvi_nats_of(struct rvi_engine *e)
{
    return (struct rvi_nats *)e;
}

/* How long the server lends for, in nanoseconds, as far as it is up to us. */
static inline int64_t rvi_nats_lease_time(const struct rvi_nats *e)
{
    return e->opts.lease > 0 ? e->opts.lease : (int64_t)RVI_ENGINE_LEASE_MS * 1000000;
}

/** Hand a note to the engine's thread. Any thread. */
void rvi_nats_note(struct rvi_nats *e, struct rvi_nats_note *note);

/** With in.lock: the same; whether rvi_fd_event_signal(e->bell) is to be called without it. */
bool rvi_nats_note_locked(struct rvi_nats *e, struct rvi_nats_note *note);

/** Have what is the thread's for a moment, if it sleeps and nothing is under way (N1). Then no
 * event may be told; who has it gives it back, which publishes what waits. Any thread. Neither
 * waits. */
bool rvi_nats_borrow(struct rvi_nats *e);
void rvi_nats_give_back(struct rvi_nats *e);

/** All is there that the pool needs. */
void rvi_nats_made(struct rvi_nats *e);

/** How opening went; what is said later is not heard. */
void rvi_nats_opened(struct rvi_nats *e, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

void rvi_nats_tell_link(struct rvi_nats *e, int error, const char *words);

/* --- nats_link.c: the connection --- */

/** Connect. 0, or -errno with words. Blocks for two seconds and a little. */
int rvi_nats_connect(struct rvi_nats *e, char words[static RVI_ENGINE_WORDS]);
void rvi_nats_disconnect(struct rvi_nats *e);

/** Look who the server is. As rvi_nats_connect(). */
int rvi_nats_greet(struct rvi_nats *e, char words[static RVI_ENGINE_WORDS]);

/** Publish; headers: RVI_NATS_HEADERS of them, or NULL. -errno: the connection is lost, or it is
 * too long. */
int rvi_nats_say(struct rvi_nats *e, const char *subject, const char *reply,
                 const struct rvi_nats_header *headers, const void *bytes, size_t count);

/** A message is not needed any more; NULL is fine. */
void rvi_nats_drop(struct rvi_nats *e, natsMsg *msg);
void rvi_nats_free_dropped(struct rvi_nats *e);

/** Write what has gathered, as far as the socket takes it. */
void rvi_nats_write(struct rvi_nats *e);

/** Have a client's results sent there; what was sent to an older subject is not heard any more. */
int rvi_nats_read_results(struct rvi_nats *e, const char *subject);

/** Read what has come, and handle it. */
void rvi_nats_read(struct rvi_nats *e);

bool rvi_nats_is_connected(struct rvi_nats *e);

/* --- nats_hear.c: what comes in --- */

/* Of a message that a consumer delivers: from where its acknowledgement goes. */
struct rvi_nats_origin {
    char consumer[96];
    uint64_t delivered, sequence, consumed, pending;
};

/** False: no consumer has sent it. */
bool rvi_nats_origin(const char *reply, struct rvi_nats_origin *ret);

/** What came to us, to all workers, from a client's consumer. Who keeps the message sets
 * is_kept. */
void rvi_nats_hear(struct rvi_nats *e, natsMsg *msg);
void rvi_nats_hear_worker(struct rvi_nats *e, natsMsg *msg);
void rvi_nats_hear_result(struct rvi_nats *e, natsMsg *msg);

/* --- nats_ask.c: exchanges --- */

void rvi_nats_ask(struct rvi_nats *e, struct rvi_nats_ask *ask);

/** The same, after a while. */
void rvi_nats_ask_later(struct rvi_nats *e, struct rvi_nats_ask *ask);

/** Nothing will be answered. */
void rvi_nats_unask(struct rvi_nats *e, struct rvi_nats_ask *ask);

/** Send what waits, as far as the connection takes it; look after what is due. */
void rvi_nats_ask_turn(struct rvi_nats *e, int64_t now);

/** Send what waits alone: nothing is told by that. */
void rvi_nats_send_waiting(struct rvi_nats *e, int64_t now);

/** When it is due next. */
int64_t rvi_nats_ask_due(const struct rvi_nats *e);

/** The link is lost: what was asked will be asked again. */
void rvi_nats_ask_lost(struct rvi_nats *e);

/** An answer to "q.NUMBER.USES". */
void rvi_nats_ask_heard(struct rvi_nats *e, const char *number, natsMsg *msg);

/* --- nats_table.c --- */

/** False: no memory. */
bool rvi_nats_table_add(struct rvi_nats_table *table, struct rvi_nats_entry *entry);
struct rvi_nats_entry *rvi_nats_table_find(const struct rvi_nats_table *table, const char *id);
void rvi_nats_table_remove(struct rvi_nats_table *table, struct rvi_nats_entry *entry);

/** One of them; NULL: it is empty. */
struct rvi_nats_entry *rvi_nats_table_any(const struct rvi_nats_table *table);
void rvi_nats_table_fini(struct rvi_nats_table *table);

/* --- nats_make.c: streams and consumers --- */

/** Make what is not there; on the end of it the state is RVI_NATS_READY. */
int rvi_nats_make_open(struct rvi_nats *e);
void rvi_nats_make(struct rvi_nats *e);
void rvi_nats_make_lost(struct rvi_nats *e);
void rvi_nats_make_free(struct rvi_nats *e);

/** "LANE_BUILD" */
void rvi_nats_consumer_name(const char *build, enum rvi_engine_lane lane, char ret[static 64]);
extern const char *const rvi_nats_lanes[RVI_LANES];

/* --- nats_client.c --- */

int rvi_nats_client_open(struct rvi_nats *e);
void rvi_nats_client_free(struct rvi_nats *e);
void rvi_nats_client_ready(struct rvi_nats *e);
void rvi_nats_client_lost(struct rvi_nats *e);
void rvi_nats_client_turn(struct rvi_nats *e, int64_t now);
int64_t rvi_nats_client_due(const struct rvi_nats *e);
int rvi_nats_submit(struct rvi_engine *engine, const struct rvi_engine_task *task);
void rvi_nats_cancel(struct rvi_engine *engine, const char *id, int why);

/** A result was delivered. */
void rvi_nats_result(struct rvi_nats *e, const char *id, natsMsg *msg);

/** A note of progress; a worker says that it has a task. */
void rvi_nats_progress_heard(struct rvi_nats *e, const char *id, const char *bytes, size_t count);
void rvi_nats_claim_heard(struct rvi_nats *e, const char *id);

/* --- nats_results.c: the ordered consumer --- */

void rvi_nats_results_open(struct rvi_nats *e);
void rvi_nats_results_lost(struct rvi_nats *e);
void rvi_nats_results_turn(struct rvi_nats *e, int64_t now);
int64_t rvi_nats_results_due(const struct rvi_nats *e);

/* --- nats_worker.c --- */

void rvi_nats_want(struct rvi_engine *engine, unsigned slots);
void rvi_nats_announce(struct rvi_engine *engine, unsigned slots, unsigned busy, bool is_leaving);

/** Whether nothing that was settled waits to be stored. */
bool rvi_nats_worker_is_idle(const struct rvi_nats *e);

/** Whether the end of a request for tasks is awaited. */
bool rvi_nats_pull_is_asked(const struct rvi_nats *e);
int rvi_nats_worker_open(struct rvi_nats *e);
void rvi_nats_worker_free(struct rvi_nats *e);
void rvi_nats_worker_ready(struct rvi_nats *e);
void rvi_nats_worker_lost(struct rvi_nats *e);
void rvi_nats_worker_turn(struct rvi_nats *e, int64_t now);
int64_t rvi_nats_worker_due(const struct rvi_nats *e);
void rvi_nats_pull_status(struct rvi_nats *e, const char *rest);
void rvi_nats_worker_heard(struct rvi_nats *e, const struct rvi_nats_origin *origin, natsMsg *msg);
void rvi_nats_extend(struct rvi_engine_lease *lease);
void rvi_nats_settle(struct rvi_engine_lease *lease, const struct rvi_engine_result *result);
void rvi_nats_hand_back(struct rvi_engine_lease *lease, bool has_begun, int64_t delay_ns);
void rvi_nats_bury(struct rvi_engine_lease *lease, const struct rvi_engine_result *result);
void rvi_nats_progress(struct rvi_engine_lease *lease, const void *bytes, size_t count);

/* --- nats_queue.c --- */

extern const struct rvi_engine_queue_kind rvi_nats_queue_kind;

void rvi_nats_queues_ready(struct rvi_nats *e);
void rvi_nats_queues_lost(struct rvi_nats *e);
void rvi_nats_queues_turn(struct rvi_nats *e, int64_t now);
int64_t rvi_nats_queues_due(const struct rvi_nats *e);

/** Whether the end of a request for items is awaited. */
bool rvi_nats_queues_are_asked(const struct rvi_nats *e);

/** Something of a queue's consumer; the end of a request for items. False: it is no queue's. */
bool rvi_nats_queues_heard(struct rvi_nats *e, const struct rvi_nats_origin *origin, natsMsg *msg);
void rvi_nats_queues_status(struct rvi_nats *e, unsigned long number);

/* --- nats_visit.c: those who wait for answers --- */

void rvi_nats_visits_turn(struct rvi_nats *e, int64_t now);
int64_t rvi_nats_visits_due(const struct rvi_nats *e);

/* --- nats_survey.c, nats_letters.c --- */

int rvi_nats_survey(struct rvi_engine *engine, struct rvi_engine_survey *ret, rv_time deadline);
int rvi_nats_pools(struct rvi_engine *engine, struct rvi_engine_pools *ret, rv_time deadline);
int rvi_nats_letters(struct rvi_engine *engine, uint64_t after, size_t most,
                     struct rvi_engine_letters *ret, rv_time deadline);
int rvi_nats_exhume(struct rvi_engine *engine, uint64_t number, bool is_retried, rv_time deadline);
