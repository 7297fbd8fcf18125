/* SPDX-License-Identifier: MIT */
/* things.h - what a program has besides tasks that can be seen from outside: executors with their
 * jobs and worker processes, supervisors with their services, channels and queues with a name. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ravel/time.h>

#include "look/target.h"

enum { LOOK_WORD_BYTES = 64, LOOK_CHOICE_BYTES = 160, LOOK_END_BYTES = 128 };

/** A job that runs. */
struct look_job {
    char name[LOOK_WORD_BYTES];
    bool
        has_since; /* it is known for how long; of one that was sent away: since it was submitted */
    rv_time since_ns;
};

enum look_member_state { LOOK_MEMBER_STARTING, LOOK_MEMBER_READY, LOOK_MEMBER_LEAVING };

/** A worker process. */
struct look_member {
    int pid;
    uint64_t number; /* of all that its executor has started; from 1 */
    enum look_member_state state;
    bool has_age;
    rv_time age_ns;
    uint64_t jobs; /* that it was given so far */
    size_t queued; /* of those, that it has not begun */
    bool is_busy;
    struct look_job job; /* if so, what it runs */
};

struct look_executor {
    char choice[LOOK_CHOICE_BYTES]; /* as rv_executor_choice() */
    char tier[16];
    bool has_processes, is_inline, is_torn; /* torn: its numbers changed while they were read */
    bool is_closing;
    unsigned width, workers, busy; /* that there may be, are, and have a job */
    uint64_t submitted, ended, cancelled;
    uint64_t waiting, running; /* jobs; those that run in a cluster, or wait there, are running */
    uint64_t deaths, retried, poisoned, started, recycled;
    rv_time away_ns;       /* a cluster's engine has been gone for so long; 0: it is there */
    struct look_job *jobs; /* that run, or were sent to a cluster */
    size_t job_count;
    bool has_more_jobs; /* than are told */
    struct look_member *members;
    size_t member_count;
};

struct look_service {
    char name[LOOK_WORD_BYTES];
    int64_t below; /* the supervisor that it is: index; LOOK_NONE: it is none */
    bool is_process;
    int pid;       /* of its process while it runs; 0 */
    uint8_t state; /* enum rv_service_state */
    uint64_t starts;
    bool has_age;
    rv_time age_ns; /* since it was begun last */
    bool is_due;    /* it waits to be started: */
    rv_time due_ns; /* in so many */
    bool has_ended; /* once at least, as the next two say of the last time */
    int error;
    char end[LOOK_END_BYTES];
};

struct look_supervisor {
    char name[LOOK_WORD_BYTES];
    int64_t above; /* index of the supervisor whose service it is, or LOOK_NONE */
    uint8_t strategy;
    uint64_t restarts;
    struct look_service *services;
    size_t service_count;
};

enum look_where { LOOK_HERE, LOOK_SHARED, LOOK_IN_CLUSTER };

/** A channel or a queue. */
struct look_flow {
    char name[LOOK_WORD_BYTES];
    bool is_queue, is_closed;
    enum look_where
        where; /* of a shared queue only `unfinished` is known, of a cluster's nothing */
    uint64_t items, capacity, unfinished;
    size_t senders, receivers, joiners; /* who wait */
};

struct look_things {
    struct look_executor *executors;
    struct look_supervisor *supervisors; /* one comes before those that are its services */
    struct look_flow *flows;
    size_t executor_count, supervisor_count, flow_count;
    size_t missed; /* things that came or went while they were read */
};

/** Look at all of them.
 *
 * @param now  by the program's monotonic clock; 0: unknown, and so is how long anything lasts
 * @param ret  also on error look_things_fini() it
 * Errors:  -ESRCH, -ENOMEM */
int look_things(struct look_target *target, rv_time now, struct look_things *ret)
    __attribute__((warn_unused_result));

void look_things_fini(struct look_things *things);
