/* SPDX-License-Identifier: MIT */
/* test_stats.c - what tasks and workers have counted adds up, whoever woke or moved them. */
#include <ravel/inspect.h>

#include <errno.h>

#include "base/atomic.h"
#include "stage.h"

enum { TASKS = 20, TURNS = 30 };

static int run_with(struct rv_run_opts opts, rv_fn *fn, void *arg)
{
    opts.size = sizeof opts;
    return rv_run(fn, arg, &opts);
}

static struct rv_task_stats mine(void)
{
    struct rv_task_stats stats = {.size = sizeof stats};
    RV_CHECK(rv_task_stats_read(&stats) == 0);
    return stats;
}

static struct rv_worker_stats of_worker(unsigned worker)
{
    struct rv_worker_stats stats = {.size = sizeof stats};
    RV_CHECK(rv_worker_stats_read(worker, &stats) == 0);
    return stats;
}

/* --- sums --- */

static struct {
    _Atomic(uint64_t) parks, wakes, yields, migrations, run_ns, queued_ns;
} sum;

static void add_mine(void)
{
    struct rv_task_stats stats = mine();
    RV_CHECK(stats.wakes == stats.parks);
    rvi_fetch_add_relaxed(&sum.parks, stats.parks);
    rvi_fetch_add_relaxed(&sum.wakes, stats.wakes);
    rvi_fetch_add_relaxed(&sum.yields, stats.yields);
    rvi_fetch_add_relaxed(&sum.migrations, stats.migrations);
    rvi_fetch_add_relaxed(&sum.run_ns, stats.run_ns);
    rvi_fetch_add_relaxed(&sum.queued_ns, stats.queued_ns);
}

/* In every way there is, woken from here and from elsewhere. */
static int be_busy(void *arg)
{
    rv_chan *ch = arg;
    unsigned workers = rv_run_workers();
    for (int i = 0; i < TURNS; i++) {
        int item = i;
        RV_CHECK(rv_chan_send(ch, &item, RV_NEVER) == 0);
        rv_yield();
        RV_CHECK(rv_migrate((unsigned)i % workers) == 0);
        RV_CHECK(rv_chan_recv(ch, &item, RV_NEVER) == 0);
        RV_CHECK(rv_sleep(10 * RV_MICROSECOND) == 0);
    }
    add_mine();
    return 0;
}

static int add_up(void *arg)
{
    struct rv_worker_stats total = {0};
    rv_time begin = rv_now();
    rv_chan *ch;
    int err;
    (void)arg;
    memset(&sum, 0, sizeof sum);
    RV_CHECK(rv_chan_new(&ch, sizeof(int), TASKS) == 0);
    RV_SCOPE(s, err) {
        for (int i = 0; i < TASKS; i++)
            RV_CHECK(rv_go(s, be_busy, ch) == 0);
    }
    rv_chan_free(ch);
    add_mine();
    for (unsigned i = 0; i < rv_run_workers(); i++) {
        struct rv_worker_stats one = of_worker(i);
        RV_CHECK(one.run_ns <= (uint64_t)(rv_now() - begin));
        total.parks += one.parks;
        total.wakes += one.wakes;
        total.yields += one.yields;
        total.migrations += one.migrations;
        total.run_ns += one.run_ns;
        total.queued_ns += one.queued_ns;
        total.spawned += one.spawned;
    }
    RV_CHECK(total.parks == rvi_load_relaxed(&sum.parks));
    RV_CHECK(total.wakes == rvi_load_relaxed(&sum.wakes));
    RV_CHECK(total.yields == rvi_load_relaxed(&sum.yields));
    RV_CHECK(total.migrations == rvi_load_relaxed(&sum.migrations));
    RV_CHECK(total.queued_ns == rvi_load_relaxed(&sum.queued_ns));
    RV_CHECK(total.spawned == TASKS + 1);
    RV_CHECK(total.parks > 0);
    return err;
}

static void what_tasks_count_is_what_workers_count(void **state)
{
    (void)state;
    assert_int_equal(run_with((struct rv_run_opts){.workers = 1, .account = 1}, add_up, NULL), 0);
    assert_int_equal(run_with((struct rv_run_opts){.workers = 2, .account = 1}, add_up, NULL), 0);
    assert_int_equal(
        run_with((struct rv_run_opts){.workers = 4, .account = 1, .trace = 100}, add_up, NULL), 0);
}

/* --- single counts --- */

static int just_return(void *arg)
{
    (void)arg;
    return 0;
}

static int count_singly(void *arg)
{
    struct rv_event e;
    int err;
    (void)arg;
    rv_event_init(&e);
    rv_event_set(&e);
    rv_yield();
    RV_CHECK(rv_event_wait(&e, RV_NEVER) >= 0);
    struct rv_task_stats first = mine();
    RV_CHECK(first.parks == 0 && first.yields == 0 && first.migrations == 0);
    RV_SCOPE(s, err) {
        RV_CHECK(rv_go(s, just_return, NULL) == 0);
        rv_yield();
        RV_CHECK(mine().yields == 1 && mine().parks == 0);
    }
    RV_CHECK(rv_sleep(RV_MILLISECOND) == 0);
    struct rv_task_stats last = mine();
    RV_CHECK(last.parks == 1 && last.wakes == 1 && last.yields == 1);
    RV_CHECK(last.run_ns >= first.run_ns && last.queued_ns >= first.queued_ns);
    return err;
}

static void what_is_there_already_is_no_wait_and_nobody_else_no_yield(void **state)
{
    (void)state;
    assert_int_equal(run_with((struct rv_run_opts){.workers = 1, .account = 1}, count_singly, NULL),
                     0);
}

static int live(void *arg)
{
    rv_time started = *(rv_time *)arg;
    RV_CHECK(rv_sleep(RV_MILLISECOND) == 0);
    rv_yield();
    struct rv_task_stats stats = mine();
    RV_CHECK(stats.run_ns + stats.queued_ns <= (uint64_t)(rv_now() - started));
    return 0;
}

static int time_lives(void *arg)
{
    rv_time now = rv_now();
    int err;
    (void)arg;
    RV_SCOPE(s, err) {
        for (int i = 0; i < TASKS; i++)
            RV_CHECK(rv_go(s, live, &now) == 0);
    }
    return err;
}

static void a_task_has_not_run_and_queued_for_longer_than_it_has_lived(void **state)
{
    (void)state;
    assert_int_equal(run_with((struct rv_run_opts){.workers = 2, .account = 1}, time_lives, NULL),
                     0);
}

/* --- refusals --- */

static int ask_unaccounted(void *arg)
{
    struct rv_task_stats task = {.size = sizeof task};
    struct rv_worker_stats worker = {.size = sizeof worker};
    (void)arg;
    RV_CHECK(rv_task_stats_read(&task) == -ENOTSUP);
    RV_CHECK(rv_worker_stats_read(0, &worker) == 0);
    RV_CHECK(worker.spawned == 1 && worker.parks == 0 && worker.run_ns == 0);
    RV_CHECK(rv_worker_stats_read(rv_run_workers(), &worker) == -EINVAL);
    worker.size = sizeof worker - 1;
    RV_CHECK(rv_worker_stats_read(0, &worker) == -EINVAL);
    return 0;
}

static int ask_too_small(void *arg)
{
    struct rv_task_stats task = {.size = sizeof task - 1};
    (void)arg;
    RV_CHECK(rv_task_stats_read(&task) == -EINVAL);
    return 0;
}

static void who_may_not_know_is_told_why(void **state)
{
    struct rv_task_stats task = {.size = sizeof task};
    struct rv_worker_stats worker = {.size = sizeof worker};
    (void)state;
    assert_int_equal(rv_task_stats_read(&task), -EPERM);
    assert_int_equal(rv_worker_stats_read(0, &worker), -EPERM);
    assert_int_equal(run_with((struct rv_run_opts){.workers = 1}, ask_unaccounted, NULL), 0);
    assert_int_equal(
        run_with((struct rv_run_opts){.workers = 1, .account = 1}, ask_too_small, NULL), 0);
}

static int is_accounted(void *arg)
{
    struct rv_task_stats task = {.size = sizeof task};
    (void)arg;
    return rv_task_stats_read(&task);
}

static void the_environment_asks_too(void **state)
{
    (void)state;
    setenv("RAVEL_ACCOUNT", "1", 1);
    assert_int_equal(rv_run(is_accounted, NULL, NULL), 0);
    setenv("RAVEL_ACCOUNT", "2", 1);
    assert_int_equal(rv_run(is_accounted, NULL, NULL), -EINVAL);
    unsetenv("RAVEL_ACCOUNT");
    assert_int_equal(rv_run(is_accounted, NULL, NULL), -ENOTSUP);
    setenv("RAVEL_TRACE", "many", 1);
    assert_int_equal(rv_run(is_accounted, NULL, NULL), -EINVAL);
    unsetenv("RAVEL_TRACE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_tasks_count_is_what_workers_count),
        cmocka_unit_test(what_is_there_already_is_no_wait_and_nobody_else_no_yield),
        cmocka_unit_test(a_task_has_not_run_and_queued_for_longer_than_it_has_lived),
        cmocka_unit_test(who_may_not_know_is_told_why),
        cmocka_unit_test(the_environment_asks_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
