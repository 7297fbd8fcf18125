/* SPDX-License-Identifier: MIT */
/* tier_cluster.h - the tier `cluster`: what its two files share.
 *
 * A job that was sent has an entry here, until it ends. Its place in the table and how often that
 * has been used are half of the task's identity; the other half is random, this executor's. So who
 * hears of an identity finds its job without a search, and what concerns a job that has
 * ended concerns nobody.
 *
 *   K1  entry->future is not NULL  <=>  the engine has been given the job, and has not said that it
 *       has ended, or will never be stored, nor have we given it up
 *   K2  entry->link: in `free` without a future; with one in `stopping`, in `failed` or nowhere
 *   K3  while is_full not more is sent than `allowance` says
 *   K4  while the engine is away nothing is sent: what waits here can be cancelled here */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <ravel/cluster.h>

#include "base/atomic.h"
#include "engine/engine.h"
#include "exec/executor.h"

enum { RVI_CLUSTER_ID_HALF = (RVI_ENGINE_ID_BYTES - 1) / 2 };

struct rvi_cluster_entry {
    struct rv_future *future; /* NULL: free */
    uint64_t turn;            /* how often it has been used */
    struct rvi_link link;
    int error;       /* of one that failed: why */
    rv_time stopped; /* of one that is to stop: since when */
    rv_time told;    /* and when the engine was told last */
    rv_time noted;   /* when it was sent, if somebody records (trace/recorder.h); 0 */
};

struct rvi_cluster {
    struct rv_executor ex;

    /* Final once it is open. */
    struct rv_cluster_opts opts; /* filled in; its files and words are for opening only */
    unsigned retries;
    struct rvi_engine_opts address; /* where, and who one is: for opening, and for words */
    char *address_memory;
    char own[RVI_CLUSTER_ID_HALF]; /* of each identity, the first half */
    struct rvi_engine *engine;
    pthread_t service;

    _Atomic(uint32_t) kicks; /* futex: changes when the service is to look */
    _Atomic(bool) is_full;   /* written under ex.lock */

    /* Under ex.lock. */
    struct rvi_cluster_entry *entries; /* opts.window */
    struct rvi_list free, stopping, failed;
    unsigned allowance; /* so many may be sent though the pool is full */
    rv_time pause_ns;   /* how long to wait for room the next time */
    rv_time retry_at;   /* when to try whether the pool is full still; RV_NEVER: it is not */
    rv_time heard;      /* when a worker was seen or heard last, or was of no use */
    rv_time looked;     /* when workers were looked for last */
    uint64_t counted;   /* jobs submitted, at the service's last look */
    bool rests;         /* the service sleeps until it is kicked */
    int dismissed;      /* the engine has sent us away, for that reason */
    char words[RVI_ENGINE_WORDS];
    struct rvi_waitlist outside; /* who waits for the service */
    bool is_open, is_closing, is_over;
    int trouble; /* of opening */
};

/* What is to be done without the lock. */
struct rvi_cluster_owed {
    struct rvi_link *wakes;
    struct rvi_list over;          /* futures to be destroyed */
    const struct rv_job *poisoned; /* NULL: none */
    unsigned deaths;
};

static inline struct rvi_cluster *rvi_cluster_of(struct rv_executor *ex)
{
    return rvi_container_of(ex, struct rvi_cluster, ex);
}

static inline void rvi_cluster_owed_init(struct rvi_cluster_owed *owed)
{
    *owed = (struct rvi_cluster_owed){0};
    rvi_list_init(&owed->over);
}

void rvi_cluster_owed_pay(struct rvi_cluster_owed *owed);

/** Let the service look. */
void rvi_cluster_kick(struct rvi_cluster *pool);

/* --- tier_cluster_jobs.c: sending and ending; under ex.lock, but for the events --- */

extern const struct rvi_engine_events rvi_cluster_events;

/** Make `count` entries and this executor's half of identities. Errors: -ENOMEM; rvi_nonce()'s */
int rvi_cluster_jobs_init(struct rvi_cluster *pool, unsigned count)
    __attribute__((warn_unused_result));

/** Send what waits and may be sent. */
void rvi_cluster_send_waiting(struct rvi_cluster *pool);

/* Of struct rvi_tier. */
void rvi_cluster_dispatch(struct rv_executor *ex);
void rvi_cluster_stop(void *context, int why);
uint64_t rvi_cluster_running(struct rv_executor *ex);

/** Do what is due at `now`, and return when the next thing is. */
rv_time rvi_cluster_look(struct rvi_cluster *pool, rv_time now, struct rvi_cluster_owed *owed);

/** Give jobs up that were sent and came to the executor at `latest`: the engine is told so, and
 * what it says of them later is nobody's. */
void rvi_cluster_give_up(struct rvi_cluster *pool, const struct rv_outcome *outcome,
                         const char *words, rv_time latest, struct rvi_cluster_owed *owed);
