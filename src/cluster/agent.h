/* SPDX-License-Identifier: MIT */
/* agent.h - the agent of a cluster's worker: has tasks lent to it, and lets worker processes of its
 * own program run them.
 *
 * The agent owns the connection; no code of the user's runs in it. So whatever a job does to its
 * process, the agent is there to say what has become of it, within milliseconds. */
#pragma once

#include <stdbool.h>

#include "engine/engine.h"

/* What it says of itself; what has gone wrong it says in any case, on standard error. */
enum rvi_agent_report {
    RVI_REPORT_NONE,
    RVI_REPORT_LINE, /* one line on standard error, written over and over: for a terminal */
    RVI_REPORT_JSON, /* an object a line on standard output, for each event */
};

struct rvi_agent_opts {
    struct rvi_engine_opts engine; /* role and build are the agent's to set */
    unsigned slots;                /* jobs at one time; 0: usable cores */
    enum rvi_agent_report report;
    bool takes_signals; /* SIGTERM and SIGINT: the first to leave, the second to leave at once */
    rv_time grace;      /* what a job that is to stop has before SIGTERM, and from there to SIGKILL;
                           0: a second. Less than a lease */
    rv_time lease;      /* how long leases last; 0: RVI_ENGINE_LEASE_MS */
};

struct rvi_agent;

/** An agent that does nothing yet.
 *
 * @param opts  what it points to is the caller's until rvi_agent_free()
 * Errors: -ENOMEM */
int rvi_agent_new(struct rvi_agent **ret, const struct rvi_agent_opts *opts)
    __attribute__((warn_unused_result));

/** Join, serve, and leave when asked to; once. What keeps it from that is said on standard error.
 *
 * @return 0 it has left as asked; others -errno
 * Blocks: the calling thread, which is no task */
int rvi_agent_run(struct rvi_agent *a) __attribute__((warn_unused_result));

/** Ask it to leave: to take no more, and to finish what it has. Asked again it kills that, and
 * hands it back. Any thread, until rvi_agent_free(). */
void rvi_agent_leave(struct rvi_agent *a);

/** NULL is fine; else it has run. */
void rvi_agent_free(struct rvi_agent *a);
