/* SPDX-License-Identifier: MIT */
/* engine_memory_inside.h - what the engine in memory is made of: its table of pools
 * (engine_memory.c), and the endpoints at it (engine_memory_endpoint.c). All of it is under one
 * lock.
 *
 *   M1  a task is in its pool's list until it has a result, is cancelled unbegun or buried
 *   M2  task->holder: who leases it; his lease's number is task->lease_number
 *   M3  a pool keeps the identities of all results: a second one changes nothing */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "engine_memory.h"

struct endpoint;

struct task {
    struct rvi_link link; /* in its pool, in the order of their coming */
    unsigned refs;        /* the pool's, and each lease's */
    struct rvi_engine_task told;
    char job[128], build[33];
    struct endpoint *client; /* NULL: it is gone */
    struct endpoint *holder; /* NULL: it waits */
    uint64_t lease_number;
    unsigned begun;
    rv_time due;        /* of a lease */
    int64_t not_before; /* since 1970 */
    unsigned char bytes[];
};

struct lease {
    struct rvi_engine_lease base;
    struct rvi_link link;
    struct task *task;
    struct rvi_engine_task told;
    uint64_t number;
};

struct result {
    struct rvi_link link;
    struct rvi_engine_result told;
    char words[4096];
    unsigned char bytes[];
};

struct pool {
    struct rvi_link link;
    char url[128], name[RVI_ENGINE_NAME_BYTES];
    uint64_t backlog;
    struct rvi_list tasks, results, members;
};

struct member {
    struct rvi_link link;
    struct endpoint *who; /* NULL: it is only said to be there */
    struct rvi_engine_member told;
};

enum act {
    SUBMIT,
    CANCEL,
    WANT,
    EXTEND,
    SETTLE,
    HAND_BACK,
    BURY,
    PROGRESS,
    ANNOUNCE, /* said */
    STORED,
    ENDED,
    PROGRESSED,
    LEASED,
    STOP,
    LINK, /* heard */
};

/* What was said or is to be heard. */
struct note {
    struct rvi_link link;
    enum act act;
    char id[RVI_ENGINE_ID_BYTES];
    int number; /* error, why, slots */
    unsigned busy;
    bool flag; /* has_begun, is_leaving */
    int64_t delay_ns;
    struct task *task;
    struct lease *lease;
    struct result *result;
    char words[RVI_ENGINE_WORDS];
    size_t count;
    unsigned char bytes[RVI_ENGINE_PROGRESS];
};

struct endpoint {
    struct rvi_engine base;
    struct rvi_link link;
    struct pool *pool;
    enum rvi_engine_role role;
    char build[33], name[RVI_ENGINE_NAME_BYTES];
    pthread_t thread;
    struct rvi_list said, heard, leases;
    unsigned wanted, lent; /* at one time; now */
    int away;              /* 0: the link is there */
    bool is_closing, is_over;
    rv_time deadline; /* of closing */
};

extern struct memory_engine {
    pthread_mutex_t lock;
    pthread_cond_t news;
    struct rvi_list pools, endpoints;
    struct memory_faults faults;
    struct memory_counts counts;
    uint64_t leases_so_far;
    struct endpoint nobody; /* holds what an endpoint had that is gone, until it lapses */
} memory;

/* --- notes and results: what is made here is there, and never NULL --- */

/** @param id  NULL: it is about none */
struct note *memory_note_new(enum act act, const char *id);
void memory_note_free(struct note *note);

/** A copy. */
struct result *memory_result_new(const struct rvi_engine_result *from);

/* --- the table, with the lock --- */

/** The one of that URL and name, made if there is none. */
struct pool *memory_pool_at(const char *url, const char *name);

/** Do what an endpoint has said. */
void memory_perform(struct endpoint *e, struct note *note);

/** Lease what waits to a worker, as far as it wants more. */
void memory_lend_all(struct endpoint *e);

void memory_release(struct lease *lease);
void memory_remove_member(struct endpoint *e);

/** Whether a fault happens that is to happen so often; then once less. */
bool memory_use_up(unsigned *count);

/** Sleep without the lock until there is news, for so long at most. */
void memory_doze(rv_time ns);
