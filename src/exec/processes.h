/* SPDX-License-Identifier: MIT */
/* processes.h - what the files of the tier "processes" share.
 *
 * A pool has at most `width` worker processes. Each has a segment: a ring of slots, by which jobs
 * go there and their ends come back (shm/ring.h), and an arena for what is too large for a slot.
 * What the pool knows of a job that it has sent stands in an entry, in memory of its own: of what a
 * worker could write it reads a slot's state and status, its times, and the result's bytes.
 *
 *     where a job is      known by                       its future
 *     waits               ex->waiting                    PENDING
 *     sent, not begun     an entry; its slot is QUEUED   RUNNING, in ex->running
 *     begun               an entry; its slot is TAKEN    RUNNING, in ex->running
 *     ended there         an entry; its slot is DONE     RUNNING, in ex->running
 *     ended               nothing                        DONE
 *
 *     tier_processes.c     opening and closing
 *     processes_send.c     from waiting to sent, and back
 *     processes_collect.c  from sent to ended: what has become of it
 *     processes_listen.c   what a job says meanwhile
 *     processes_help.c     who waits collects for himself, and for others
 *     processes_stop.c     jobs that are to stop: the order, SIGTERM, SIGKILL; limits
 *     processes_weigh.c    members that have too much memory
 *     processes_member.c   the life of one worker process
 *     processes_service.c  the thread that starts, watches and buries them
 *     serve_jobs.c         what runs in them
 *
 * Invariants (ex->lock held):
 *   P1  a future is RUNNING  <=>  exactly one entry has it
 *   P2  a member is in `idle` if it is READY and its ring is empty, in `busy` if READY with jobs,
 *       else in `apart`
 *   P3  jobs wait  =>  no READY member has room for one, or none is there and some are to come;
 *       when the service leaves the lock, also: there is a member, one is wanted, or the pool is
 *       `lame`
 *   P4  somebody sleeps for an end, or jobs wait, while jobs are under way  =>  the bell is set
 *       for the service, or it has rung and the service comes, or somebody helps who will set it;
 *       if nobody but a leader sleeps and no job waits, the same of him in place of the service
 *   P5  `alive` = members in the three lists; `coming` = those of them that are STARTING;
 *       `occupied` = those whose ring is not empty
 *
 * A member's process, its descriptors and its place in the epoll set are the service's alone. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ravel/process.h>

#include "exec/executor.h"
#include "exec/jobs_wire.h"
#include "proc/proc.h"
#include "shm/arena.h"
#include "shm/bell.h"
#include "shm/ring.h"
#include "shm/segment.h"

enum {
    RVI_PROCESSES_SLOTS = 128, /* of a ring */
};

enum rvi_member_state {
    RVI_MEMBER_STARTING, /* it has not said that it is there */
    RVI_MEMBER_READY,
    RVI_MEMBER_LEAVING, /* it gets no more jobs; after the last that it has, it ends */
};

/* Why the pool itself ends a member. */
enum rvi_verdict {
    RVI_VERDICT_NONE,
    RVI_VERDICT_LEAVE,  /* it has done enough, or the pool closes: it is told to end */
    RVI_VERDICT_STOP,   /* its job did not stop when asked to */
    RVI_VERDICT_MEMORY, /* it has more than it may */
    RVI_VERDICT_FRAUD,  /* it does not keep to the protocol */
    RVI_VERDICT_ABSENT, /* it would not come up, or not in time */
};

/* A job in a slot. */
struct rvi_entry {
    struct rvi_member *member;
    struct rv_future *future; /* NULL: none, or it was taken back */
    uint64_t index;           /* in the ring */
    struct rvi_piece *piece;  /* of the arena, for input and result; NULL: they are elsewhere */
    rv_time begun;            /* once the service has seen that it has; else 0 */
    uint64_t heard;           /* which of its notes was the last that was taken in; 0: none */
};

/* One worker process. */
struct rvi_member {
    struct rvi_link link;
    struct rvi_list *list; /* that it is in: `idle`, `busy` or `apart` */
    struct rvi_processes *pool;
    enum rvi_member_state state;
    enum rvi_verdict verdict;
    int error;        /* why it has not come up, if it is known */
    bool is_occupied; /* its ring is not empty */
    uint64_t jobs;    /* sent, and not taken back */

    struct rvi_segment segment;
    unsigned char *space; /* the arena's, in the segment */
    struct rvi_arena arena;
    struct rvi_ring ring;
    struct rvi_note *notes;                        /* in the segment, by slot */
    struct rvi_entry entries[RVI_PROCESSES_SLOTS]; /* by slot */

    /* A job that is to stop, or the member itself: asked, then SIGTERM, then SIGKILL. */
    struct rvi_entry *stopping; /* NULL: none, or the member itself is leaving */
    unsigned steps;             /* of that, which have been made */
    rv_time step_due;           /* when the next one is to be made; RV_NEVER: nothing is to stop */

    /* The service's alone. */
    struct rvi_link mine; /* in pool->members */
    bool is_fat;          /* it is leaving for having more than recycle_bytes */
    uint64_t number;      /* of all that were started here; from 1 */
    struct rvi_proc proc;
    rv_time started;
    bool has_ended; /* to be buried */
    bool is_owed_answer;
    struct rvi_shm_ask question; /* to which */
};

struct rvi_processes {
    struct rv_executor ex;

    /* Final once it is open. */
    struct rv_process_opts opts; /* what it points to is `lent` */
    void *lent;
    unsigned retries;
    struct rvi_segment bell_page;
    struct rvi_bell bell;
    int poller, kick; /* the service's; an eventfd by which others call it */
    pthread_t service;

    /* Under ex.lock. */
    struct rvi_list idle, busy, apart;
    unsigned alive, coming;
    unsigned occupied;   /* members with jobs, whatever their state */
    unsigned wanted;     /* how many members there should be, with those that are leaving */
    unsigned barren;     /* starts in a row that came to nothing */
    int trouble;         /* why the last of them did */
    rv_time start_after; /* no start before that */
    rv_time usual_ns;    /* what a job has taken lately */
    bool has_come;       /* a member has been ready, once */
    bool is_open;        /* the opener knows how it went */
    bool is_closing;
    bool is_in_haste;                  /* graces are over at once */
    bool is_over;                      /* the service has nothing left to do */
    enum rvi_bell_sleeper bell_is_for; /* who has not taken that away yet */
    bool leader_sleeps;                /* somebody who waits, and is called in its place */
    uint64_t leader_knows;             /* how many jobs had ended before */
    unsigned helpers;                  /* who look for what has ended */
    unsigned lookers;                  /* of them, who look at rings without the lock */
    _Atomic(uint32_t) turns;           /* so often another job became the oldest of a member */
    struct rvi_spin spin;              /* how long that is worth it */
    bool service_rests;                /* it does not look unasked, as there are no jobs */
    struct rvi_waitlist outside;       /* who opens, or closes, and waits for the service */

    /* The service's. */
    struct rvi_list members;
    struct rvi_list graves; /* members that are gone, whose memory somebody may still look at */
    uint64_t seen;          /* jobs submitted, at its last look */
    bool is_hurried; /* to hear members once more: something could not be handed on, or answered */
};

/* What is owed once the lock is free. */
struct rvi_owed {
    struct rvi_link *wakes;
    struct rvi_list over;          /* futures that have ended and that nobody holds */
    const struct rv_job *poisoned; /* the last job that was set aside, to be reported; NULL: none */
    unsigned deaths;               /* of it */
};

static inline struct rvi_processes *rvi_processes_of(struct rv_executor *ex)
{
    return rvi_container_of(ex, struct rvi_processes, ex);
}

static inline struct rvi_entry *rvi_member_entry(struct rvi_member *member, uint64_t index)
{
    return &member->entries[index % RVI_PROCESSES_SLOTS];
}

static inline struct rvi_member *rvi_member_of(struct rvi_link *link)
{
    return rvi_container_of(link, struct rvi_member, link);
}

static inline void rvi_owed_init(struct rvi_owed *owed)
{
    owed->wakes = NULL;
    owed->poisoned = NULL;
    rvi_list_init(&owed->over);
}

/** Give what is owed. Without the lock. */
void rvi_owed_pay(struct rvi_owed *owed);

/** Call the service. Any thread. */
void rvi_processes_kick(struct rvi_processes *pool);

/* All that follow: under ex->lock. */

/* --- processes_send.c --- */

/** Be in the list that P2 says. */
void rvi_member_settle(struct rvi_member *member);

void rvi_processes_dispatch(struct rv_executor *ex);
bool rvi_processes_recall(struct rv_future *f);
uint64_t rvi_processes_running(struct rv_executor *ex);

/** Where a job's input and, behind it, its result lie. */
unsigned char *rvi_entry_bytes(struct rvi_entry *entry, struct rvi_slot *slot);

/** Take back all that has not begun. */
void rvi_member_recall_all(struct rvi_member *member);

/** Let idle members have what waits behind others; `whatever` it is worth. */
void rvi_processes_share(struct rvi_processes *pool, bool whatever);

/* --- processes_collect.c --- */

/** Take in all that has ended; those that do not keep to the protocol are given up. */
void rvi_processes_collect(struct rvi_processes *pool, struct rvi_owed *owed);

/** Whether there is something to collect. */
bool rvi_processes_has_end(struct rvi_processes *pool);

/** Another job has become the oldest of a member. */
static inline void rvi_processes_turn(struct rvi_processes *pool)
{
    rvi_store_relaxed(&pool->turns, rvi_load_relaxed(&pool->turns) + 1);
}

/** The member's process is gone, as `status` says: what has become of its jobs. */
void rvi_member_settle_estate(struct rvi_member *member, const struct rv_child_status *status,
                              rv_time now, struct rvi_owed *owed);

/** End all that wait, because of `error`: nobody can be had to run them. */
void rvi_processes_give_up(struct rvi_processes *pool, int error, struct rvi_owed *owed);

/* --- processes_listen.c --- */

/** The tier's. */
void rvi_processes_listen(struct rv_future *f, struct rvi_link **wakes);

/** Take in what jobs have said to which somebody listens. */
void rvi_processes_hear_notes(struct rvi_processes *pool, struct rvi_link **wakes);

/** Take in what a job has said, if it has. */
void rvi_entry_hear(struct rvi_entry *entry, struct rvi_link **wakes);

/* --- processes_help.c --- */

/** The tier's: see P4. */
void rvi_processes_expect(struct rv_executor *ex);

/** The tier's, without the lock. */
void rvi_processes_help(struct rv_executor *ex, bool (*is_over)(const void *arg), const void *arg,
                        rv_time deadline);
int rvi_processes_lead(struct rv_executor *ex, bool (*is_over)(const void *arg), const void *arg,
                       rv_time deadline);

/** Who slept is awake, whoever has called him. */
void rvi_processes_hear_bell(struct rvi_processes *pool, enum rvi_bell_sleeper who);

/** Something has changed: see to P4, and tell the leader what has ended. */
void rvi_processes_set_bell(struct rvi_processes *pool);

/* --- processes_stop.c --- */

/** The tier's stop. */
void rvi_processes_stop(void *entry, int why);

/** Look whether members have more memory than they may, or should. Returns when to look again. The
 * service's. */
rv_time rvi_processes_weigh(struct rvi_processes *pool, rv_time now);

/** Whether a member that was to leave for it has given its memory back. */
bool rvi_member_is_slim(struct rvi_member *member);

/** Let a member get no more jobs, and end after those that it has. */
void rvi_member_retire(struct rvi_member *member);

/** Kill a member; what it runs ends by the verdict, what it has not begun is taken back. */
void rvi_member_condemn(struct rvi_member *member, enum rvi_verdict verdict, int signal);

/** Give jobs that are to stop, now or later, no grace any more. Takes ex->lock itself. */
void rvi_processes_hurry(struct rv_executor *ex);

/** Make the steps that are due, look for jobs whose time is over. Returns when to look again. The
 * service's. */
rv_time rvi_processes_step(struct rvi_processes *pool, rv_time now);
