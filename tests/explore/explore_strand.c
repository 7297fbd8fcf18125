/* SPDX-License-Identifier: MIT */
/* explore_strand.c - strands under posters, callers that give up, cancelled scopes and failing
 * jobs: one job at a time, in order, and everybody hears what became of theirs. */
#include <errno.h>

#include "explore.h"

enum { JOBS = 3 };

static struct {
    rv_strand *strand;
    _Atomic(int) inside;
    _Atomic(int) accepted;
    int run; /* by jobs alone */
    struct poster {
        int next, seen;
    } posters[2];
} on;

static void begin(rv_scope *scope, size_t capacity)
{
    struct rv_strand_opts opts = {.size = sizeof(opts), .capacity = capacity};

    rvi_store_relaxed(&on.inside, 0);
    rvi_store_relaxed(&on.accepted, 0);
    on.run = 0;
    on.posters[0] = on.posters[1] = (struct poster){0, 0};
    RV_CHECK(rv_strand_open(&on.strand, scope, &opts) == 0);
}

static int count(void *arg)
{
    (void)arg;
    RV_CHECK(rvi_fetch_add_relaxed(&on.inside, 1) == 0);
    on.run++;
    rv_yield();
    RV_CHECK(rvi_fetch_sub_relaxed(&on.inside, 1) == 1);
    return on.run;
}

struct numbered {
    struct poster *poster;
    int number;
};

static int see_number(void *arg)
{
    const struct numbered *job = arg;
    RV_CHECK(job->number == job->poster->seen++);
    (void)count(NULL);
    return 0;
}

static int post_numbered(void *arg)
{
    struct numbered jobs[JOBS];
    int r = 0;

    for (int i = 0; i < JOBS && r == 0; i++) {
        jobs[i] = (struct numbered){arg, i};
        r = rv_strand_post(on.strand, see_number, &jobs[i], RV_NEVER);
    }
    int last = rv_strand_run(on.strand, count, NULL, NULL, RV_NEVER); /* jobs[] are done with */
    return r < 0 ? r : last;
}

static int post_on_a_helper(void *arg)
{
    return rv_blocking(post_numbered, arg, NULL);
}

static int in_order(void *arg)
{
    int err;

    (void)arg;
    RV_SCOPE(outer, err) {
        int inner_err;
        begin(outer, 1);
        RV_SCOPE(s, inner_err) {
            go(s, post_numbered, &on.posters[0]);
            go(s, post_on_a_helper, &on.posters[1]);
        }
        RV_CHECK(inner_err == 0);
        RV_CHECK(rv_strand_close(on.strand) == 0);
    }
    RV_CHECK(on.run == 2 * (JOBS + 1));
    return err;
}

/* Returns what a cancelled caller may. */
static int use_impatiently(void *arg)
{
    (void)arg;
    for (int i = 0; i < JOBS; i++) {
        int result = -1, r;
        if (i % 2)
            r = rv_strand_post(on.strand, count, NULL, rv_after(RV_MICROSECOND));
        else
            r = rv_strand_run(on.strand, count, NULL, &result, rv_after(2 * RV_MICROSECOND));
        RV_CHECK(r == 0 || r == -ETIME || r == -ECANCELED);
        RV_CHECK(r < 0 || i % 2 || result > 0);
        if (r == 0)
            rvi_fetch_add_relaxed(&on.accepted, 1);
    }
    return 0;
}

static int impatient_callers(void *arg)
{
    int err;

    (void)arg;
    RV_SCOPE(outer, err) {
        int inner_err;
        begin(outer, 1);
        RV_SCOPE(s, inner_err) {
            for (int i = 0; i < 3; i++)
                go(s, use_impatiently, NULL);
        }
        RV_CHECK(inner_err == 0);
        RV_CHECK(rv_strand_close(on.strand) == 0);
    }
    RV_CHECK(on.run == rvi_load_relaxed(&on.accepted));
    return err;
}

/* The strand's scope is cancelled, or the callers' is. */
static int cancelled(bool strands)
{
    struct rv_strand_stats stats = {.size = sizeof(stats)};
    int err, inner_err;

    RV_SCOPE(outer, err) {
        begin(outer, 1);
        RV_SCOPE(s, inner_err) {
            for (int i = 0; i < 3; i++)
                try_go(s, use_impatiently, NULL);
            rv_yield();
            rv_scope_cancel(strands ? outer : s, -EINTR);
        }
        RV_CHECK(rv_shield_begin(rv_after(RV_MINUTE)) == 0);
        while (rv_strand_stats_read(on.strand, &stats) == 0 && stats.waiting > 0)
            RV_CHECK(rv_sleep(20 * RV_MICROSECOND) == 0);
        rv_shield_end();
        int r = rv_strand_close(on.strand);
        RV_CHECK(r == (stats.dropped > 0 ? -ECANCELED : 0));
        RV_CHECK(strands || stats.dropped == 0);
    }
    RV_CHECK(stats.run + stats.dropped == (uint64_t)rvi_load_relaxed(&on.accepted));
    RV_CHECK(err == (strands ? -EINTR : 0));
    return 0;
}

static int strand_cancelled(void *arg)
{
    (void)arg;
    return cancelled(true);
}

static int callers_cancelled(void *arg)
{
    (void)arg;
    return cancelled(false);
}

static int break_down(void *arg)
{
    (void)arg;
    return -EIO;
}

static int nothing_runs_after_a_failure(void *arg)
{
    int err;

    (void)arg;
    RV_SCOPE(s, err) {
        begin(s, JOBS);
        int r = rv_strand_post(on.strand, break_down, NULL, RV_NEVER);
        for (int i = 0; i < JOBS && r == 0; i++)
            r = rv_strand_try_post(on.strand, count, NULL);
        RV_CHECK(r == 0 || r == -ECANCELED || r == -EAGAIN);
        r = rv_strand_close(on.strand);
        RV_CHECK(r == 0 || r == -ECANCELED);
    }
    RV_CHECK(on.run == 0);
    return err == -EIO ? 0 : -EBADMSG;
}

EXPLORATION(in_order)
EXPLORATION(impatient_callers)
EXPLORATION(strand_cancelled)
EXPLORATION(callers_cancelled)
EXPLORATION(nothing_runs_after_a_failure)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EXPLORED(in_order),
        EXPLORED(impatient_callers),
        EXPLORED(strand_cancelled),
        EXPLORED(callers_cancelled),
        EXPLORED(nothing_runs_after_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
