/* SPDX-License-Identifier: MIT */
/* engine_party.h - clients and workers of one pool on a real server, and what they were told. With
 * cmocka. A group of tests shares one server; each test has a pool of its own. */
#pragma once

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ravel/future.h>

#include "../../support/nats_server.h"
#include "base/alloc.h"
#include "base/check.h"
#include "engine/engine.h"
#include "sys/clock.h"

enum what { STORED, ENDED, PROGRESSED, LEASED, STOP, LINK, WHATS };
enum { ENDS = 8, PATIENCE_S = 20, JOB = 32 };

/* An event, as it was told. */
struct told {
    struct told *next;
    enum what what;
    char id[RVI_ENGINE_ID_BYTES], job[JOB];
    int error, kind, signal;
    unsigned attempt, deaths;
    struct rvi_engine_lease *lease;
    const struct rvi_engine_task *task; /* of a lease, until it is given up */
    char *bytes;
    size_t bytes_count;
    char words[RVI_ENGINE_WORDS];
};

/* A client or worker. */
struct end {
    struct party *party;
    struct rvi_engine *e;
    struct told *first, *last;
    int counts[WHATS];
    bool settles_at_once;
};

struct party {
    struct nats_server *server;
    char pool[RVI_ENGINE_NAME_BYTES];
    pthread_mutex_t lock;
    pthread_cond_t news;
    struct end ends[ENDS];
    int end_count;
    const char *url;             /* another than the server's; NULL */
    struct rvi_engine_opts opts; /* what is not zero is asked for */
};

#define PARTY_BUILD "0123456789abcdef0123456789abcdef"

static inline struct told *new_told(enum what what, const char *id)
{
    struct told *told = calloc(1, sizeof(*told));

    RV_CHECK(told);
    told->what = what;
    snprintf(told->id, sizeof(told->id), "%s", id ? id : "");
    return told;
}

static inline void tell_bytes(struct told *told, const void *bytes, size_t count)
{
    told->bytes = malloc(count + 1);
    RV_CHECK(told->bytes);
    if (count > 0)
        memcpy(told->bytes, bytes, count);
    told->bytes[count] = '\0';
    told->bytes_count = count;
}

static inline void add_told(struct end *end, struct told *told)
{
    pthread_mutex_lock(&end->party->lock);
    *(end->last ? &end->last->next : &end->first) = told;
    end->last = told;
    end->counts[told->what]++;
    pthread_cond_broadcast(&end->party->news);
    pthread_mutex_unlock(&end->party->lock);
}

static inline void on_stored(void *arg, const char *id, int error)
{
    struct told *told = new_told(STORED, id);
    told->error = error;
    add_told(arg, told);
}

static inline void on_ended(void *arg, const struct rvi_engine_result *result)
{
    struct told *told = new_told(ENDED, result->id);
    told->kind = result->kind;
    told->error = result->error;
    told->signal = result->signal;
    told->deaths = result->deaths;
    tell_bytes(told, result->out, result->out_bytes);
    snprintf(told->words, sizeof(told->words), "%s", result->words ? result->words : "");
    add_told(arg, told);
}

static inline void on_progressed(void *arg, const char *id, const void *bytes, size_t count)
{
    struct told *told = new_told(PROGRESSED, id);
    tell_bytes(told, bytes, count);
    add_told(arg, told);
}

static inline void on_leased(void *arg, struct rvi_engine_lease *lease,
                             const struct rvi_engine_task *task)
{
    struct end *end = arg;
    struct told *told = new_told(LEASED, task->id);
    struct rvi_engine_result result = {.kind = RV_OUTCOME_VALUE};

    snprintf(told->job, sizeof(told->job), "%s", task->job);
    told->attempt = task->attempt;
    told->lease = lease;
    told->task = task;
    tell_bytes(told, task->in, task->in_bytes);
    add_told(end, told);
    if (end->settles_at_once) {
        rvi_engine_settle(lease, &result);
    }
}

static inline void on_stop(void *arg, const char *id, int why)
{
    struct told *told = new_told(STOP, id);
    told->error = why;
    add_told(arg, told);
}

static inline void on_link(void *arg, int error, const char *words)
{
    struct told *told = new_told(LINK, NULL);
    told->error = error;
    snprintf(told->words, sizeof(told->words), "%s", words);
    add_told(arg, told);
}

static const struct rvi_engine_events party_events = {
    on_stored, on_ended, on_progressed, on_leased, on_stop, on_link,
};

static inline int count(struct end *end, enum what what)
{
    pthread_mutex_lock(&end->party->lock);
    int count = end->counts[what];
    pthread_mutex_unlock(&end->party->lock);
    return count;
}

/* The n-th event of a kind, from 1; waits for it. */
static inline struct told *await(struct end *end, enum what what, int n)
{
    struct timespec until;
    struct told *told;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    pthread_mutex_lock(&end->party->lock);
    while (end->counts[what] < n) {
        if (pthread_cond_timedwait(&end->party->news, &end->party->lock, &until) == ETIMEDOUT)
            break;
    }
    if (end->counts[what] < n)
        print_error("waited for %d of kind %d; there are %d\n", n, what, end->counts[what]);
    assert_true(end->counts[what] >= n);
    for (told = end->first; told; told = told->next) {
        if (told->what == what && --n == 0)
            break;
    }
    pthread_mutex_unlock(&end->party->lock);
    return told;
}

static inline struct rvi_engine_opts end_opts(struct party *p, enum rvi_engine_role role)
{
    struct rvi_engine_opts opts = p->opts;

    opts.role = role;
    opts.url = p->url ? p->url : p->server->url;
    opts.pool = p->pool;
    if (!opts.build[0])
        memcpy(opts.build, PARTY_BUILD, sizeof(opts.build));
    return opts;
}

static inline struct end *open_end(struct party *p, enum rvi_engine_role role)
{
    struct rvi_engine_opts opts = end_opts(p, role);
    struct end *end = &p->ends[p->end_count++];
    char words[RVI_ENGINE_WORDS];

    end->party = p;
    int r = rvi_engine_open(&end->e, &opts, &party_events, end, words);
    if (r < 0)
        print_error("open: %s: %s\n", strerror(-r), words);
    assert_int_equal(r, 0);
    return end;
}

static inline void close_end(struct end *end)
{
    rvi_engine_close(end->e, rvi_clock_now() + INT64_C(2000000000));
    end->e = NULL;
}

/* Its identity, in `id` if that is not NULL. */
static inline void submit_as(struct end *end, char *id, const struct rvi_engine_task *like,
                             const void *in, size_t count)
{
    struct rvi_engine_task task = *like;

    task.in = in;
    task.in_bytes = count;
    assert_int_equal(rvi_engine_make_id(task.id), 0);
    if (id)
        memcpy(id, task.id, sizeof(task.id));
    assert_int_equal(rvi_engine_submit(end->e, &task), 0);
}

static inline void submit(struct end *end, const char *job, const char *in, char *id)
{
    struct rvi_engine_task task = {.job = job};
    submit_as(end, id, &task, in, strlen(in));
}

static inline void settle(struct told *leased, const char *out)
{
    struct rvi_engine_result result = {
        .kind = RV_OUTCOME_VALUE, .out = out, .out_bytes = strlen(out), .run_ns = 1};
    rvi_engine_settle(leased->lease, &result);
}

/* --- the group's --- */

static struct nats_server the_server;
static bool has_server;

static inline int start_server(void **state)
{
    (void)state;
    has_server = nats_server_start(&the_server, NULL);
    return 0;
}

static inline int stop_server(void **state)
{
    (void)state;
    if (has_server)
        nats_server_stop(&the_server);
    return 0;
}

static inline struct party *begin(void **state)
{
    static int pools;
    struct party *p = calloc(1, sizeof(*p));

    (void)state;
    if (!has_server) {
        print_message("nats-server is not installed\n");
        free(p);
        skip();
    }
    RV_CHECK(p);
    p->server = &the_server;
    snprintf(p->pool, sizeof(p->pool), "p%d", ++pools);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->news, NULL);
    return p;
}

static inline void finish(struct party *p)
{
    for (int i = 0; i < p->end_count; i++) {
        struct end *end = &p->ends[i];
        close_end(end);
        for (struct told *told = end->first, *next; told; told = next) {
            next = told->next;
            free(told->bytes);
            free(told);
        }
    }
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->news);
    free(p);
}
