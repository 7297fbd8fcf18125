/* SPDX-License-Identifier: MIT */
/* cluster_test.h - what tests of agents share: a client that submits tasks and keeps their results,
 * agents on threads of their own, and jobs that leave traces in a folder.
 *
 * A program that includes this is what its agents' worker processes run. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <ravel.h>

#include "base/check.h"
#include "cluster/agent.h"
#include "proc/identity.h"
#include "sys/clock.h"
#include "sys/living.h"

enum {
    RESULTS_MOST = 4096,
    PATIENCE_S = 60,
    TRACE_BYTES = 32,
};

#define FOLDER_VARIABLE "CLUSTER_TEST_FOLDER"

/* The input of jobs that leave traces. */
struct name {
    char text[32];
};

/* --- traces: who has run what --- */

static void path_in_folder(char ret[512], const char *name)
{
    const char *folder = getenv(FOLDER_VARIABLE);

    RV_CHECK(folder);
    snprintf(ret, 512, "%s/%s", folder, name);
}

/* One more line with the caller's pid. Returns how many there were before. */
static inline int leave_trace(const char *name)
{
    char path[512], line[TRACE_BYTES];

    path_in_folder(path, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    RV_CHECK(fd >= 0);
    snprintf(line, sizeof(line), "%-*d\n", TRACE_BYTES - 2, (int)getpid());
    RV_CHECK(write(fd, line, TRACE_BYTES - 1) == TRACE_BYTES - 1);
    off_t end = lseek(fd, 0, SEEK_CUR);
    close(fd);
    return (int)(end / (TRACE_BYTES - 1)) - 1;
}

static inline int count_traces(const char *name)
{
    struct stat is;
    char path[512];

    path_in_folder(path, name);
    return stat(path, &is) == 0 ? (int)(is.st_size / (TRACE_BYTES - 1)) : 0;
}

static inline void until_traces(const char *name, int count)
{
    rv_time deadline = rvi_clock_now() + PATIENCE_S * RV_SECOND;

    while (count_traces(name) < count) {
        RV_CHECK(rvi_clock_now() < deadline);
        usleep(1000);
    }
}

/* Who has left the last one. */
static inline pid_t last_trace(const char *name)
{
    char path[512], line[TRACE_BYTES] = "";
    int pid = 0;

    path_in_folder(path, name);
    FILE *file = fopen(path, "re");
    RV_CHECK(file);
    while (fgets(line, sizeof(line), file))
        pid = atoi(line);
    fclose(file);
    return pid;
}

static inline bool has_ended(pid_t pid)
{
    return rvi_living_has_ended((struct rvi_living){.pid = (uint32_t)pid});
}

static inline void until_ended(pid_t pid)
{
    rv_time deadline = rvi_clock_now() + PATIENCE_S * RV_SECOND;

    while (!has_ended(pid)) {
        RV_CHECK(rvi_clock_now() < deadline);
        usleep(1000);
    }
}

static inline void make_folder(char ret[64])
{
    strcpy(ret, "/tmp/ravel-cluster-XXXXXX");
    RV_CHECK(mkdtemp(ret) && setenv(FOLDER_VARIABLE, ret, 1) == 0);
}

static inline void remove_folder(const char *folder)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf %s", folder);
    RV_CHECK(system(command) == 0);
}

/* --- a client --- */

struct got {
    struct rvi_engine_result result;
    char out[64], words[256];
};

struct client {
    struct rvi_engine *engine;
    pthread_mutex_t lock;
    pthread_cond_t news;
    size_t count, refused;
    unsigned twice; /* results told more than once */
    struct got *got;
    int progressed;
    char progress[RVI_ENGINE_PROGRESS];
};

static inline struct got *find_got(struct client *c, const char *id)
{
    for (size_t i = 0; i < c->count; i++) {
        if (strcmp(c->got[i].result.id, id) == 0)
            return &c->got[i];
    }
    return NULL;
}

static inline void client_stored(void *arg, const char *id, int error)
{
    struct client *c = arg;

    (void)id;
    pthread_mutex_lock(&c->lock);
    c->refused += error < 0;
    pthread_cond_broadcast(&c->news);
    pthread_mutex_unlock(&c->lock);
}

static inline void client_ended(void *arg, const struct rvi_engine_result *result)
{
    struct client *c = arg;

    pthread_mutex_lock(&c->lock);
    c->twice += find_got(c, result->id) != NULL;
    RV_CHECK(c->count < RESULTS_MOST);
    struct got *got = &c->got[c->count++];
    got->result = *result;
    if (result->out_bytes > 0)
        memcpy(got->out, result->out,
               result->out_bytes < sizeof(got->out) ? result->out_bytes : sizeof(got->out));
    snprintf(got->words, sizeof(got->words), "%s", result->words ? result->words : "");
    pthread_cond_broadcast(&c->news);
    pthread_mutex_unlock(&c->lock);
}

static inline void client_progressed(void *arg, const char *id, const void *bytes, size_t count)
{
    struct client *c = arg;

    (void)id;
    pthread_mutex_lock(&c->lock);
    snprintf(c->progress, sizeof(c->progress), "%.*s", (int)count, (const char *)bytes);
    c->progressed++;
    pthread_cond_broadcast(&c->news);
    pthread_mutex_unlock(&c->lock);
}

static inline void client_open(struct client *c, const struct rvi_engine_opts *opts)
{
    static const struct rvi_engine_events events = {
        .stored = client_stored,
        .ended = client_ended,
        .progressed = client_progressed,
    };
    struct rvi_engine_opts own = *opts;
    char words[RVI_ENGINE_WORDS];

    *c = (struct client){.got = calloc(RESULTS_MOST, sizeof(struct got))};
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->news, NULL);
    own.role = RVI_ENGINE_CLIENT;
    if (own.build[0] == '\0')
        rvi_identity_build(own.build);
    RV_CHECK(c->got && rvi_engine_open(&c->engine, &own, &events, c, words) == 0);
}

static inline void client_close(struct client *c)
{
    rvi_engine_close(c->engine, rv_after(RV_SECOND));
    pthread_cond_destroy(&c->news);
    pthread_mutex_destroy(&c->lock);
    free(c->got);
}

static inline struct rvi_engine_task task_for(const struct rv_job *job, const void *in)
{
    struct rvi_engine_task task = {
        .job = job->name,
        .flags = job->flags,
        .in = in,
        .in_bytes = job->in_bytes,
    };

    RV_CHECK(rvi_engine_make_id(task.id) == 0);
    return task;
}

static inline void submit_task(struct client *c, const struct rvi_engine_task *task)
{
    RV_CHECK(rvi_engine_submit(c->engine, task) == 0);
}

/* Its result, waiting for it. */
static inline struct got client_await(struct client *c, const char *id)
{
    struct timespec until;
    struct got *got;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    pthread_mutex_lock(&c->lock);
    while (!(got = find_got(c, id)))
        RV_CHECK(pthread_cond_timedwait(&c->news, &c->lock, &until) == 0);
    struct got copy = *got;
    pthread_mutex_unlock(&c->lock);
    return copy;
}

static inline void client_await_progress(struct client *c, const char *text)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    pthread_mutex_lock(&c->lock);
    while (strcmp(c->progress, text) != 0)
        RV_CHECK(pthread_cond_timedwait(&c->news, &c->lock, &until) == 0);
    pthread_mutex_unlock(&c->lock);
}

static inline struct got client_run(struct client *c, const struct rv_job *job, const void *in)
{
    struct rvi_engine_task task = task_for(job, in);

    submit_task(c, &task);
    return client_await(c, task.id);
}

static inline struct rvi_engine_task client_submit(struct client *c, const struct rv_job *job,
                                                   const void *in)
{
    struct rvi_engine_task task = task_for(job, in);

    submit_task(c, &task);
    return task;
}

/* Is begun, under its name's traces. */
static inline struct rvi_engine_task client_begin(struct client *c, const struct rv_job *job,
                                                  const char *name)
{
    struct name in = {""};

    snprintf(in.text, sizeof(in.text), "%s", name);
    struct rvi_engine_task task = client_submit(c, job, &in);
    until_traces(name, 1);
    return task;
}

static inline int int_of(const struct got *got)
{
    int value;

    assert_int_equal(got->result.kind, RV_OUTCOME_VALUE);
    assert_int_equal(got->result.out_bytes, sizeof(value));
    memcpy(&value, got->out, sizeof(value));
    return value;
}

/* --- agents --- */

struct served {
    struct rvi_agent *agent;
    pthread_t thread;
    int result;
};

static void *serve_on_thread(void *arg)
{
    struct served *s = arg;

    s->result = rvi_agent_run(s->agent);
    return NULL;
}

static inline void agent_start(struct served *s, const struct rvi_agent_opts *opts)
{
    RV_CHECK(rvi_agent_new(&s->agent, opts) == 0);
    RV_CHECK(pthread_create(&s->thread, NULL, serve_on_thread, s) == 0);
}

/* What its run has returned. */
static inline int agent_join(struct served *s)
{
    RV_CHECK(pthread_join(s->thread, NULL) == 0);
    rvi_agent_free(s->agent);
    return s->result;
}

static inline int agent_stop(struct served *s)
{
    rvi_agent_leave(s->agent);
    return agent_join(s);
}

/* --- jobs --- */

static int twice(const int *in, int *out)
{
    *out = 2 * *in;
    return 0;
}
RV_JOB(twice, int, int);

static int fail_with(const int *in, int *out)
{
    (void)out;
    return -*in;
}
RV_JOB(fail_with, int, int);

static int die(const int *in, int *out)
{
    (void)out;
    fputs("these were its last words\n", stderr);
    kill(getpid(), *in);
    return 0;
}
RV_JOB(die, int, int);

static int die_gladly(const int *in, int *out)
{
    return die(in, out);
}
RV_JOB_IDEMPOTENT(die_gladly, int, int);

/* How often it was begun before. */
static int die_first(const struct name *in, int *out)
{
    *out = leave_trace(in->text);
    if (*out == 0)
        kill(getpid(), SIGKILL);
    return 0;
}
RV_JOB_IDEMPOTENT(die_first, struct name, int);

/* Until it is told to stop; or until there is a second trace. */
static int linger(const struct name *in, int *out)
{
    leave_trace(in->text);
    while (!rv_cancelled() && count_traces(in->text) < 2)
        usleep(1000);
    *out = (int)getpid();
    return rv_cancelled();
}
RV_JOB(linger, struct name, int);

static int linger_gladly(const struct name *in, int *out)
{
    return linger(in, out);
}
RV_JOB_IDEMPOTENT(linger_gladly, struct name, int);

/* The first time until it is told to stop, later at once. */
static int linger_first(const struct name *in, int *out)
{
    *out = leave_trace(in->text);
    while (*out == 0 && !rv_cancelled())
        usleep(1000);
    return rv_cancelled();
}
RV_JOB_IDEMPOTENT(linger_first, struct name, int);

/* Says what it was given, again and again, until there is a second trace; then "last". */
static int report(const struct name *in, int *out)
{
    leave_trace(in->text);
    while (count_traces(in->text) < 2) {
        RV_CHECK(rv_job_progress(in->text, strlen(in->text)) == 0);
        usleep(1000);
    }
    *out = 0;
    return rv_job_progress("last", 4);
}
RV_JOB(report, struct name, int);

static int be_stubborn(const struct name *in, int *out)
{
    (void)out;
    signal(SIGTERM, SIG_IGN);
    leave_trace(in->text);
    while (count_traces(in->text) < 2)
        usleep(1000);
    return 0;
}
RV_JOB_IDEMPOTENT(be_stubborn, struct name, int);
