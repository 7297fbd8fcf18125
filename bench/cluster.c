/* SPDX-License-Identifier: MIT */
/* cluster.c - a job handed to workers of a cluster, and its result fetched; peers/nats.c makes the
 * same exchanges by hand.
 *
 * in_flight=1: one after the other, each by itself measured; more: a window of so many, and
 * nanoseconds for one of them. bytes: so long are input and result. what=handover: a job kills the
 * process that runs it; from then until it has begun elsewhere.
 *
 * Workers are not its own: tools/bench_cluster.py starts them as `ravel worker` does, so many
 * agents (workers=) of so many slots (slots=). */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <ravel.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_OPS = 100000, MOST_BYTES = 1 << 20 };

static long bytes, in_flight;
static const struct rv_job *job;
static char *payload;

/* --- jobs that give back what they got --- */

#define ECHO(size)                                                                                 \
    struct bytes_##size {                                                                          \
        char bytes[size];                                                                          \
    };                                                                                             \
    static int echo_##size(const struct bytes_##size *in, struct bytes_##size *out)                \
    {                                                                                              \
        *out = *in;                                                                                \
        return 0;                                                                                  \
    }                                                                                              \
    RV_JOB(echo_##size, struct bytes_##size, struct bytes_##size)

ECHO(8);
ECHO(1024);
ECHO(65536);
ECHO(1048576);

static const struct rv_job *echo_of(void)
{
    char name[32];
    snprintf(name, sizeof name, "echo_%ld", bytes);
    const struct rv_job *found = rv_job_find(name);
    bench_require(found != NULL, "bytes=8, 1024, 65536 or 1048576");
    return found;
}

static rv_future *submit(rv_executor *ex, long number)
{
    rv_future *f = NULL;
    memcpy(payload, &number, sizeof number);
    bench_must(rv_submit_job(ex, &f, job, payload, RV_NEVER), "rv_submit");
    return f;
}

static void await_result(rv_future *f, long number)
{
    static char out[MOST_BYTES];
    struct rv_outcome outcome;
    bench_must(rv_future_get(f, out, &outcome, rv_after(10 * RV_SECOND)), "rv_future_get");
    bench_require(outcome.kind == RV_OUTCOME_VALUE, "no result");
    memcpy(payload, &number, sizeof number);
    bench_require(memcmp(out, payload, (size_t)bytes) == 0, "the wrong result");
    rv_future_free(f);
}

static void run_one_by_one(rv_executor *ex)
{
    static double us[MOST_OPS];
    long ops = bench_param_upto("ops", 1000, MOST_OPS), warm = ops / 10 + 1;
    for (long i = -warm; i < ops; i++) {
        int64_t begin = bench_now();
        await_result(submit(ex, i), i);
        us[i < 0 ? 0 : i] = (double)(bench_now() - begin) / 1000;
    }
    bench_result("p50", bench_percentile(us, (size_t)ops, 50), "us");
    bench_result("p99", bench_percentile(us, (size_t)ops, 99), "us");
}

static void run_many(void *arg, long ops)
{
    rv_executor *ex = arg;
    rv_future **window = calloc((size_t)in_flight, sizeof(rv_future *));
    bench_require(window != NULL, "no memory");
    for (long i = 0; i < ops + in_flight; i++) {
        rv_future **f = &window[i % in_flight];
        if (i >= in_flight && i - in_flight < ops)
            await_result(*f, i - in_flight);
        if (i < ops)
            *f = submit(ex, i);
    }
    free(window);
}

/* --- one that kills its worker --- */

struct place {
    char path[256];
};

struct when {
    int64_t killed, begun;
};

/* Who comes second finds when the first has died. */
static int die_once(const struct place *place, struct when *ret)
{
    ret->begun = bench_now();
    int fd = open(place->path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd >= 0) {
        int64_t now = bench_now();
        (void)!write(fd, &now, sizeof now);
        raise(SIGKILL);
    }
    fd = open(place->path, O_RDONLY | O_CLOEXEC);
    bool is_whole = fd >= 0 && read(fd, &ret->killed, sizeof ret->killed) == sizeof ret->killed;
    if (fd >= 0)
        close(fd);
    return is_whole ? 0 : -EIO;
}
RV_JOB_IDEMPOTENT(die_once, struct place, struct when);

static double handover_ms(rv_executor *ex, const char *folder, long number)
{
    struct place place;
    struct when when;
    struct rv_outcome outcome;
    rv_future *f = NULL;
    snprintf(place.path, sizeof place.path, "%s/%ld", folder, number);
    bench_must(rv_submit(ex, &f, die_once, &place, RV_NEVER), "rv_submit");
    bench_must(rv_future_get(f, &when, &outcome, rv_after(20 * RV_SECOND)), "rv_future_get");
    rv_future_free(f);
    unlink(place.path);
    bench_require(outcome.kind == RV_OUTCOME_VALUE, "it was not handed over");
    return (double)(when.begun - when.killed) / 1e6;
}

static void run_handover(rv_executor *ex)
{
    static double ms[MOST_OPS];
    char folder[] = "/tmp/ravel-handover-XXXXXX";
    long ops = bench_param_upto("ops", 20, MOST_OPS);
    bench_require(ops > 0 && mkdtemp(folder) != NULL, "no folder");
    for (long i = 0; i < ops; i++)
        ms[i] = handover_ms(ex, folder, i);
    rmdir(folder);
    bench_result("handover p50", bench_percentile(ms, (size_t)ops, 50), "ms");
    bench_result("handover max", bench_percentile(ms, (size_t)ops, 100), "ms");
}

static void run_echo(rv_executor *ex)
{
    job = echo_of();
    payload = calloc(1, (size_t)bytes);
    bench_require(payload != NULL, "no memory");
    if (in_flight == 1)
        run_one_by_one(ex);
    else
        bench_batches(run_many, ex, bytes > 65536 ? 50 : bytes > 4096 ? 1000 : 10000);
    free(payload);
}

int main(int argc, char **argv)
{
    char spec[512];
    rv_executor *ex;
    bench_begin("cluster", "ravel", argc, argv);
    const char *what = bench_param_text("what", "echo");
    snprintf(spec, sizeof spec, "cluster:%s",
             bench_param_text("url", "nats://127.0.0.1:4222/bench"));
    in_flight = bench_param("in_flight", 1);
    bytes = bench_param_upto("bytes", 8, MOST_BYTES);
    (void)bench_param("slots", 64);
    (void)bench_param("workers", 1);
    bench_require(in_flight > 0, "in_flight: at least 1");
    struct rv_executor_opts opts = {
        .size = sizeof opts, .backlog = (size_t)in_flight, .retries = 3};
    bench_must(rv_executor_open(&ex, spec, &opts), "rv_executor_open");
    if (strcmp(what, "handover") == 0)
        run_handover(ex);
    else
        run_echo(ex);
    bench_must(rv_executor_close(ex, RV_CLOSE_WAIT, RV_NEVER), "rv_executor_close");
}
