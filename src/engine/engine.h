/* SPDX-License-Identifier: MIT */
/* engine.h - the seam to what carries a cluster's jobs: stores them, lends them to workers, takes
 * their results.
 *
 * Ravel brings no engine of its own. One is used through these few calls, so another can take its
 * place: by_nats.c is NATS JetStream, and tests have one in memory. Here nobody knows futures,
 * tasks or processes; what the tier `cluster` and the worker agent make of it is theirs.
 *
 * A task is a job's name and input, under an identity that its submitter chose. It stays with the
 * engine until somebody settles it. Who leases one has it for some seconds, and longer as long as
 * he extends the lease; if he falls silent another gets it. So a task may be run more than once,
 * and has one result: the first that was stored.
 *
 *   E1  No call here waits for the network, but rvi_engine_open(), rvi_engine_close() and those
 *       with a deadline, which are an observer's: what is said is copied and handed to a thread of
 *       the engine's, or sent at once as far as that does not wait.
 *   E2  Events are told on a thread of the engine's, one at a time. They do not wait; they may make
 *       the calls that do not wait.
 *   E3  `ended` is told once a task, whatever the engine delivers how often.
 *   E4  A result is stored before its task is settled. A task that is leased again is looked up
 *       first: if its result is there it is settled, and nobody hears of it.
 *   E5  All that comes from the network is judged: lengths, names, numbers. What makes no sense is
 *       counted and set aside among the dead letters, not believed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ravel/time.h>

enum {
    RVI_ENGINE_ID_BYTES = 23,   /* an identity, with its zero: 22 digits and letters, random */
    RVI_ENGINE_NAME_BYTES = 64, /* of pools, queues and workers: letters, digits, - and _ */
    RVI_ENGINE_WORDS = 256,
    RVI_ENGINE_WHOLE = 512 << 10, /* bytes of a message; what has more goes in pieces */
    RVI_ENGINE_PROGRESS = 1024,   /* bytes of a note of progress, at most */
    RVI_ENGINE_LEASE_MS = 5000,   /* extended each third of it */
    RVI_ENGINE_PULL_MS = 250,     /* how long a request for tasks stands */
    RVI_ENGINE_BEAT_MS = 2000,    /* how often a worker says that it is there */
    RVI_ENGINE_BEATS_MISSED = 3,  /* after so many it is not */
};

/* Priorities: tasks of a higher lane are leased first. */
enum rvi_engine_lane { RVI_LANE_NORMAL, RVI_LANE_HIGH, RVI_LANE_LOW, RVI_LANES };

/* Who one is. */
enum rvi_engine_role {
    RVI_ENGINE_CLIENT,   /* submits, is told results */
    RVI_ENGINE_WORKER,   /* leases, settles */
    RVI_ENGINE_OBSERVER, /* surveys */
    RVI_ENGINE_QUEUER,   /* uses queues, and needs no pool to be there, but its name */
};

struct rvi_engine_opts {
    enum rvi_engine_role role;
    const char *url;  /* nats://host:port, tls://host:port; several: with commas */
    const char *pool; /* its name; an observer that only asks which there are: NULL */
    char build[33];   /* of the program, in hex: tasks are leased to workers of their build only */
    const char *name; /* a worker's; NULL: made from host and pid */
    const char *ca_file, *cert_file, *key_file; /* NULL: the system's authorities; no certificate */
    const char *nkey_file;                      /* a seed; NULL: none */
    rv_time connect_timeout;                    /* nanoseconds, bounds open; 0: 5 s */
    rv_time lease;                              /* how long one lasts, unless it is extended; 0:
                                                   RVI_ENGINE_LEASE_MS. Who opens the pool first
                                                   decides, as with the next two */
    rv_time result_life;                        /* how long results are kept; 0: an hour */
    uint64_t backlog;                           /* tasks a pool holds before submit says -EAGAIN;
                                                   0: a million */
};

struct rvi_engine_task {
    char id[RVI_ENGINE_ID_BYTES];
    const char *job;
    uint32_t flags; /* enum rv_job_flag */
    enum rvi_engine_lane lane;
    int64_t not_before, deadline; /* nanoseconds since 1970; 0: none */
    int64_t limit_ns;             /* how long it may run, each time it is begun; 0: no limit */
    unsigned attempts;            /* how often it may be begun; 0: without end */
    unsigned attempt;             /* of a lease: which this is, from 1 */
    const void *in;
    size_t in_bytes;
};

struct rvi_engine;
struct rvi_engine_survey;
struct rvi_engine_pools;
struct rvi_engine_letters;
struct rvi_engine_queue_kind;

/* A task that is lent: what the engine has of it begins with this. */
struct rvi_engine_lease {
    struct rvi_engine *engine;
};

/* What has become of a task. */
struct rvi_engine_result {
    char id[RVI_ENGINE_ID_BYTES];
    int kind; /* enum rv_outcome_kind */
    int error, signal;
    unsigned deaths;
    int64_t queued_ns, run_ns;
    const void *out; /* with a value */
    size_t out_bytes;
    const char *words; /* the last of the process that died; NULL: none */
};

struct rvi_engine_events {
    /** Of a client: a task is stored from now on, or (error < 0) it never will be: -EAGAIN the pool
     * is full, -EFBIG, -EACCES, -EPIPE closing, -ENOSPC the engine's disk. */
    void (*stored)(void *arg, const char *id, int error);

    /** Of a client: a task has ended. Until return. */
    void (*ended)(void *arg, const struct rvi_engine_result *result);

    /** Of a client: a task has said how far it is; later notes may overtake earlier ones. */
    void (*progressed)(void *arg, const char *id, const void *bytes, size_t count);

    /** Of a worker: a task is leased to it. `task` until settled or handed back. */
    void (*leased)(void *arg, struct rvi_engine_lease *lease, const struct rvi_engine_task *task);

    /** Of a worker: a task that it may have is to stop; or its lease is lost to somebody else
     * (-ESTALE), and what it runs is for nothing. */
    void (*stop)(void *arg, const char *id, int why);

    /** The engine is away (-ENOTCONN), back (0), or has sent us away for good (others). */
    void (*link)(void *arg, int error, const char *words);
};

/* An engine: it begins with this. */
struct rvi_engine {
    const struct rvi_engine_kind *kind;
    struct rvi_engine_events events;
    void *arg;
};

/* What each kind of engine brings. */
struct rvi_engine_kind {
    const char *schemes[4]; /* of its URLs */

    /** @param words  RVI_ENGINE_WORDS of them, on error: why, and what to do */
    int (*open)(struct rvi_engine **ret, const struct rvi_engine_opts *opts,
                const struct rvi_engine_events *events, void *arg, char *words);
    void (*close)(struct rvi_engine *e, rv_time deadline);

    int (*submit)(struct rvi_engine *e, const struct rvi_engine_task *task);
    void (*cancel)(struct rvi_engine *e, const char *id, int why);

    void (*want)(struct rvi_engine *e, unsigned slots);
    void (*extend)(struct rvi_engine_lease *lease);
    void (*settle)(struct rvi_engine_lease *lease, const struct rvi_engine_result *result);
    void (*hand_back)(struct rvi_engine_lease *lease, bool has_begun, int64_t delay_ns);
    void (*bury)(struct rvi_engine_lease *lease, const struct rvi_engine_result *result);
    void (*progress)(struct rvi_engine_lease *lease, const void *bytes, size_t count);
    void (*announce)(struct rvi_engine *e, unsigned slots, unsigned busy, bool is_leaving);

    int (*survey)(struct rvi_engine *e, struct rvi_engine_survey *ret, rv_time deadline);
    int (*pools)(struct rvi_engine *e, struct rvi_engine_pools *ret, rv_time deadline);
    int (*letters)(struct rvi_engine *e, uint64_t after, size_t most,
                   struct rvi_engine_letters *ret, rv_time deadline);
    int (*exhume)(struct rvi_engine *e, uint64_t number, bool is_retried, rv_time deadline);

    const struct rvi_engine_queue_kind *queues; /* queue.h; NULL: it has none */
};

/* The kinds that this build has; by_nats.c. */
extern const struct rvi_engine_kind rvi_nats_kind;

/** Add a kind of engine, before any is opened: what a test does with its own. `kind` is static. */
void rvi_engine_register(const struct rvi_engine_kind *kind);

/** Connect, and make what the pool needs where it is not there yet; an observer makes nothing.
 *
 * @param words  as in rvi_engine_kind.open
 * Errors:  -EPROTONOSUPPORT no engine for that URL in this build; -EINVAL URL or name; -ENOENT an
 *          observer's pool that nobody has made; -ECONNREFUSED,
 *          -EHOSTUNREACH nobody is there; -EACCES it knows us not; -EPROTO it is too old, or has no
 *          streams; -ENOSPC; -ETIME; -ENOMEM
 * Blocks:  yes, connect_timeout at most: tasks ask a helper to */
int rvi_engine_open(struct rvi_engine **ret, const struct rvi_engine_opts *opts,
                    const struct rvi_engine_events *events, void *arg,
                    char words[static RVI_ENGINE_WORDS]) __attribute__((warn_unused_result));

/** Say what is left to say, until the deadline at the latest, and disconnect. No event is told
 * during or after it. Leases that are left lapse. NULL is fine. Blocks: yes */
void rvi_engine_close(struct rvi_engine *e, rv_time deadline);

/** A new identity, which nobody can guess. Errors: those of rvi_nonce() */
int rvi_engine_make_id(char ret[static RVI_ENGINE_ID_BYTES]) __attribute__((warn_unused_result));

/** Whether that can name a pool, queue or worker. */
bool rvi_engine_is_name(const char *name);

/* --- a client's --- */

/** Store a task; `stored` tells. Errors: -ENOMEM, -EPIPE it is closing; -EFBIG */
int rvi_engine_submit(struct rvi_engine *e, const struct rvi_engine_task *task)
    __attribute__((warn_unused_result));

/** A task is not wanted any more: if it waits it is deleted, if it runs its worker is told. `ended`
 * tells, either way. */
void rvi_engine_cancel(struct rvi_engine *e, const char *id, int why);

/* --- a worker's --- */

/** So many tasks are to be leased here at one time, from now on; `leased` tells. Those that are
 * leased and not given up count, so that giving one up asks for another by itself, and nobody can
 * ask too late for too many. 0: none any more; what is leased stays. */
void rvi_engine_want(struct rvi_engine *e, unsigned slots);

/** It is being run still. */
void rvi_engine_extend(struct rvi_engine_lease *lease);

/* Each of these three gives the lease up. */

/** It has ended. The result is stored, and then the task forgotten; without the engine both wait
 * until it is back. */
void rvi_engine_settle(struct rvi_engine_lease *lease, const struct rvi_engine_result *result);

/** Somebody else is to have it, after a while.
 *
 * @param has_begun  this counts as an attempt */
void rvi_engine_hand_back(struct rvi_engine_lease *lease, bool has_begun, int64_t delay_ns);

/** It has had its last attempt: to the dead letters, with that result. */
void rvi_engine_bury(struct rvi_engine_lease *lease, const struct rvi_engine_result *result);

/** Tell its submitter how far it is; may be lost. */
void rvi_engine_progress(struct rvi_engine_lease *lease, const void *bytes, size_t count);

/** Say that this worker is there, and what it has: each RVI_ENGINE_BEAT_MS, and on a change. */
void rvi_engine_announce(struct rvi_engine *e, unsigned slots, unsigned busy, bool is_leaving);

/* --- an observer's --- */

struct rvi_engine_member {
    char name[RVI_ENGINE_NAME_BYTES], host[64], build[33], program[64];
    int64_t pid, since, seen; /* the latter two in nanoseconds since 1970 */
    unsigned slots, busy;
};

struct rvi_engine_backlog {
    char build[33];
    uint64_t waiting, leased; /* leased: delivered and not settled */
};

/* A durable queue; `leased`: got and not said done. */
struct rvi_engine_queued {
    char name[RVI_ENGINE_NAME_BYTES];
    uint64_t waiting, leased;
};

struct rvi_engine_survey {
    char server[64], version[32];
    uint64_t waiting[RVI_LANES], leased[RVI_LANES]; /* of all builds */
    uint64_t results, dead, bytes;
    struct rvi_engine_backlog *builds;
    size_t build_count;
    struct rvi_engine_member *members;
    size_t member_count;
    struct rvi_engine_queued *queues;
    size_t queue_count;
};

/** See what a pool holds and who works for it. Blocks: until the deadline at most */
int rvi_engine_survey(struct rvi_engine *e, struct rvi_engine_survey *ret, rv_time deadline)
    __attribute__((warn_unused_result));

void rvi_engine_survey_drop(struct rvi_engine_survey *survey);

/* Names, in their order. */
struct rvi_engine_pools {
    char (*names)[RVI_ENGINE_NAME_BYTES];
    size_t count;
};

/** Which pools there are, whether or not anybody is at work in them. Blocks: until the deadline at
 * most */
int rvi_engine_pools(struct rvi_engine *e, struct rvi_engine_pools *ret, rv_time deadline)
    __attribute__((warn_unused_result));

void rvi_engine_pools_drop(struct rvi_engine_pools *pools);

/* A task that was buried, and why. What is too long for its place is cut. */
struct rvi_engine_letter {
    uint64_t number; /* names it within its pool; later ones have larger numbers */
    char id[RVI_ENGINE_ID_BYTES], job[64], build[33];
    enum rvi_engine_lane lane;
    int64_t buried; /* nanoseconds since 1970 */
    unsigned attempts;
    int kind; /* enum rv_outcome_kind */
    int error, signal;
    uint64_t in_bytes;
    char words[RVI_ENGINE_WORDS];
};

struct rvi_engine_letters {
    struct rvi_engine_letter *list;
    size_t count;
};

/** The dead letters of the observer's pool, the oldest first.
 *
 * @param after  the number of the last that is known; 0: from the first
 * @param most   how many at most
 * Blocks: until the deadline at most */
int rvi_engine_letters(struct rvi_engine *e, uint64_t after, size_t most,
                       struct rvi_engine_letters *ret, rv_time deadline)
    __attribute__((warn_unused_result));

void rvi_engine_letters_drop(struct rvi_engine_letters *letters);

/** Take one from among the dead letters.
 *
 * @param is_retried  it becomes a task again, with all its attempts, and a new identity: its
 *                    submitter has been told how the old one ended. Else it is forgotten
 * Errors: -ENOENT there is none of that number
 * Blocks: until the deadline at most */
int rvi_engine_exhume(struct rvi_engine *e, uint64_t number, bool is_retried, rv_time deadline)
    __attribute__((warn_unused_result));
