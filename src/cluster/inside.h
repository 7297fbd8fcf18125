/* SPDX-License-Identifier: MIT */
/* inside.h - what the files of this room share.
 *
 * The agent's runtime has one worker, so all its tasks share one thread: what only they touch needs
 * no lock. The engine's thread and others leave word under `lock`, and set `news`. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <ravel/executor.h>
#include <ravel/scope.h>
#include <ravel/sync.h>

#include "base/list.h"
#include "cluster/agent.h"
#include "sys/lock.h"

/* What an agent has done. */
struct rvi_agent_counts {
    uint64_t values;      /* tasks that ended with a value */
    uint64_t failures;    /* and otherwise */
    uint64_t handed_back; /* given to others: their process died, or they had to go */
    uint64_t lost;        /* whose lease has lapsed meanwhile */
};

struct rvi_agent {
    struct rvi_agent_opts opts;

    /* Final once it has joined. */
    rv_executor *ex;
    struct rvi_engine *engine;
    rv_scope *holders; /* a task for each lease */

    struct rv_event news;

    struct rvi_lock lock;
    struct rvi_list held; /* struct rvi_holding: all leases */
    struct rvi_list told; /* of them, those of which there is news */
    bool has_left;        /* nothing is held, and nothing will be */
    unsigned leave_asked;
    int link; /* as the engine's event has it */
    char link_words[RVI_ENGINE_WORDS];

    /* The tasks' alone. */
    unsigned busy;       /* leases */
    unsigned slots;      /* that the engine knows of; 0 while it leaves, or rests */
    bool is_leaving;     /* no task is taken any more */
    bool is_in_haste;    /* nor finished */
    bool is_stirred;     /* there is something to be told since the last beat */
    bool has_told_why;   /* it cannot join, or has to go */
    int error;           /* why it leaves, if nobody has asked it to */
    int known_link;      /* what has been said of it */
    rv_time beaten;      /* when it has last said that it is there */
    rv_time rests_until; /* no worker process could be started; 0: it does not rest */
    struct rvi_agent_counts counts;
};

/* A task that is lent to us. */
struct rvi_holding {
    struct rvi_link link; /* in held */
    struct rvi_link news; /* in told */
    struct rvi_agent *agent;
    struct rvi_engine_lease *lease;
    const struct rvi_engine_task *task;
    rv_time since;
    int told_stop; /* under agent->lock: why the engine wants its end; 0: it does not */
    bool is_told;  /* under agent->lock: its task may have it */

    /* The tasks' alone. */
    bool has_task;
    int stop; /* why it is to end: -ECANCELED, -ETIME, -ESTALE, or -EINTR: the agent is in haste */
    struct rv_future *future; /* NULL: not yet, or not any more */
    rv_time due;              /* by its deadline, and by its limit once it runs */
    rv_time extend;           /* when to */
};

/* --- holding.c --- */

/** The engine's event. */
void rvi_holding_leased(void *agent, struct rvi_engine_lease *lease,
                        const struct rvi_engine_task *task);

/** A task that sees to one lease from its beginning to its end. */
int rvi_holding_serve(void *holding);

/** Let it end, because of `why`; the first reason counts. */
void rvi_holding_stop(struct rvi_holding *h, int why);

/** Give it back unbegun: it cannot be served. */
void rvi_holding_refuse(struct rvi_holding *h);

/* --- agent.c --- */

/** Something has changed that members and people are told at the next occasion. */
void rvi_agent_stir(struct rvi_agent *a);

/** No worker process can be had, because of `error`: take no tasks for a while, or leave. */
void rvi_agent_rest(struct rvi_agent *a, int error);

/* --- report.c --- */

void rvi_report_joined(const struct rvi_agent *a);
void rvi_report_link(struct rvi_agent *a, int error, const char *words);
/** Each beat; `is_stirred` says whether there is something new. */
void rvi_report_state(const struct rvi_agent *a);
void rvi_report_leaving(const struct rvi_agent *a);
void rvi_report_left(const struct rvi_agent *a);

/** What has gone wrong, and why. */
void rvi_report_trouble(struct rvi_agent *a, const char *what, int error, const char *words);
