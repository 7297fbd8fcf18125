/* SPDX-License-Identifier: MIT */
/* test_wait.c - the protocol of every object, played with the smallest one: a gate with a line
 * before it, where each grant lets one pass. A grant is never lost, and no wait ends without a
 * reason. */
#include "sched/wait.h"

#include <errno.h>
#include <pthread.h>

#include "sched/cancel.h"
#include "sched_test.h"
#include "sys/lock.h"

struct gate {
    struct rvi_lock lock;
    struct rvi_list line;
    size_t count; /* who stands in line; the lock's */
    rv_time deadline;
    rv_scope *scope;
    flag is_granted, has_returned;
    int result; /* of the wait */
};

static void gate_init(struct gate *gate)
{
    *gate = (struct gate){.deadline = RV_NEVER};
    rvi_list_init(&gate->line);
}

static bool leave_line(struct rvi_waiter *w, void *object)
{
    struct gate *gate = object;
    rvi_lock_acquire(&gate->lock);
    bool was_there = rvi_link_is_linked(&w->link);
    if (was_there) {
        rvi_link_remove(&w->link);
        gate->count--;
    }
    rvi_lock_release(&gate->lock);
    return was_there;
}

static void line_up(struct gate *gate, struct rvi_waiter *w)
{
    rvi_waiter_init(w);
    rvi_lock_acquire(&gate->lock);
    rvi_list_push_back(&gate->line, &w->link);
    gate->count++;
    rvi_lock_release(&gate->lock);
}

static int pass(struct gate *gate, rv_time deadline)
{
    struct rvi_waiter w;
    int r = rvi_wait_allowed();

    if (r < 0)
        return r;
    line_up(gate, &w);
    return rvi_wait(&w, deadline, RVI_WHY_EVENT, leave_line, gate);
}

/* Who is first in line, taken off it; NULL when nobody is there. Has to be woken. */
static struct rvi_waiter *choose(struct gate *gate)
{
    rvi_lock_acquire(&gate->lock);
    struct rvi_link *link = rvi_list_pop_front(&gate->line);
    gate->count -= link != NULL;
    rvi_lock_release(&gate->lock);
    return link ? rvi_container_of(link, struct rvi_waiter, link) : NULL;
}

static struct rvi_waiter *choose_when_there(struct gate *gate)
{
    struct rvi_waiter *w;
    while (!(w = choose(gate)))
        rv_yield();
    return w;
}

static size_t in_line(struct gate *gate)
{
    rvi_lock_acquire(&gate->lock);
    size_t count = gate->count;
    rvi_lock_release(&gate->lock);
    return count;
}

static int pass_task(void *arg)
{
    struct gate *gate = arg;
    gate->result = pass(gate, gate->deadline);
    raise_flag(&gate->has_returned);
    return 0;
}

static int grant_task(void *arg)
{
    rvi_wake(choose_when_there(arg));
    return 0;
}

static void *pass_thread(void *arg)
{
    pass_task(arg);
    return NULL;
}

static void *grant_thread(void *arg)
{
    grant_task(arg);
    return NULL;
}

/* --- woken --- */

static int meet_as_tasks(void *arg)
{
    struct gate *gate = arg;
    int err;
    RV_SCOPE(s, err) {
        RV_CHECK(rv_go(s, pass_task, gate) == 0 && rv_go(s, grant_task, gate) == 0);
    }
    RV_CHECK(err == 0 && gate->result == 0 && in_line(gate) == 0);
    return 0;
}

static void a_task_is_woken_by_another_of_its_worker(void **state)
{
    (void)state;
    struct gate gate;
    gate_init(&gate);
    assert_int_equal(run_on(1, meet_as_tasks, &gate), 0);
}

static int pass_elsewhere(void *arg)
{
    RV_CHECK(rv_migrate(1) == 0);
    return pass_task(arg);
}

static int grant_to_another_worker(void *arg)
{
    struct gate *gate = arg;
    int err;
    for (size_t i = 0; i < repeats(2000); i++) {
        RV_SCOPE(s, err) {
            RV_CHECK(rv_go(s, pass_elsewhere, gate) == 0);
            grant_task(gate);
        }
        RV_CHECK(err == 0 && gate->result == 0 && in_line(gate) == 0);
    }
    return 0;
}

static void a_task_is_woken_by_another_worker(void **state)
{
    (void)state;
    struct gate gate;
    gate_init(&gate);
    assert_int_equal(run_on(2, grant_to_another_worker, &gate), 0);
}

/* The grant is the last thing that keeps the runtime: the thread may still be in the middle of
 * it. */
static void a_task_is_woken_by_a_plain_thread(void **state)
{
    (void)state;
    for (size_t i = 0; i < repeats(1000); i++) {
        struct gate gate;
        pthread_t thread;
        gate_init(&gate);
        assert_int_equal(pthread_create(&thread, NULL, grant_thread, &gate), 0);
        assert_int_equal(run_on(1 + (unsigned)i % 2, pass_task, &gate), 0);
        pthread_join(thread, NULL);
        assert_int_equal(gate.result, 0);
    }
}

static void a_plain_thread_is_woken_by_a_task(void **state)
{
    (void)state;
    for (size_t i = 0; i < repeats(200); i++) {
        struct gate gate;
        pthread_t thread;
        gate_init(&gate);
        assert_int_equal(pthread_create(&thread, NULL, pass_thread, &gate), 0);
        assert_int_equal(run_on(1, grant_task, &gate), 0);
        pthread_join(thread, NULL);
        assert_int_equal(gate.result, 0);
    }
}

static void a_plain_thread_is_woken_by_another(void **state)
{
    (void)state;
    for (size_t i = 0; i < repeats(1000); i++) {
        struct gate gate;
        pthread_t thread;
        gate_init(&gate);
        assert_int_equal(pthread_create(&thread, NULL, pass_thread, &gate), 0);
        grant_task(&gate);
        pthread_join(thread, NULL);
        assert_int_equal(gate.result, 0);
    }
}

static void *run_another_runtime(void *arg)
{
    RV_CHECK(run_on(1, pass_task, arg) == 0);
    return NULL;
}

static void a_task_is_woken_by_one_of_another_runtime(void **state)
{
    (void)state;
    for (size_t i = 0; i < repeats(200); i++) {
        struct gate gate;
        pthread_t thread;
        gate_init(&gate);
        assert_int_equal(pthread_create(&thread, NULL, run_another_runtime, &gate), 0);
        assert_int_equal(run_on(1, grant_task, &gate), 0);
        pthread_join(thread, NULL);
        assert_int_equal(gate.result, 0);
    }
}

/* --- its time is over --- */

static int expect_time_to_pass(void *arg)
{
    struct gate *gate = arg;
    rv_time deadline = rv_after(3 * RV_MILLISECOND);
    RV_CHECK(pass(gate, deadline) == -ETIME);
    RV_CHECK(rv_now() >= deadline && in_line(gate) == 0);
    return 0;
}

static int expect_time_to_have_passed(void *arg)
{
    const rv_time past[] = {INT64_MIN, -1, 0, 1, rv_now()};
    struct gate *gate = arg;
    for (size_t i = 0; i < sizeof(past) / sizeof(past[0]); i++)
        RV_CHECK(pass(gate, past[i]) == -ETIME && in_line(gate) == 0);
    return 0;
}

static void a_deadline_ends_the_wait_and_not_earlier(void **state)
{
    (void)state;
    struct gate gate;
    gate_init(&gate);
    assert_int_equal(run_on(1, expect_time_to_pass, &gate), 0);
    expect_time_to_pass(&gate);
}

static void a_past_deadline_is_no_wait(void **state)
{
    (void)state;
    struct gate gate;
    gate_init(&gate);
    assert_int_equal(run_on(1, expect_time_to_have_passed, &gate), 0);
    expect_time_to_have_passed(&gate);
}

/* Takes the waiter off, if it stands there in time, and wakes it when its deadline is long over. */
static void *grant_late(void *arg)
{
    struct gate *gate = arg;
    struct rvi_waiter *w;
    while (!(w = choose(gate))) {
        if (is_raised(&gate->has_returned))
            return NULL;
        rvi_thread_yield();
    }
    while (rv_now() < gate->deadline + 2 * RV_MILLISECOND)
        rvi_thread_yield();
    RV_CHECK(!is_raised(&gate->has_returned));
    raise_flag(&gate->is_granted);
    rvi_wake(w);
    return NULL;
}

static int pass_in_spite_of_all(void *arg)
{
    struct gate *gate = arg;
    int r = pass(gate, gate->deadline);
    raise_flag(&gate->has_returned);
    RV_CHECK(r == (is_raised(&gate->is_granted) ? 0 : -ETIME));
    return r;
}

static int pass_in_a_task(void *gate)
{
    return run_on(1, pass_in_spite_of_all, gate);
}

/* With more and more time, until it is enough to be chosen in. */
static void grant_when_it_is_late(rv_fn *passes)
{
    int r = -ETIME;
    for (rv_time lead = RV_MILLISECOND; r == -ETIME; lead *= 2) {
        struct gate gate;
        pthread_t thread;
        gate_init(&gate);
        gate.deadline = rv_after(lead);
        assert_int_equal(pthread_create(&thread, NULL, grant_late, &gate), 0);
        r = passes(&gate);
        pthread_join(thread, NULL);
    }
    assert_int_equal(r, 0);
}

static void a_grant_under_way_beats_the_deadline_of_a_task(void **state)
{
    (void)state;
    grant_when_it_is_late(pass_in_a_task);
}

static void a_grant_under_way_beats_the_deadline_of_a_thread(void **state)
{
    (void)state;
    grant_when_it_is_late(pass_in_spite_of_all);
}

/* The deadline and the grant come at the same moment, over and over: one of them is reported, and
 * if it is the deadline nobody has been chosen. */
static int race_grants_with_deadlines(void *arg)
{
    struct gate *gate = arg;
    for (size_t i = 0; i < repeats(3000); i++) {
        int r = pass(gate, rv_after((rv_time)(i % 40) * RV_MICROSECOND));
        RV_CHECK(r == 0 || r == -ETIME);
        RV_CHECK(in_line(gate) == 0);
    }
    raise_flag(&gate->has_returned);
    return 0;
}

static void *grant_all_the_time(void *arg)
{
    struct gate *gate = arg;
    struct rvi_waiter *w;
    while (!is_raised(&gate->has_returned)) {
        if ((w = choose(gate)))
            rvi_wake(w);
    }
    return NULL;
}

static void grants_race_with_deadlines(void **state)
{
    (void)state;
    struct gate gate;
    pthread_t thread;
    gate_init(&gate);
    assert_int_equal(pthread_create(&thread, NULL, grant_all_the_time, &gate), 0);
    assert_int_equal(run_on(1, race_grants_with_deadlines, &gate), 0);
    pthread_join(thread, NULL);
}

static int wait_without_memory(void *arg)
{
    struct gate *gate = arg;
    rvi_alloc_fail_after(1);
    int r = pass(gate, rv_after(RV_SECOND));
    rvi_alloc_fail_after(-1);
    RV_CHECK(r == -ENOMEM && in_line(gate) == 0);
    return 0;
}

static void without_memory_for_a_timer_it_is_withdrawn(void **state)
{
    (void)state;
    struct gate gate;
    gate_init(&gate);
    assert_int_equal(run_on(1, wait_without_memory, &gate), 0);
}

/* --- cancelled --- */

static int cancel_who_waits(void *arg)
{
    struct gate *gate = arg;
    int err;
    RV_SCOPE(s, err) {
        RV_CHECK(rv_go(s, pass_task, gate) == 0);
        while (in_line(gate) == 0)
            rv_yield();
        RV_CHECK(rvi_wait_allowed() == 0);
        rv_scope_cancel(s, 0);
        RV_CHECK(rvi_wait_allowed() == -ECANCELED);
        RV_CHECK(pass(gate, RV_NEVER) == -ECANCELED);
    }
    RV_CHECK(err == -ECANCELED && rvi_wait_allowed() == 0);
    RV_CHECK(gate->result == -ECANCELED && in_line(gate) == 0);
    return 0;
}

static void cancelling_ends_the_wait(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 2; workers++) {
        struct gate gate;
        gate_init(&gate);
        assert_int_equal(run_on(workers, cancel_who_waits, &gate), 0);
    }
}

static int grant_who_is_cancelled(void *arg)
{
    struct gate *gate = arg;
    int err;
    RV_SCOPE(s, err) {
        RV_CHECK(rv_go(s, pass_task, gate) == 0);
        struct rvi_waiter *w = choose_when_there(gate);
        rv_scope_cancel(s, 0);
        rv_yield();
        rv_yield();
        RV_CHECK(!is_raised(&gate->has_returned));
        rvi_wake(w);
    }
    RV_CHECK(err == -ECANCELED && gate->result == 0);
    return 0;
}

static void a_grant_under_way_beats_cancelling(void **state)
{
    (void)state;
    struct gate gate;
    gate_init(&gate);
    assert_int_equal(run_on(1, grant_who_is_cancelled, &gate), 0);
}

static int pass_always(void *arg)
{
    struct gate *gate = arg;
    struct rvi_waiter w;
    line_up(gate, &w);
    rvi_wait_always(&w, RVI_WHY_BLOCKING);
    RV_CHECK(is_raised(&gate->is_granted));
    return 0;
}

static int cancel_who_waits_always(void *arg)
{
    struct gate *gate = arg;
    int err;
    RV_SCOPE(s, err) {
        RV_CHECK(rv_go(s, pass_always, gate) == 0);
        struct rvi_waiter *w = choose_when_there(gate);
        rv_scope_cancel(s, 0);
        for (int i = 0; i < 10; i++)
            rv_yield();
        raise_flag(&gate->is_granted);
        rvi_wake(w);
    }
    RV_CHECK(err == -ECANCELED);
    return 0;
}

static void waiting_always_is_not_ended_by_cancelling(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 2; workers++) {
        struct gate gate;
        gate_init(&gate);
        assert_int_equal(run_on(workers, cancel_who_waits_always, &gate), 0);
    }
}

static int wait_in_a_shield(void *arg)
{
    struct gate *gate = arg;
    rv_time until = rv_after(5 * RV_MILLISECOND);
    int err;
    RV_SCOPE(s, err) {
        rv_scope_cancel(s, 0);
        RV_CHECK(rv_shield_begin(until) == 0);
        gate->result = pass(gate, rv_after(RV_MINUTE));
        RV_CHECK(rv_now() >= until);
        rv_shield_end();
    }
    RV_CHECK(err == -ECANCELED && gate->result == -ECANCELED && in_line(gate) == 0);
    return 0;
}

static void a_shield_holds_cancelling_off_for_its_time(void **state)
{
    (void)state;
    struct gate gate;
    gate_init(&gate);
    assert_int_equal(run_on(1, wait_in_a_shield, &gate), 0);
}

static int time_passes_in_a_shield(void *arg)
{
    RV_CHECK(rv_shield_begin(rv_after(RV_MINUTE)) == 0);
    expect_time_to_pass(arg);
    rv_shield_end();
    return 0;
}

static void a_deadline_before_the_end_of_the_shield_counts(void **state)
{
    (void)state;
    struct gate gate;
    gate_init(&gate);
    assert_int_equal(run_on(1, time_passes_in_a_shield, &gate), 0);
}

static void a_plain_thread_hears_of_its_token(void **state)
{
    (void)state;
    struct rvi_cancel token = {0};
    assert_int_equal(rvi_cancel_of_caller(), 0);
    rvi_cancel_of_thread_set(&token);
    assert_int_equal(rvi_cancel_of_caller(), 0);
    assert_true(rvi_cancel_set(&token, -EIO));
    assert_false(rvi_cancel_set(&token, -EPERM));
    assert_int_equal(rvi_cancel_of_caller(), -EIO);
    assert_int_equal(rvi_wait_allowed(), 0);
    rvi_cancel_of_thread_set(NULL);
    assert_int_equal(rvi_cancel_of_caller(), 0);
}

/* --- in the middle --- */

static int wake_before_it_waits(void *arg)
{
    struct gate *gate = arg;
    struct rvi_waiter w;
    uint64_t switches = stats_now().switches;
    line_up(gate, &w);
    RV_CHECK(choose(gate) == &w);
    rvi_wake(&w);
    RV_CHECK(rvi_wait(&w, 0, RVI_WHY_EVENT, leave_line, gate) == 0);
    RV_CHECK(stats_now().switches == switches);
    return 0;
}

static void a_wake_that_comes_before_the_wait_ends_it(void **state)
{
    (void)state;
    struct gate gate;
    gate_init(&gate);
    assert_int_equal(run_on(1, wake_before_it_waits, &gate), 0);
    struct rvi_waiter w;
    line_up(&gate, &w);
    rvi_wake(choose(&gate));
    assert_int_equal(rvi_wait(&w, 0, RVI_WHY_EVENT, leave_line, &gate), 0);
}

static int look_at_who_waits(void *arg)
{
    struct gate *gate = arg;
    int err;
    RV_SCOPE(s, err) {
        RV_CHECK(rv_go(s, pass_task, gate) == 0);
        struct rvi_waiter *w = choose_when_there(gate);
        RV_CHECK(w->task->state == RVI_TASK_PARKED && w->task->why == RVI_WHY_EVENT);
        rvi_wake(w);
        RV_CHECK(w->task->state == RVI_TASK_READY);
    }
    RV_CHECK(err == 0);
    return 0;
}

static void a_parked_task_says_why(void **state)
{
    (void)state;
    struct gate gate;
    gate_init(&gate);
    assert_int_equal(run_on(1, look_at_who_waits, &gate), 0);
}

static int nudge_who_waits(void *arg)
{
    struct gate *gate = arg;
    int err;
    RV_SCOPE(s, err) {
        RV_CHECK(rv_go(s, pass_task, gate) == 0);
        struct rvi_waiter *w = choose_when_there(gate);
        for (int i = 0; i < 10; i++) {
            rvi_worker_nudge(rvi_worker_self(), w->task);
            rvi_worker_nudge(rvi_worker_self(), w->task); /* it is ready now: nothing */
            rv_yield();
            rv_yield();
            RV_CHECK(!is_raised(&gate->has_returned));
        }
        rvi_wake(w);
    }
    RV_CHECK(err == 0 && gate->result == 0);
    return 0;
}

static void a_nudge_without_a_reason_ends_no_wait(void **state)
{
    (void)state;
    struct gate gate;
    gate_init(&gate);
    assert_int_equal(run_on(1, nudge_who_waits, &gate), 0);
}

static void every_reason_has_a_word_of_its_own(void **state)
{
    (void)state;
    for (int i = RVI_WHY_NONE; i <= RVI_WHY_LAST; i++) {
        assert_string_not_equal(rvi_why_word((enum rvi_why)i), "unknown");
        for (int k = RVI_WHY_NONE; k < i; k++)
            assert_string_not_equal(rvi_why_word((enum rvi_why)i), rvi_why_word((enum rvi_why)k));
    }
    assert_string_equal(rvi_why_word((enum rvi_why)(RVI_WHY_LAST + 1)), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_is_woken_by_another_of_its_worker),
        cmocka_unit_test(a_task_is_woken_by_another_worker),
        cmocka_unit_test(a_task_is_woken_by_a_plain_thread),
        cmocka_unit_test(a_plain_thread_is_woken_by_a_task),
        cmocka_unit_test(a_plain_thread_is_woken_by_another),
        cmocka_unit_test(a_task_is_woken_by_one_of_another_runtime),
        cmocka_unit_test(a_deadline_ends_the_wait_and_not_earlier),
        cmocka_unit_test(a_past_deadline_is_no_wait),
        cmocka_unit_test(a_grant_under_way_beats_the_deadline_of_a_task),
        cmocka_unit_test(a_grant_under_way_beats_the_deadline_of_a_thread),
        cmocka_unit_test(grants_race_with_deadlines),
        cmocka_unit_test(without_memory_for_a_timer_it_is_withdrawn),
        cmocka_unit_test(cancelling_ends_the_wait),
        cmocka_unit_test(a_grant_under_way_beats_cancelling),
        cmocka_unit_test(waiting_always_is_not_ended_by_cancelling),
        cmocka_unit_test(a_shield_holds_cancelling_off_for_its_time),
        cmocka_unit_test(a_deadline_before_the_end_of_the_shield_counts),
        cmocka_unit_test(a_plain_thread_hears_of_its_token),
        cmocka_unit_test(a_wake_that_comes_before_the_wait_ends_it),
        cmocka_unit_test(a_parked_task_says_why),
        cmocka_unit_test(a_nudge_without_a_reason_ends_no_wait),
        cmocka_unit_test(every_reason_has_a_word_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
