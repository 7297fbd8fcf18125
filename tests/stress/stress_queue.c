/* SPDX-License-Identifier: MIT */
/* stress_queue.c - joins beside puts, gets and work that puts more work: a join that returns has
 * seen everything done.
 *
 * RAVEL_TEST_SCALE (percent, default 100) sets the number of rounds. */
#include <ravel/queue.h>

#include <errno.h>

#include "../unit/task/stage.h"

#include "base/rng.h"

enum { WORKERS = 3, JOINERS = 2, CAPACITY = 8, DEPTH = 3, BATCH = 10 };

static size_t scaled(size_t count)
{
    const char *text = getenv("RAVEL_TEST_SCALE");
    size_t percent = text == NULL ? 100 : strtoul(text, NULL, 10);
    size_t result = count * percent / 100;
    return result < 20 ? 20 : result;
}

/* A job of depth d makes two of depth d - 1. */
struct job {
    int depth;
    bool from_outside;
};

struct works {
    rv_queue *q;
    _Atomic(size_t) begun;   /* jobs, counted before they are put */
    _Atomic(size_t) ended;   /* jobs, counted before they are said done */
    _Atomic(size_t) ordered; /* jobs from outside, counted after they were put */
    _Atomic(size_t) served;  /* jobs from outside, counted before they are said done */
    _Atomic(bool) over;
};

static void do_job(struct works *works, struct job job);

/* Put it, or do it here when there is no room: workers that wait for room could all wait for
 * ever. */
static void hand_on(struct works *works, struct job job)
{
    rvi_fetch_add_relaxed(&works->begun, 1);
    if (rv_queue_try_put(works->q, &job) != 0)
        do_job(works, job);
}

static void do_job(struct works *works, struct job job)
{
    if (job.depth > 0) {
        hand_on(works, (struct job){job.depth - 1, false});
        hand_on(works, (struct job){job.depth - 1, false});
    }
    rvi_fetch_add_relaxed(&works->ended, 1);
    if (job.from_outside)
        rvi_fetch_add_relaxed(&works->served, 1);
}

static int work(void *arg)
{
    struct works *works = arg;
    struct job job;
    int err;
    while ((err = rv_queue_get(works->q, &job, rv_after(200 * RV_MICROSECOND))) != -EPIPE) {
        RV_CHECK(err == 0 || err == -ETIME);
        if (err == 0) {
            do_job(works, job);
            RV_CHECK(rv_queue_done(works->q) == 0);
        }
    }
    return 0;
}

/* A join that succeeds has seen the end of all that had been put before it began. */
static int keep_joining(void *arg)
{
    struct works *works = arg;
    struct rv_queue_stats stats = {.size = sizeof(stats)};
    while (!rvi_load_relaxed(&works->over)) {
        size_t ordered = rvi_load_acquire(&works->ordered); /* pairs: stress-ordered */
        int err = rv_queue_join(works->q, rv_after(100 * RV_MICROSECOND));
        RV_CHECK(err == 0 || err == -ETIME);
        RV_CHECK(err != 0 || rvi_load_relaxed(&works->served) >= ordered);
        RV_CHECK(rv_queue_stats_read(works->q, &stats) == 0);
        RV_CHECK(stats.waiting <= CAPACITY);
        rv_yield();
    }
    return 0;
}

static void put_from_outside(struct works *works, int depth)
{
    struct job job = {depth, true};
    rvi_fetch_add_relaxed(&works->begun, 1);
    RV_CHECK(rv_queue_put(works->q, &job, RV_NEVER) == 0);
    rvi_fetch_add_release(&works->ordered, 1); /* pairs: stress-ordered */
}

static void a_join_has_seen_everything_done(void)
{
    struct works works = {0};
    struct rvi_rng rng;
    rvi_rng_seed(&rng, 1);
    RV_CHECK(rv_queue_new(&works.q, sizeof(struct job), CAPACITY) == 0);
    for (int i = 0; i < WORKERS; i++)
        start(work, &works);
    for (int i = 0; i < JOINERS; i++)
        start(keep_joining, &works);
    for (size_t round = scaled(1500); round > 0; round--) {
        for (int i = 0; i < BATCH; i++)
            put_from_outside(&works, (int)rvi_rng_below(&rng, DEPTH));
        RV_CHECK(rv_queue_join(works.q, RV_NEVER) == 0);
        RV_CHECK(rvi_load_relaxed(&works.begun) == rvi_load_relaxed(&works.ended));
    }
    RV_CHECK(rv_queue_done(works.q) == -EINVAL);
    rvi_store_relaxed(&works.over, true);
    rv_queue_close(works.q);
    finish();
    rv_queue_free(works.q);
}

/* --- daemons, as the header shows them --- */

static int serve(void *arg)
{
    struct works *works = arg;
    struct job job;
    int err;
    while ((err = rv_queue_get(works->q, &job, RV_NEVER)) == 0) {
        do_job(works, job);
        RV_CHECK(rv_queue_done(works->q) == 0);
    }
    return err;
}

static void daemons_serve_until_they_are_cancelled(void)
{
    for (size_t round = scaled(1000); round > 0; round--) {
        struct works works = {0};
        int err;
        RV_CHECK(rv_queue_new(&works.q, sizeof(struct job), CAPACITY) == 0);
        RV_SCOPE(daemons, err) {
            for (int i = 0; i < WORKERS; i++)
                RV_CHECK(rv_go(daemons, serve, &works) == 0);
            for (int i = 0; i < BATCH; i++)
                put_from_outside(&works, DEPTH - 1);
            RV_CHECK(rv_queue_join(works.q, RV_NEVER) == 0);
            rv_scope_cancel(daemons, -ECANCELED);
        }
        RV_CHECK(err == -ECANCELED);
        RV_CHECK(rvi_load_relaxed(&works.served) == BATCH);
        RV_CHECK(rvi_load_relaxed(&works.begun) == rvi_load_relaxed(&works.ended));
        rv_queue_free(works.q);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_STAGE(a_join_has_seen_everything_done),
        ON_TASKS(daemons_serve_until_they_are_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
