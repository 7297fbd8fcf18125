/* SPDX-License-Identifier: MIT */
/* inside.h - a supervisor and what it looks after, shared by the files of this room.
 *
 * Two parties meet at a supervisor's lock: its manager, one task, which alone decides (manage.c),
 * and its keepers, a task for each service that lives (keep.c), which tell it what has happened.
 * Whoever else comes, to stop it or to look, does as a keeper does. */
#pragma once

#include <stdbool.h>

#include <ravel/process.h>
#include <ravel/supervisor.h>
#include <ravel/sync.h>

#include "base/list.h"
#include "sched/roll.h"
#include "sched/wait.h"
#include "sys/lock.h"
#include "task/scope.h"

enum { RVI_SERVICE_NAME_BYTES = 128 };

/* A service, as its supervisor keeps it. */
struct rvi_kept {
    rv_supervisor *above;
    char *name;
    struct rv_service what;      /* name, arg and supervisor are not to be used */
    unsigned char *arg;          /* a copy; NULL: what.arg */
    size_t copy_at;              /* in arg: what one start is given */
    rv_supervisor *below;        /* it is a supervisor; else NULL */
    struct rv_process_opts opts; /* copied, with `opts_memory` behind; of a process */
    void *opts_memory;
    struct rvi_errand errand;

    /* The manager's alone. */
    rv_time begun;     /* last */
    rv_time due;       /* WAITING: when it is started again */
    unsigned failures; /* in a row */

    /* The lock guards these. */
    struct rvi_link ended; /* in `ended` of the supervisor: the manager has not looked at its end */
    rv_scope *scope;       /* open while it runs; to cancel it */
    bool lives;            /* it has a keeper */
    bool is_ready;
    bool is_told; /* to stop */
    enum rv_service_state state;
    uint64_t starts;
    pid_t pid;
    struct rv_service_end end;
};

struct rv_supervisor {
    struct rvi_kept *as; /* what it is to the supervisor above; NULL: there is none */
    char *name;
    enum rv_strategy strategy;
    size_t intensity;
    rv_time period, backoff, backoff_most;
    rv_supervisor_report *report;
    void *report_arg;

    /* The manager's alone. */
    struct rvi_errand errand; /* it, when there is no supervisor above */
    struct rvi_errand watch;  /* who hears that the scope around is cancelled */
    rv_scope *inner;          /* of the keepers */
    rv_time *restarts;        /* a ring of the last `intensity` ones */
    uint64_t restart_count;

    struct rv_event managed; /* the manager leaves: the watch may */
    struct rv_event started; /* all services are, or never will be */
    struct rv_event over;    /* it has ended, as `end` says */

    struct rvi_lock lock; /* guards all below, and what is said to be of each service */
    struct rvi_list ended;
    struct rvi_waiter *sleeper; /* the manager, waiting for news */
    bool has_news;              /* since it last waited */
    bool is_told;               /* to stop */
    int why;                    /* it is: 0, -errno */
    bool has_started;
    bool is_over;
    struct rvi_waiter *closer;
    struct rv_service_end end;

    struct rvi_enrolled enrolled; /* of the topmost: for those who look from outside, layout.h */
    size_t count;
    struct rvi_kept services[];
};

/* --- the manager --- */

/** Be the supervisor: start all, look after them, stop all. Returns how it ended, as s->end says in
 * words; s->has_started tells whether all were ever ready. In a task. */
int rvi_supervise(rv_supervisor *s);

/* --- what it is told; from any thread --- */

/** To stop; the first counts. */
void rvi_supervisor_tell(rv_supervisor *s, int why);

void rvi_kept_is_ready(struct rvi_kept *kept);

/** Its keeper leaves. */
void rvi_kept_has_ended(struct rvi_kept *kept, const struct rv_service_end *end);

/* --- keepers --- */

/** Start a keeper, in above->inner. What becomes of it is told as above.
 *
 * Errors: -ECANCELED, -ENOMEM: nothing is told */
int rvi_kept_launch(struct rvi_kept *kept) __attribute__((warn_unused_result));

/** Be the keeper of a process, from its start to its end. */
void rvi_keep_process(struct rvi_kept *kept, struct rv_service_end *end);

void rvi_kept_has_process(struct rvi_kept *kept, pid_t pid);

/* --- a service's process, and what the two sides say after the first message --- */

struct rvi_service_hello {
    char name[RVI_SERVICE_NAME_BYTES]; /* of the entry; the argument follows */
};

enum rvi_service_word {
    RVI_SERVICE_STOP,     /* to the process; all else from it */
    RVI_SERVICE_READY,    /* it says so itself */
    RVI_SERVICE_RETURNED, /* `result` */
};

struct rvi_service_message {
    uint32_t word; /* enum rvi_service_word */
    int32_t result;
};

/** NULL: there is none. */
const struct rv_service_entry *rvi_service_find(const char *name);

/** In a service's process: say that it is ready. Errors: -EPERM this is none; -EPIPE */
int rvi_serve_say_ready(void);

/** Send a message, or not at all: a socket that is full, or has no other end, is one of a process
 * that is ending. */
int rvi_service_say(int control, uint32_t word, int result);

/* --- words --- */

/** "returned -EIO (Input/output error)" */
void rvi_end_returned(struct rv_service_end *end, int result);

/** "could not be started: Cannot allocate memory"; `before` is what stands before the colon, and
 * all of it where only time has run out. */
void rvi_end_error(struct rv_service_end *end, int error, const char *before);
