/* SPDX-License-Identifier: MIT */
/* explore_bugs.c - programs with a planted bug: each is found within its budget of seeds by each
 * strategy, and then fails in the same way a hundred times out of a hundred. */
#include "explore.h"

#include <stdlib.h>
#include <string.h>

enum { REPLAYS = 100 };

static struct {
    struct rv_mutex mutex, other;
    struct rv_cond changed;
    struct rv_event event;
    rv_chan *ch;
    bool flag; /* guarded by the mutex, or ought to be */
    _Atomic(int) counter;
    _Atomic(bool) stop;
} on;

static void begin(void)
{
    memset(&on, 0, sizeof(on));
    RV_CHECK(rv_chan_new(&on.ch, sizeof(int), 1) == 0);
}

/* Frees what begin has made; a wrong total is the program's failure. */
static int end(int err, int counter)
{
    on.ch = rv_chan_free(on.ch);
    if (err < 0)
        return err;
    return rvi_load_relaxed(&on.counter) == counter ? 0 : -EPROTO;
}

static int play_two(rv_fn *one, rv_fn *two, int counter)
{
    int err;

    begin();
    RV_SCOPE(s, err) {
        go(s, one, NULL);
        go(s, two, NULL);
    }
    return end(err, counter);
}

/* The sum is guarded, each time, but not in between. */
static int add_one(void *arg)
{
    (void)arg;
    int r = rv_mutex_lock(&on.mutex, RV_NEVER);
    if (r < 0)
        return r;
    int seen = rvi_load_relaxed(&on.counter);
    rv_mutex_unlock(&on.mutex);
    r = rv_mutex_lock(&on.mutex, RV_NEVER);
    if (r < 0)
        return r;
    rvi_store_relaxed(&on.counter, seen + 1);
    rv_mutex_unlock(&on.mutex);
    return 0;
}

static int lost_update(void *arg)
{
    (void)arg;
    return play_two(add_one, add_one, 2);
}

static int lock_both(struct rv_mutex *first, struct rv_mutex *second)
{
    int r = rv_mutex_lock(first, RV_NEVER);
    if (r < 0)
        return r;
    r = rv_mutex_lock(second, RV_NEVER);
    if (r == 0)
        rv_mutex_unlock(second);
    rv_mutex_unlock(first);
    return r;
}

static int lock_forwards(void *arg)
{
    (void)arg;
    return lock_both(&on.mutex, &on.other);
}

static int lock_backwards(void *arg)
{
    (void)arg;
    return lock_both(&on.other, &on.mutex);
}

static int lock_order(void *arg)
{
    (void)arg;
    return play_two(lock_forwards, lock_backwards, 0);
}

/* Whether there is something to wait for is asked before the mutex is locked. */
static int wait_unless_set(void *arg)
{
    (void)arg;
    int r = rv_mutex_lock(&on.mutex, RV_NEVER);
    if (r < 0)
        return r;
    bool must_wait = !on.flag;
    rv_mutex_unlock(&on.mutex);
    r = rv_mutex_lock(&on.mutex, RV_NEVER);
    if (r == 0 && must_wait)
        r = rv_cond_wait(&on.changed, &on.mutex, RV_NEVER);
    if (r == 0 || must_wait)
        rv_mutex_unlock(&on.mutex);
    return r;
}

static int set_and_signal(void *arg)
{
    (void)arg;
    int r = rv_mutex_lock(&on.mutex, RV_NEVER);
    if (r < 0)
        return r;
    on.flag = true;
    rv_cond_signal(&on.changed);
    rv_mutex_unlock(&on.mutex);
    return 0;
}

static int condition_checked_too_early(void *arg)
{
    (void)arg;
    return play_two(wait_unless_set, set_and_signal, 0);
}

/* The waiter clears away what it is about to wait for. */
static int reset_and_wait(void *arg)
{
    (void)arg;
    rv_event_reset(&on.event);
    return rv_event_wait(&on.event, RV_NEVER);
}

static int set_once(void *arg)
{
    (void)arg;
    rv_event_set(&on.event);
    return 0;
}

static int signal_missed(void *arg)
{
    (void)arg;
    return play_two(set_once, reset_and_wait, 0);
}

/* Whoever sends last should close; here everybody does. */
static int send_and_close(void *arg)
{
    int item = 1;

    (void)arg;
    int r = rv_chan_send(on.ch, &item, RV_NEVER);
    rv_chan_close(on.ch);
    return r;
}

static int receive_all(void *arg)
{
    int item, r;

    (void)arg;
    while ((r = rv_chan_recv(on.ch, &item, RV_NEVER)) == 0)
        rvi_fetch_add_relaxed(&on.counter, item);
    return r == -EPIPE ? 0 : r;
}

static int closed_too_early(void *arg)
{
    int err;

    (void)arg;
    begin();
    RV_SCOPE(s, err) {
        go(s, receive_all, NULL);
        go(s, send_and_close, NULL);
        go(s, send_and_close, NULL);
    }
    return end(err == -EPIPE ? 0 : err, 2);
}

/* A flag does not wake who waits for a channel. */
static int receive_until_stopped(void *arg)
{
    int item, r = 0;

    (void)arg;
    while (r == 0 && !rvi_load_relaxed(&on.stop))
        r = rv_chan_recv(on.ch, &item, RV_NEVER);
    return r;
}

static int stop_the_other(void *arg)
{
    int item = 1;

    (void)arg;
    int r = rv_chan_send(on.ch, &item, RV_NEVER);
    if (r == 0 && (r = rv_mutex_lock(&on.mutex, RV_NEVER)) == 0)
        rv_mutex_unlock(&on.mutex);
    rvi_store_relaxed(&on.stop, true);
    return r;
}

static int stop_flag_without_a_wake(void *arg)
{
    (void)arg;
    return play_two(receive_until_stopped, stop_the_other, 0);
}

/* --- finding and replaying --- */

struct bug {
    rv_fn *program;
    int error;
    uint64_t budget; /* of seeds */
};

static void replay(const struct bug *bug, const struct rv_sim_result *found)
{
    struct rv_sim_opts opts = {.size = sizeof(opts), .quiet = 1};
    struct rv_sim_result again = {.size = sizeof(again)};

    setenv("RAVEL_SEED", found->replay, 1);
    for (size_t i = 0; i < scaled(REPLAYS, 5); i++) {
        assert_int_equal(rv_sim_explore(bug->program, NULL, &opts, &again), bug->error);
        assert_int_equal(again.runs, 1);
        assert_true(again.digest == found->digest);
        assert_string_equal(again.replay, found->replay);
    }
    unsetenv("RAVEL_SEED");
}

static void find(const struct bug *bug, enum rv_sim_strategy strategy)
{
    struct rv_sim_opts opts = {
        .size = sizeof(opts),
        .strategy = strategy,
        .seeds = bug->budget,
        .quiet = 1,
    };
    struct rv_sim_result found = {.size = sizeof(found)};
    long before = rvi_alloc_live();

    assert_int_equal(rv_sim_explore(bug->program, NULL, &opts, &found), bug->error);
    print_message("found after %d seeds: %s\n", (int)found.runs, found.replay);
    replay(bug, &found);
    assert_int_equal(rvi_alloc_live(), before);
}

static void find_and_replay(void **state)
{
    const struct bug *bug = *state;

    find(bug, RV_SIM_RANDOM_WALK);
    find(bug, RV_SIM_PCT);
    find(bug, RV_SIM_MIXED);
}

#define BUG(program, error, budget)                                                                \
    {                                                                                              \
        "finds_" #program, find_and_replay, NULL, NULL, &(struct bug)                              \
        {                                                                                          \
            program, error, budget                                                                 \
        }                                                                                          \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        BUG(lost_update, -EPROTO, 1000),
        BUG(lock_order, -EDEADLK, 1000),
        BUG(condition_checked_too_early, -EDEADLK, 1000),
        BUG(signal_missed, -EDEADLK, 1000),
        BUG(closed_too_early, -EPROTO, 1000),
        BUG(stop_flag_without_a_wake, -EDEADLK, 1000),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
