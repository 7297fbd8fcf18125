/* SPDX-License-Identifier: MIT */
/* stress_foreground.c - an interface's loop, asleep in poll() whenever nothing is due, under tasks
 * and threads that post through a short queue, call, give up, show progress and are cancelled. */
#include <errno.h>
#include <poll.h>

#include "stress.h"

enum { TASKS = 8, THREADS = 2, CAPACITY = 4 };

static size_t rounds;
static rv_fg *fg;
static size_t run, last_shown; /* the foreground's */
static size_t ended;           /* likewise: parties that have said so */
static _Atomic(size_t) accepted;

static void run_one(void *arg)
{
    (void)arg;
    run++;
}

static int run_call(void *arg)
{
    run++;
    return (int)(uintptr_t)arg;
}

static void end_one(void *arg)
{
    (void)arg;
    ended++;
}

static void show(void *arg, const struct rv_fg_latest *latest)
{
    (void)arg;
    last_shown = (size_t)latest->done;
}

static int do_one(struct rvi_rng *rng)
{
    rv_time deadline = rv_after((rv_time)rvi_rng_below(rng, 50 * RV_MICROSECOND));
    int result = -1, number = (int)rvi_rng_below(rng, 1000);

    switch (rvi_rng_below(rng, 4)) {
    case 0:
        return rv_fg_post(fg, run_one, NULL, deadline);
    case 1: {
        int r = rv_fg_call(fg, run_call, (void *)(intptr_t)number, &result, deadline);
        RV_CHECK(r < 0 || result == number);
        return r;
    }
    case 2:
        rv_fg_progress(fg, rvi_rng_next(rng), 0, "stress");
        return -EAGAIN;
    default:
        return rv_fg_post(fg, run_one, NULL, RV_NEVER);
    }
}

static void use(size_t seed)
{
    struct rvi_rng rng;

    rvi_rng_seed(&rng, seed);
    for (size_t i = 0; i < rounds; i++) {
        int r = do_one(&rng);
        RV_CHECK(r == 0 || r == -ETIME || r == -ECANCELED || r == -EAGAIN);
        if (r == 0)
            rvi_fetch_add_relaxed(&accepted, 1);
    }
}

static int use_as_task(void *arg)
{
    use((size_t)(uintptr_t)arg);
    RV_CHECK(rv_shield_begin(rv_after(60 * RV_MINUTE)) == 0);
    RV_CHECK(rv_fg_post(fg, end_one, NULL, RV_NEVER) == 0);
    rv_shield_end();
    return 0;
}

static void *use_as_thread(void *arg)
{
    use((size_t)(uintptr_t)arg);
    RV_CHECK(rv_fg_post(fg, end_one, NULL, RV_NEVER) == 0);
    return NULL;
}

/* A hang is a lost wake-up. */
static void loop(size_t parties)
{
    struct pollfd in = {.fd = rv_fg_fd(fg), .events = POLLIN};

    while (ended < parties) {
        RV_CHECK(poll(&in, 1, -1) == 1 || errno == EINTR);
        RV_CHECK(rv_fg_dispatch(fg, (rv_time)(run % 3) * RV_MICROSECOND) >= 0);
    }
}

static void the_loop_comes_to_everything(void **state)
{
    struct rv_run_opts opts = {.size = sizeof opts, .workers = 2};
    struct rv_fg_opts fg_opts = {.size = sizeof fg_opts,
                                 .run = &opts,
                                 .capacity = CAPACITY,
                                 .budget_ns = 10 * RV_SECOND, /* the machine may be busy */
                                 .progress = show};
    pthread_t threads[THREADS];
    int64_t numbers[TASKS];

    (void)state;
    rounds = scaled(4000, 200);
    assert_int_equal(rv_fg_open(&fg, &fg_opts), 0);
    for (size_t i = 0; i < TASKS; i++)
        assert_true((numbers[i] = rv_fg_go(fg, use_as_task, (void *)(i + 1))) > 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_as_thread, (void *)(i + 100)), 0);
    for (size_t i = 0; i < TASKS; i += 3)
        assert_int_equal(rv_fg_cancel(fg, numbers[i]), 0); /* they cannot end before we look */
    loop(TASKS + THREADS);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(run, rvi_load_relaxed(&accepted));
    assert_int_equal(rv_fg_close(fg), 0);
    assert_true(last_shown > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_loop_comes_to_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
