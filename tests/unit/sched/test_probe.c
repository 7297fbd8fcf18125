/* SPDX-License-Identifier: MIT */
/* test_probe.c - the trace tells a task's life in order, worker by worker, and nothing is noted
 * where nobody asked. */
#include "sched/probe.h"

#include <errno.h>

#include "sched_test.h"

enum { EVENTS = 1 << 14, TASKS = 50 };

static struct rvi_trace_event events[EVENTS];

static int run_traced(unsigned workers, rv_fn *fn)
{
    struct rv_run_opts opts = {.size = sizeof opts, .workers = workers, .trace = EVENTS};
    return rv_run(fn, NULL, &opts);
}

static size_t read_ring(unsigned worker)
{
    uint64_t next;
    size_t count =
        rvi_trace_read(rvi_sched_self()->workers[worker].probing.trace, 0, events, EVENTS, &next);
    RV_CHECK(count == next); /* none is lost */
    return count;
}

/* The next event of a task from *at on, or one that concerns no task when it is 0. */
static const struct rvi_trace_event *next_of(uint64_t task, size_t count, size_t *at)
{
    while (*at < count && events[*at].task != task)
        ++*at;
    RV_CHECK(*at < count);
    return &events[(*at)++];
}

static void expect(uint64_t task, size_t count, size_t *at, enum rvi_trace_kind kind, uint64_t arg)
{
    const struct rvi_trace_event *event = next_of(task, count, at);
    RV_CHECK(rvi_trace_kind(event) == kind && rvi_trace_arg(event) == arg);
}

/* --- one life --- */

static struct rv_event gate;
static uint64_t waiter_id;

static int wait_and_yield(void *arg)
{
    (void)arg;
    waiter_id = rv_task_id();
    RV_CHECK(rv_event_wait(&gate, RV_NEVER) == 0);
    rv_yield();
    return 0;
}

static int lead_one_life(void *arg)
{
    int err;
    uint64_t self = rv_task_id();
    (void)arg;
    rv_event_init(&gate);
    RV_SCOPE(s, err) {
        RV_CHECK(rv_go(s, wait_and_yield, NULL) == 0);
        rv_yield();
        rv_event_set(&gate);
        rv_yield();
        rv_scope_cancel(s, -EIO);
    }
    RV_CHECK(err == -EIO);
    size_t count = read_ring(0), at = 0;
    expect(waiter_id, count, &at, RVI_TRACE_SPAWN, self);
    expect(waiter_id, count, &at, RVI_TRACE_BEGIN, 0);
    expect(waiter_id, count, &at, RVI_TRACE_PARK,
           rvi_trace_park_arg(RVI_WHY_EVENT, (uintptr_t)&gate));
    expect(waiter_id, count, &at, RVI_TRACE_WAKE, self);
    expect(waiter_id, count, &at, RVI_TRACE_RESUME, 0);
    expect(waiter_id, count, &at, RVI_TRACE_YIELD, 0);
    expect(waiter_id, count, &at, RVI_TRACE_RESUME, 0);
    expect(waiter_id, count, &at, RVI_TRACE_END, 0);
    at = 0;
    expect(self, count, &at, RVI_TRACE_SPAWN, 0);
    expect(self, count, &at, RVI_TRACE_BEGIN, 0);
    expect(self, count, &at, RVI_TRACE_SCOPE_OPEN, 0);
    expect(self, count, &at, RVI_TRACE_YIELD, 0);
    expect(self, count, &at, RVI_TRACE_RESUME, 0);
    expect(self, count, &at, RVI_TRACE_YIELD, 0);
    expect(self, count, &at, RVI_TRACE_RESUME, 0);
    expect(self, count, &at, RVI_TRACE_SCOPE_CANCEL, EIO);
    expect(self, count, &at, RVI_TRACE_PARK, RVI_WHY_SCOPE_CLOSE);
    expect(self, count, &at, RVI_TRACE_WAKE, 0);
    expect(self, count, &at, RVI_TRACE_RESUME, 0);
    expect(self, count, &at, RVI_TRACE_SCOPE_CLOSE, 0);
    RV_CHECK(at == count);
    return 0;
}

static void a_life_is_told_in_order(void **state)
{
    (void)state;
    assert_int_equal(run_traced(1, lead_one_life), 0);
}

static int sleep_once(void *arg)
{
    (void)arg;
    while (stats_now().sleeps == 0) /* a slow machine is still looking for work when time is up */
        RV_CHECK(rv_sleep(5 * RV_MILLISECOND) == 0);
    size_t count = read_ring(0), at = 0;
    expect(0, count, &at, RVI_TRACE_SLEEP, 0);
    expect(0, count, &at, RVI_TRACE_AWAKE, 0);
    for (size_t i = 1; i < count; i++)
        RV_CHECK(events[i].ticks >= events[i - 1].ticks);
    return 0;
}

static void a_worker_that_sleeps_says_so(void **state)
{
    (void)state;
    assert_int_equal(run_traced(1, sleep_once), 0);
}

static int read_one(void *arg)
{
    char byte;
    const int *fds = arg;
    waiter_id = rv_task_id();
    RV_CHECK(rv_read(fds[0], &byte, 1, RV_NEVER) == 1);
    rv_event_set(&gate);
    return 0;
}

/* Its worker looks for input while it picks the next task, with the one it leaves still at hand. */
static int write_and_yield(void *arg)
{
    int fds[2], err;
    (void)arg;
    rv_event_init(&gate);
    RV_CHECK(rv_pipe(fds) == 0);
    RV_SCOPE(s, err) {
        RV_CHECK(rv_go(s, read_one, fds) == 0);
        rv_yield();
        RV_CHECK(rv_write(fds[1], "x", 1, RV_NEVER) == 1);
        while (!rv_event_is_set(&gate))
            rv_yield();
    }
    RV_CHECK(rv_close(fds[0]) == 0 && rv_close(fds[1]) == 0);
    size_t count = read_ring(0), at = 0;
    while (rvi_trace_kind(next_of(waiter_id, count, &at)) != RVI_TRACE_WAKE)
        ;
    RV_CHECK(rvi_trace_arg(&events[at - 1]) == 0);
    return err;
}

static void regress_who_yields_has_not_woken_who_gets_input(void **state)
{
    (void)state;
    assert_int_equal(run_traced(1, write_and_yield), 0);
}

/* --- scopes --- */

static int open_and_close(void *arg)
{
    const struct rvi_worker *w = rvi_worker_self();
    (void)arg;
    for (int i = 0; i < 3; i++) {
        int err;
        RV_SCOPE(s, err) {
            RV_CHECK(!w->scopes.first);
        }
        RV_CHECK(err == 0);
    }
    RV_CHECK(w->probing.scopes.count == (RVI_SPARES_MOST > 0));
    size_t count = read_ring(0), at = 0, opened = 0;
    for (; at < count; at++)
        opened += rvi_trace_kind(&events[at]) == RVI_TRACE_SCOPE_OPEN;
    RV_CHECK(opened == 3);
    return 0;
}

static void scopes_are_used_again_and_noted(void **state)
{
    (void)state;
    assert_int_equal(run_traced(1, open_and_close), 0);
}

static int open_with_a_deadline(void *arg)
{
    struct rv_scope_opts opts = {.size = sizeof opts, .deadline = rv_now() + RV_SECOND};
    int failures = 0, open = 0;
    (void)arg;
    for (long n = 1;; n++) {
        rv_scope *scope;
        rvi_alloc_fail_after(n);
        int r = rv_scope_open(&scope, &opts);
        bool is_over = rvi_alloc_fail_pending();
        rvi_alloc_fail_after(-1);
        failures += r < 0;
        if (r == 0)
            RV_CHECK(rv_scope_close(scope) == 0);
        if (is_over)
            break;
    }
    RV_CHECK(failures >= 2); /* of the scope, of its timer */
    size_t count = read_ring(0);
    for (size_t i = 0; i < count; i++) {
        open += rvi_trace_kind(&events[i]) == RVI_TRACE_SCOPE_OPEN;
        open -= rvi_trace_kind(&events[i]) == RVI_TRACE_SCOPE_CLOSE;
    }
    RV_CHECK(open == 0);
    return 0;
}

static void regress_a_scope_that_has_no_memory_for_its_deadline_closes(void **state)
{
    (void)state;
    assert_int_equal(run_traced(1, open_with_a_deadline), 0);
}

/* --- many --- */

static int live(void *arg)
{
    uintptr_t kind = (uintptr_t)arg;
    for (uintptr_t i = 0; i < kind % 7; i++) {
        rv_yield();
        RV_CHECK(rv_sleep((rv_time)(kind % 3) * RV_MICROSECOND) == 0);
    }
    return 0;
}

/* What may follow what in a life on one worker. */
static bool may_follow(enum rvi_trace_kind before, enum rvi_trace_kind now)
{
    switch (now) {
    case RVI_TRACE_SPAWN:
        return before == 0;
    case RVI_TRACE_BEGIN:
        return before == RVI_TRACE_SPAWN;
    case RVI_TRACE_WAKE:
        return before == RVI_TRACE_PARK;
    case RVI_TRACE_RESUME:
        return before == RVI_TRACE_WAKE || before == RVI_TRACE_YIELD;
    default: /* it runs; woken at once it goes on without a switch */
        return before == RVI_TRACE_BEGIN || before == RVI_TRACE_RESUME || before == RVI_TRACE_WAKE;
    }
}

static int lead_many_lives(void *arg)
{
    static uint8_t last[TASKS * 2];
    int err;
    size_t ended = 0;
    (void)arg;
    memset(last, 0, sizeof last);
    RV_SCOPE(s, err) {
        for (uintptr_t i = 0; i < TASKS; i++)
            RV_CHECK(rv_go(s, live, (void *)i) == 0); /* NOLINT: a number */
    }
    size_t count = read_ring(0);
    for (size_t i = 0; i < count; i++) {
        enum rvi_trace_kind kind = rvi_trace_kind(&events[i]);
        uint64_t task = events[i].task;
        if (task == 0 || kind >= RVI_TRACE_SCOPE_OPEN)
            continue;
        RV_CHECK(may_follow((enum rvi_trace_kind)last[task], kind));
        last[task] = (uint8_t)kind;
        ended += kind == RVI_TRACE_END;
    }
    RV_CHECK(ended == TASKS);
    return err;
}

static void many_lives_are_all_whole(void **state)
{
    (void)state;
    assert_int_equal(run_traced(1, lead_many_lives), 0);
}

static int be_stolen(void *arg)
{
    (void)arg;
    flag f = false;
    int err;
    size_t begun = 0, took = 0;
    RV_SCOPE(s, err) {
        RV_CHECK(rv_go(s, raise_it, &f) == 0);
        hold_until(&f);
    }
    RV_CHECK(rv_migrate(1) == 0);
    size_t count = read_ring(1);
    for (size_t i = 0; i < count; i++) {
        begun += rvi_trace_kind(&events[i]) == RVI_TRACE_BEGIN && rvi_trace_arg(&events[i]) == 1;
        took += rvi_trace_kind(&events[i]) == RVI_TRACE_STEAL &&
                rvi_trace_arg(&events[i]) == 1; /* one, of worker 0 */
    }
    RV_CHECK(begun == 1 && took == 1);
    return err;
}

static void a_theft_is_noted_by_the_thief(void **state)
{
    (void)state;
    assert_int_equal(run_traced(2, be_stolen), 0);
}

/* --- nobody asked --- */

static int look_for_probes(void *arg)
{
    (void)arg;
    const struct rvi_worker *w = rvi_worker_self();
    RV_CHECK(w->probes == 0 && !w->probing.trace && w->slab.stride == sizeof(struct rvi_task));
    RV_CHECK(rv_sleep(RV_MILLISECOND) == 0);
    RV_CHECK(w->probing.task == NULL);
    return 0;
}

static void nothing_is_noted_unasked(void **state)
{
    (void)state;
    assert_int_equal(run_on(2, look_for_probes, NULL), 0);
}

static int do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void without_memory_for_the_rings_nothing_runs(void **state)
{
    (void)state;
    struct holdings before = holdings_now();
    for (long n = 1;; n++) {
        rvi_alloc_fail_after(n);
        int r = run_traced(3, do_nothing);
        if (rvi_alloc_fail_pending())
            break;
        assert_true(r == -ENOMEM || r == -EAGAIN || r == 0);
    }
    rvi_alloc_fail_after(-1);
    assert_no_more_is_held(&before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_life_is_told_in_order),
        cmocka_unit_test(a_worker_that_sleeps_says_so),
        cmocka_unit_test(regress_who_yields_has_not_woken_who_gets_input),
        cmocka_unit_test(scopes_are_used_again_and_noted),
        cmocka_unit_test(regress_a_scope_that_has_no_memory_for_its_deadline_closes),
        cmocka_unit_test(many_lives_are_all_whole),
        cmocka_unit_test(a_theft_is_noted_by_the_thief),
        cmocka_unit_test(nothing_is_noted_unasked),
        cmocka_unit_test(without_memory_for_the_rings_nothing_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
