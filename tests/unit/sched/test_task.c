/* SPDX-License-Identifier: MIT */
/* test_task.c - a descriptor's life: who it is, how it becomes runnable, how a poke finds it, and
 * that it goes home once, whatever is still under way to it. */
#include "sched/task.h"

#include <errno.h>

#include "sched_test.h"

/* --- who it is --- */

static void a_plain_thread_is_no_task(void **state)
{
    (void)state;
    assert_null(rvi_task_self());
}

enum { MANY = 2000 };

struct census {
    _Atomic(uint64_t) counted;
    _Atomic(bool) is_taken[8 * MANY];
};

static int take_number(void *arg)
{
    struct census *census = arg;
    uint64_t id = rvi_task_self()->id;
    RV_CHECK(id != 0 && id < 8 * MANY);
    RV_CHECK(!rvi_exchange_relaxed(&census->is_taken[id], true));
    rvi_fetch_add_relaxed(&census->counted, 1);
    return 0;
}

static int start_twenty(void *arg)
{
    int err;
    RV_SCOPE(s, err) {
        for (int i = 0; i < 20; i++)
            RV_CHECK(rv_go(s, take_number, arg) == 0);
    }
    RV_CHECK(err == 0);
    return take_number(arg);
}

static int start_many(void *arg)
{
    struct census *census = arg;
    int err;
    RV_SCOPE(s, err) {
        for (size_t i = 0; i < MANY / 21; i++)
            RV_CHECK(rv_go(s, start_twenty, arg) == 0);
    }
    RV_CHECK(err == 0 && rvi_load_relaxed(&census->counted) == MANY / 21 * 21);
    return take_number(arg);
}

static void no_two_tasks_have_the_same_number(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 4; workers++) {
        struct census *census = test_calloc(1, sizeof(*census));
        assert_int_equal(run_on(workers, start_many, census), 0);
        test_free(census);
    }
}

static int look_at_oneself(void *arg)
{
    struct rvi_task *self = rvi_task_self();
    RV_CHECK(self->fn == look_at_oneself && self->arg == arg);
    RV_CHECK(self->state == RVI_TASK_RUNNING && self->stack != NULL);
    RV_CHECK(rvi_task_home(self) == rvi_worker_self());
    RV_CHECK(strcmp(rvi_task_name(self), "look_at_oneself") == 0);
    RV_CHECK(rv_task_rename("Narcissus") == 0);
    RV_CHECK(strcmp(rvi_task_name(self), "Narcissus") == 0);
    return 0;
}

static int look_at_a_child(void *arg)
{
    int err;
    RV_SCOPE(s, err) {
        RV_CHECK(rv_go(s, look_at_oneself, arg) == 0);
    }
    return err;
}

static void a_task_knows_itself(void **state)
{
    (void)state;
    int anything;
    assert_int_equal(run_on(1, look_at_a_child, &anything), 0);
}

/* --- becoming runnable --- */

static int count_one(void *arg)
{
    ++*(size_t *)arg;
    return 0;
}

/* On one worker nobody steals: each task has to be kept, and some memory for them refused. */
static int spawn_without_memory(void *arg)
{
    size_t started = 0, refused = 0, *ran = arg;
    int err;
    RV_SCOPE(s, err) {
        for (size_t i = 0; i < MANY; i++) {
            rvi_alloc_fail_after(1);
            int r = rv_go(s, count_one, arg);
            rvi_alloc_fail_after(-1);
            RV_CHECK(r == 0 || r == -ENOMEM);
            started += r == 0;
            refused += r != 0;
        }
        RV_CHECK(refused > 0);
        rv_yield();
    }
    RV_CHECK(err == 0 && *ran == started);
    return 0;
}

static void a_task_for_which_there_is_no_memory_was_never_there(void **state)
{
    (void)state;
    size_t ran = 0;
    assert_int_equal(run_on(1, spawn_without_memory, &ran), 0);
}

/* The descriptors' chunk is there and the deque's array has to grow: the other half of a spawn. */
static int spawn_without_room(void *arg)
{
    size_t started = 0, refused = 0, *ran = arg;
    int err;
    for (int round = 0; round < 2; round++) {
        RV_SCOPE(s, err) {
            for (size_t i = 0; i < MANY; i++) {
                if (round == 1)
                    rvi_alloc_fail_after(1);
                int r = rv_go(s, count_one, arg);
                rvi_alloc_fail_after(-1);
                RV_CHECK(r == 0 || (r == -ENOMEM && round == 1));
                started += r == 0;
                refused += r != 0;
                if (round == 0 && i % 10 == 9) /* keep the deque short, the descriptors alive */
                    rv_yield();
            }
        }
        RV_CHECK(err == 0);
    }
    RV_CHECK(*ran == started);
    return refused < MANY ? 0 : -1;
}

static void a_task_for_which_there_is_no_room_was_never_there(void **state)
{
    (void)state;
    size_t ran = 0;
    assert_int_equal(run_on(1, spawn_without_room, &ran), 0);
}

/* --- a poke --- */

/* A task of the first worker that lives, or has ended, on another; and a message to it. */
struct errand {
    struct rvi_task *task;
    struct rvi_worker *birth;
    flag is_there, may_go_on, is_over;
    flag is_held_up;          /* the message goes in circles on the worker that it was sent to */
    size_t deliveries;        /* of the message, to any worker */
    size_t arrivals;          /* at its task */
    struct rvi_worker *found; /* where that was */
};

static struct errand errand;

static void deliver(struct rvi_msg *msg, void *receiver)
{
    struct rvi_task *task = rvi_container_of(msg, struct rvi_task, poke_msg);

    RV_CHECK(task == errand.task && receiver == rvi_worker_self());
    if (is_raised(&errand.is_held_up)) {
        rvi_worker_send(receiver, msg);
        return;
    }
    errand.deliveries++;
    if (!rvi_task_poke_is_here(task))
        return;
    errand.arrivals++;
    errand.found = receiver;
    rvi_worker_nudge(rvi_worker_self(), task);
    rvi_task_poke_done(task);
}

static void send_poke(void)
{
    RV_CHECK(rvi_worker_self() == errand.birth);
    errand.task->poke_msg.deliver = deliver;
    rvi_task_poke(errand.task);
}

static int abroad(void *arg)
{
    (void)arg;
    errand.task = rvi_task_self();
    errand.birth = errand.task->birth;
    RV_CHECK(rv_migrate(1) == 0); /* it may be there already, or elsewhere, if it was stolen */
    raise_flag(&errand.is_there);
    hold_until(&errand.may_go_on);
    return 0;
}

/* The play of two: `body` begins when the task holds the second worker. */
static int with_task_abroad(rv_fn *traveller, void (*body)(void))
{
    int err;
    errand = (struct errand){.is_there = false};
    RV_SCOPE(s, err) {
        RV_CHECK(rv_go(s, traveller, NULL) == 0);
        yield_until(&errand.is_there);
        body();
    }
    raise_flag(&errand.is_over);
    return err;
}

static void poke_and_let_go_on(void)
{
    send_poke();
    send_poke(); /* one at most in a task's life */
    RV_CHECK(errand.arrivals == 0);
    raise_flag(&errand.may_go_on);
}

static int abroad_to_yield(void *arg)
{
    abroad(arg);
    for (int i = 0; i < 10; i++)
        rv_yield();
    return 0;
}

static int poke_abroad(void *arg)
{
    (void)arg;
    RV_CHECK(with_task_abroad(abroad_to_yield, poke_and_let_go_on) == 0);
    RV_CHECK(errand.deliveries == 1 && errand.arrivals == 1 && errand.found->index == 1);
    return 0;
}

static void a_poke_arrives_once_where_the_task_lives(void **state)
{
    (void)state;
    assert_int_equal(run_on(2, poke_abroad, NULL), 0);
}

static int poke_one_that_ends(void *arg)
{
    (void)arg;
    RV_CHECK(with_task_abroad(abroad, poke_and_let_go_on) == 0);
    RV_CHECK(errand.deliveries == 1);
    return 0;
}

static void a_task_that_ends_waits_for_the_poke_under_way(void **state)
{
    (void)state;
    for (size_t i = 0; i < repeats(1000); i++)
        assert_int_equal(run_on(2, poke_one_that_ends, NULL), 0);
}

/* Its descriptor is still there: the message that brings it home has not been read. */
static void poke_too_late(void)
{
    raise_flag(&errand.may_go_on);
    while (rvi_load_acquire(&errand.task->poke) != RVI_POKE_CLOSED) /* pairs: task-poke */
        rvi_thread_yield();
    send_poke();
}

static int poke_one_that_has_ended(void *arg)
{
    (void)arg;
    RV_CHECK(with_task_abroad(abroad, poke_too_late) == 0);
    RV_CHECK(errand.deliveries == 0);
    return 0;
}

static void a_poke_to_a_task_that_has_ended_is_not_sent(void **state)
{
    (void)state;
    assert_int_equal(run_on(2, poke_one_that_has_ended, NULL), 0);
}

static int not_begun(void *arg)
{
    (void)arg;
    RV_CHECK(rvi_task_home(rvi_task_self()) == rvi_worker_self());
    return 0;
}

static int poke_one_that_has_not_begun(void *arg)
{
    (void)arg;
    int err;
    RV_SCOPE(s, err) {
        RV_CHECK(rv_go(s, not_begun, NULL) == 0);
        struct rvi_task *task = rvi_deque_pop(&rvi_worker_self()->fresh);
        RV_CHECK(rvi_task_home(task) == NULL);
        rvi_task_poke(task);
        RV_CHECK(rvi_load_relaxed(&task->poke) == RVI_POKE_NONE);
        RV_CHECK(rvi_deque_push(&rvi_worker_self()->fresh, task) == 0);
    }
    return err;
}

static void a_poke_to_a_task_that_has_not_begun_is_not_sent(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, poke_one_that_has_not_begun, NULL), 0);
}

/* --- a poke and a task that moves on --- */

static int abroad_and_on(void *arg)
{
    (void)arg;
    abroad(NULL);
    RV_CHECK(rv_migrate(2) == 0);
    hold_until(&errand.is_over);
    return 0;
}

/* The message is at the second worker until the task is at the third. */
static void poke_one_that_moves_on(void)
{
    raise_flag(&errand.is_held_up);
    send_poke();
    raise_flag(&errand.may_go_on);
    while (rvi_task_home(errand.task)->index != 2)
        rv_yield();
    rvi_store_seq_cst(&errand.is_held_up, false); /* pairs: test-flag */
    raise_flag(&errand.is_over);
}

static int let_a_poke_follow(void *arg)
{
    (void)arg;
    RV_CHECK(with_task_abroad(abroad_and_on, poke_one_that_moves_on) == 0);
    RV_CHECK(errand.deliveries == 2);
    return 0;
}

static void a_poke_follows_a_task_that_has_moved_on(void **state)
{
    (void)state;
    for (size_t i = 0; i < repeats(200); i++)
        assert_int_equal(run_on(3, let_a_poke_follow, NULL), 0);
}

static int abroad_and_back(void *arg)
{
    (void)arg;
    abroad(NULL);
    RV_CHECK(rv_migrate(0) == 0);
    return 0;
}

static struct rvi_task *descriptor_taken(void)
{
    struct rvi_slab *slab = &errand.birth->slab;
    struct rvi_task *task = rvi_slab_take(slab);
    rvi_slab_give(slab, task);
    return task;
}

/* The message is still at the second worker when the task has ended, at home: its descriptor must
 * not serve another task before the message has come. */
static void poke_one_that_comes_home(void)
{
    raise_flag(&errand.is_held_up);
    send_poke();
    raise_flag(&errand.may_go_on);
    while (rvi_load_relaxed(&errand.task->poke) != RVI_POKE_CLOSED)
        rv_yield();
    for (int i = 0; i < 100; i++) {
        RV_CHECK(descriptor_taken() != errand.task);
        rv_yield();
    }
    rvi_store_seq_cst(&errand.is_held_up, false); /* pairs: test-flag */
}

static int let_a_poke_come_late(void *arg)
{
    (void)arg;
    RV_CHECK(with_task_abroad(abroad_and_back, poke_one_that_comes_home) == 0);
    RV_CHECK(errand.arrivals == 0 && errand.deliveries == 2);
    RV_CHECK(descriptor_taken() == errand.task);
    return 0;
}

static void a_task_that_ends_at_home_waits_for_the_poke_under_way_too(void **state)
{
    (void)state;
    for (size_t i = 0; i < repeats(200); i++)
        assert_int_equal(run_on(2, let_a_poke_come_late, NULL), 0);
}

/* --- the same in earnest --- */

static int wander(void *arg)
{
    unsigned workers = rv_run_workers(), legs = *(unsigned *)arg;
    for (unsigned i = 0; legs == 0 || i < legs; i++) {
        int r = rv_migrate(i % workers);
        if (r < 0)
            return r;
        RV_CHECK(rv_task_worker() == (int)(i % workers));
    }
    return 0;
}

static int cancel_wanderers(void *arg)
{
    static unsigned legs[] = {0, 1, 2, 3, 5, 8};
    int err;
    (void)arg;
    for (size_t i = 0; i < repeats(4000); i++) {
        RV_SCOPE(s, err) {
            for (size_t k = 0; k < 4; k++)
                RV_CHECK(rv_go(s, wander, &legs[(i + k) % 6]) == 0);
            for (size_t k = 0; k < i % 5; k++)
                rv_yield();
            rv_scope_cancel(s, -EINTR);
        }
        RV_CHECK(err == -EINTR);
    }
    return 0;
}

static void tasks_that_wander_are_cancelled_wherever_they_are(void **state)
{
    (void)state;
    for (unsigned workers = 2; workers <= 4; workers++)
        assert_int_equal(run_on(workers, cancel_wanderers, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_thread_is_no_task),
        cmocka_unit_test(no_two_tasks_have_the_same_number),
        cmocka_unit_test(a_task_knows_itself),
        cmocka_unit_test(a_task_for_which_there_is_no_memory_was_never_there),
        cmocka_unit_test(a_task_for_which_there_is_no_room_was_never_there),
        cmocka_unit_test(a_poke_arrives_once_where_the_task_lives),
        cmocka_unit_test(a_task_that_ends_waits_for_the_poke_under_way),
        cmocka_unit_test(a_poke_to_a_task_that_has_ended_is_not_sent),
        cmocka_unit_test(a_poke_to_a_task_that_has_not_begun_is_not_sent),
        cmocka_unit_test(a_poke_follows_a_task_that_has_moved_on),
        cmocka_unit_test(a_task_that_ends_at_home_waits_for_the_poke_under_way_too),
        cmocka_unit_test(tasks_that_wander_are_cancelled_wherever_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
