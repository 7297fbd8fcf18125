/* SPDX-License-Identifier: MIT */
/* test_barrier.c - barriers, on every stage of stage.h. */
#include <ravel/barrier.h>

#include <errno.h>

#include "stage.h"

enum { PARTIES = 4, ROUNDS = 50 };

struct rounds {
    struct rv_barrier b;
    _Atomic(int) arrived; /* in all rounds */
    _Atomic(int) last;    /* how often somebody was */
};

static int go_round(void *arg)
{
    struct rounds *rounds = arg;
    for (int i = 0; i < ROUNDS; i++) {
        rvi_fetch_add_relaxed(&rounds->arrived, 1);
        int r = rv_barrier_wait(&rounds->b, RV_NEVER);
        RV_CHECK(r == 0 || r == 1);
        if (r == 1)
            rvi_fetch_add_relaxed(&rounds->last, 1);
        int arrived = rvi_load_relaxed(&rounds->arrived);
        RV_CHECK(arrived >= (i + 1) * PARTIES && arrived < (i + 2) * PARTIES);
    }
    return 0;
}

static void nobody_is_a_round_ahead_and_one_is_the_last(void)
{
    struct rounds rounds = {.arrived = 0};
    rv_barrier_init(&rounds.b, PARTIES);
    for (int i = 0; i < PARTIES; i++)
        start(go_round, &rounds);
    finish();
    RV_CHECK(rvi_load_relaxed(&rounds.last) == ROUNDS);
}

static void one_party_never_waits(void)
{
    struct rv_barrier b;
    rv_barrier_init(&b, 1);
    for (int i = 0; i < 3; i++)
        RV_CHECK(rv_barrier_wait(&b, 0) == 1);
}

struct guest {
    struct rv_barrier *b;
    rv_time deadline;
    int result;
};

static int arrive(void *arg)
{
    struct guest *guest = arg;
    guest->result = rv_barrier_wait(guest->b, guest->deadline);
    return 0;
}

static void a_party_that_gives_up_has_not_arrived(void)
{
    struct rv_barrier b;
    rv_time deadline = rv_after(2 * RV_MILLISECOND);
    rv_barrier_init(&b, 3);
    struct guest first = {&b, RV_NEVER, -1}, second = {&b, RV_NEVER, -1};
    RV_CHECK(rv_barrier_wait(&b, 0) == -ETIME);
    RV_CHECK(rv_barrier_wait(&b, deadline) == -ETIME);
    RV_CHECK(rv_now() >= deadline);
    start(arrive, &first);
    until_waiting(&b, 1);
    RV_CHECK(rv_barrier_wait(&b, rv_after(RV_MILLISECOND)) == -ETIME);
    until_waiting(&b, 1); /* the other stays */
    start(arrive, &second);
    until_waiting(&b, 2);
    RV_CHECK(rv_barrier_wait(&b, 0) == 1); /* the last does not wait: no matter how late it is */
    finish();
    RV_CHECK(first.result == 0 && second.result == 0);
    RV_CHECK(rv_barrier_wait(&b, 0) == -ETIME); /* a new round */
}

/* --- lifetime --- */

static void when_all_have_returned_it_may_be_freed(void)
{
    struct rv_barrier b, filled;
    memset(&filled, 0xff, sizeof(filled));
    for (int i = 0; i < 2 * PARTIES; i++) {
        rv_barrier_init(&b, 2);
        struct guest other = {&b, RV_NEVER, -1};
        start(arrive, &other);
        if (i % 2 == 0)
            until_waiting(&b, 1);
        int r = rv_barrier_wait(&b, RV_NEVER);
        finish();
        RV_CHECK(r + other.result == 1);
        memset(&b, 0xff, sizeof(b));
    }
    RV_CHECK(memcmp(&b, &filled, sizeof(b)) == 0);
}

/* --- cancellation --- */

static int arrive_cancelled(void *arg)
{
    RV_CHECK(rv_barrier_wait(arg, RV_NEVER) == -ECANCELED);
    RV_CHECK(rv_barrier_wait(arg, RV_NEVER) == -ECANCELED);
    return 0;
}

static void a_cancelled_party_has_not_arrived(void)
{
    struct rv_barrier b;
    rv_barrier_init(&b, 2);
    RV_CHECK(rv_go(now_on.scope, arrive_cancelled, &b) == 0);
    until_waiting(&b, 1);
    rv_scope_cancel(now_on.scope, -EIO);
    RV_CHECK(rv_scope_close(now_on.scope) == -EIO);
    open_stage();
    RV_CHECK(rv_barrier_wait(&b, 0) == -ETIME);
}

/* --- misuse --- */

static void init_for_nobody(void)
{
    struct rv_barrier b;
    rv_barrier_init(&b, 0);
}

static void wait_without_init(void)
{
    struct rv_barrier b = {{0}};
    (void)!rv_barrier_wait(&b, RV_NEVER);
}

static void misuse_stops_the_program(void **state)
{
    (void)state;
    assert_panics(THREADS, init_for_nobody, "rv_barrier_init: a barrier needs at least one party");
    assert_panics(ONE_WORKER, wait_without_init, "rv_barrier_wait: this barrier was never made");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_STAGE(nobody_is_a_round_ahead_and_one_is_the_last),
        ON_EVERY_STAGE(one_party_never_waits),
        ON_EVERY_STAGE(a_party_that_gives_up_has_not_arrived),
        ON_EVERY_STAGE(when_all_have_returned_it_may_be_freed),
        ON_TASKS(a_cancelled_party_has_not_arrived),
        cmocka_unit_test(misuse_stops_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
